"""Each test that docs/threat-model.md names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NAMED = re.compile(r"`([a-z_/]+\.py)::(\w+)`")


def test_every_threat_names_tests_and_each_of_them_exists() -> None:
    text = (TESTS.parent / "docs" / "threat-model.md").read_text()
    threats = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(threats) >= 12
    assert [threat for threat in threats if not NAMED.search(threat)] == []
    assert [f"{file}::{name}" for file, name in NAMED.findall(text) if name not in _named_in(file)] == []


def _named_in(file: str) -> set[str]:
    """The names of the tests in a file below the folder of the tests; none if there is no such file."""
    path = TESTS / file
    if not path.is_file():
        return set()
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
