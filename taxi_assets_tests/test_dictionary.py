from __future__ import annotations

from pathlib import Path

import taxi_assets
from glue_jobs.contracts import TABLES
from glue_jobs.contracts.rules import RULES
from taxi_assets.dictionary import render

DICTIONARY = Path(taxi_assets.__file__).parent.parent / "docs/data-dictionary.md"


def test_the_dictionary_is_that_of_the_contracts() -> None:
    assert DICTIONARY.read_text() == render(), "run: make docs"


def test_the_dictionary_has_every_column_and_rule() -> None:
    text = render()
    for table in TABLES.values():
        assert f"## {table.full_name}" in text
        assert all(f"| `{column.name}` |" in text for column in table.columns)
    assert all(f"| `{rule.rule_id}` |" in text for rule in RULES)
