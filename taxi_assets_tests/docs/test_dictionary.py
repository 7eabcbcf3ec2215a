from __future__ import annotations

from pathlib import Path

import taxi_assets
from glue_jobs.contracts import TABLES, TRIPS
from glue_jobs.contracts.eras import ERAS
from glue_jobs.contracts.rules import RULES
from taxi_assets.docs.dictionary import render

DICTIONARY = Path(taxi_assets.__file__).parent.parent / "docs/data-dictionary.md"


def test_the_dictionary_is_that_of_the_contracts() -> None:
    assert DICTIONARY.read_text() == render(), "run: make docs"


def test_the_dictionary_has_every_column_and_rule() -> None:
    text = render()
    for table in TABLES.values():
        assert f"## {table.full_name}" in text
        assert all(f"| `{column.name}` |" in text for column in table.columns)
    assert all(f"| `{rule.rule_id}` | {rule.severity.value} |" in text for rule in RULES)


def test_every_staging_and_curated_table_says_whose_columns_it_is_made_from() -> None:
    sections = {section.split("\n", 1)[0]: section for section in render().split("\n## ")}
    for table in TABLES.values():
        section = sections[table.full_name]
        assert ("names columns of the TLC's trip file" in section) == (table.layer == TRIPS.layer)
        assert ("names columns of `staging.trips`" in section) == (table.layer == "curated")


def test_the_schema_history_has_a_line_for_each_era_that_says_what_changed() -> None:
    history = render().split("## How the TLC's trip files have looked")[1]
    lines = [line for line in history.splitlines() if line.startswith("| 20")]
    assert [line[2:9] for line in lines] == [era.since for era in ERAS]
    assert all(len(line) > len("| 2011-01 |  |") for line in lines)
    assert "`airport_fee` is spelled `Airport_fee`" in history
    assert "| 2025-01 | `cbd_congestion_fee`: new, double |" in history
