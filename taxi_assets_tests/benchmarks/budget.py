"""The time budget of a whole run: every second of it under a name, by what the run says of itself.

Belongs here: adding the numbers of ``taxi-assets run --json`` up, and showing them. Does not: measuring any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

_CHECKS_SHOWN = 12


def budget(said: Mapping[str, Any], wall: float) -> list[tuple[str, str, float]]:
    """Step, part and seconds of a run that took ``wall`` seconds as a process; they add up to it.

    A step that runs no job is one part. What a step took beyond its phases are Dagster's events and metadata.
    """
    steps = {name: seconds for name, seconds in said["seconds"].items() if name != "total"}
    total = said["seconds"]["total"]
    rows = [
        ("process", "start, imports, end", wall - total),
        ("run", "instance, job, first look", total - sum(steps.values())),
    ]
    for step, seconds in steps.items():
        phases: Mapping[str, float] = said["phases"].get(step, {})
        rows += [(step, phase, took) for phase, took in phases.items()]
        rows.append((step, "events, metadata" if phases else "all of it", seconds - sum(phases.values())))
    return rows


def as_tables(said: Mapping[str, Any], wall: float) -> Iterator[Table]:
    """The budget, and the checks that took longest."""
    shown = Table("step", "part", "seconds", "share", title=f"Where {wall:.1f} s went")
    for step, part, seconds in budget(said, wall):
        shown.add_row(step, part, f"{seconds:.2f}", f"{seconds / wall:.0%}")
    yield shown
    checks = sorted(said["check_seconds"].items(), key=lambda one: -one[1])
    asked = Table("check", "seconds", title=f"{len(checks)} checks, {sum(said['check_seconds'].values()):.1f} s in all")
    for name, seconds in checks[:_CHECKS_SHOWN]:
        asked.add_row(name, f"{seconds:.2f}")
    rest = checks[_CHECKS_SHOWN:]
    asked.add_row(f"the other {len(rest)}", f"{sum(seconds for _, seconds in rest):.2f}")
    yield asked
