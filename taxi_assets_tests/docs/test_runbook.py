"""The runbook speaks of everything that can wake somebody."""

from __future__ import annotations

import re
from pathlib import Path

from taxi_assets.alerts.problems import Kind

ROOT = Path(__file__).parents[2]


def _told_of() -> set[str]:
    """What begins a line of a table of the runbook."""
    return set(re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE))


def test_each_kind_of_alert_has_a_line() -> None:
    assert {kind.value for kind in Kind} - _told_of() == set()


def test_each_alarm_has_a_line() -> None:
    terraform = (ROOT / "infra" / "modules" / "monitoring" / "main.tf").read_text()
    names = re.findall(r'alarm_name += "\$\{var\.name\}-(?:\$\{each\.key\}-)?([a-z-]+)"', terraform)
    assert len(names) >= 8
    assert set(names) - {"any"} - _told_of() == set()


def test_no_line_is_of_something_that_cannot_come() -> None:
    terraform = (ROOT / "infra" / "modules" / "monitoring" / "main.tf").read_text()
    assert {name for name in _told_of() if name not in {*Kind} and f'-{name}"' not in terraform} == set()
