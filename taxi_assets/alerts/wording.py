"""Alerts in words: what broke, for which months, what readers see meanwhile, the run, the next step.

Belongs here: every sentence of an alert: what a problem says and its next step, and the message about several of them.
Does not: which problems those are (``problems``), or sending (``alerts.notify``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from glue_jobs.contracts.months import ranges
from glue_jobs.errors import PipelineError
from taxi_assets.alerts.notify import Message
from taxi_assets.alerts.problems import ERROR, INFO, WARN, Kind, Problem
from taxi_assets.calendar import STALE_AFTER

IN_DETAIL = 10
"""Causes that are told at length; of the others a line each. The message's JSON has every problem."""
_RANGES_IN_TITLE = 2

_ONE_AND_MANY = {
    Kind.RUN_FAILURE: ("failed run", "failed runs"),
    Kind.FAILED_CHECK: ("failed check", "failed checks"),
    Kind.QUARANTINE_JUMP: ("quarantine rate jump", "quarantine rate jumps"),
    Kind.STALE_DATA: ("table is stale", "tables are stale"),
    Kind.SOURCE_UNREACHABLE: ("source is out of reach", "sources are out of reach"),
    Kind.WARNING: ("warning", "warnings"),
    Kind.RECOVERY: ("problem is over", "problems are over"),
}
_BEFORE, _OF_RUN, _AFTER, _NOTHING = (
    "Readers still see the version published before",
    "Readers see the version that this run published",
    "Readers see a published version",
    "Readers see nothing",
)
_RUN_AGAIN = "run the month again"
_SQL = re.compile(r"```sql\s*(.*?)\s*```", re.DOTALL)


@dataclass(frozen=True)
class Live:
    """What is published of an asset's month: its ``version`` and the run that published it; empty if nothing is."""

    version: str = ""
    run_id: str = ""


Look = Callable[[Problem], "Live | None"]
"""What is live of a problem's month of its asset; None if that is not known, or it is of no month."""
_RunUrl = Callable[[str], str]
_Seen = tuple[Problem, "Live | None"]
"""A problem and what is live of its month."""


# --- What a problem says, and the next step


def of_check(check: dg.AssetCheckEvaluation, month: str) -> tuple[str, str]:
    """Of a check that failed or warned."""
    facts = {name: str(value.value) for name, value in check.metadata.items() if value.value is not None}
    if "expected" in facts and "actual" in facts:
        said = f"expected {facts['expected']}; found {facts['actual']}"
    else:
        said = check.description or "; ".join(f"{name}: {value}" for name, value in facts.items()) or "it failed"
    sql = _SQL.search(facts.get("rows_to_look_at", ""))
    look = f"look at the rows ({' '.join(sql[1].split())})" if sql else "look at the check's metadata"
    if check.severity == dg.AssetCheckSeverity.WARN:
        return said, f"{look}; nothing was held back"
    return said, f"repair the cause, then {_RUN_AGAIN}{_by(month)}; {look}"


def of_failed_run(error: PipelineError, month: str) -> tuple[str, str]:
    """Of a run or a step that failed with this error; where it only says to run the month again, with the command."""
    command = _by(month) if error.remedy.endswith(_RUN_AGAIN) else ""
    return f"{error.problem}.", f"{error.remedy}{command}."


def of_overdue(month: str) -> tuple[str, str]:
    """Of a month that should have been published."""
    return (
        f"not published {STALE_AFTER.days} days after its end",
        f"see whether the TLC has it and whether the sensors are on; taxi-assets run --month {month}",
    )


def of_silent_source(since: datetime) -> tuple[str, str]:
    """Of a source that has not answered ``since``, in UTC."""
    effect = "no new month is noticed; readers see all that was published before"
    return (
        f"the source has not answered since {since:%Y-%m-%d %H:%M} UTC, so {effect}",
        "open the address of TAXI_SOURCE from that machine; check its network, and the TLC's site",
    )


def _by(month: str) -> str:
    return f": taxi-assets run --month {month}" if month else ""


# --- The message about several problems


def message_of(kind: Kind, problems: Sequence[Problem], now: datetime, look: Look, run_url: _RunUrl) -> Message:
    """The message of this kind about these problems. ``run_url``: the page of a run."""
    seen = [(problem, look(problem)) for problem in problems]
    by_cause: dict[tuple[Kind, str], list[_Seen]] = {}
    for problem, live in seen:
        by_cause.setdefault((problem.kind, problem.cause), []).append((problem, live))
    # What has no end yet comes first, then what most months have.
    groups = sorted(by_cause.values(), key=lambda group: (_is_over(group), -len(group), group[0][0].cause))
    lines = [f"{number}. {_at_length(kind, group, run_url)}" for number, group in enumerate(groups[:IN_DETAIL], 1)]
    if rest := groups[IN_DETAIL:]:
        lines.append("Also:\n" + "\n".join(f"- {_in_a_line(group)}" for group in rest))
    worst = ERROR if any(problem.severity == ERROR for problem in problems) else WARN
    return Message(
        kind=kind.value,
        severity=INFO if kind is Kind.RECOVERY else worst,
        title=_title(kind, problems),
        text="\n\n".join(lines),
        at=now,
        problems=[_as_json(problem, live, run_url) for problem, live in seen],
    )


def _is_over(group: Sequence[_Seen]) -> bool:
    return all(problem.over_at for problem, _ in group)


def _in_a_line(group: Sequence[_Seen]) -> str:
    months = _months(group)
    return f"{group[0][0].cause}: {', '.join(_assets(group))}" + (f"; {months}" if months else "")


def _at_length(kind: Kind, group: Sequence[_Seen], run_url: _RunUrl) -> str:
    """The problems of one cause, with the latest as the example."""
    latest = max((problem for problem, _ in group), key=lambda problem: problem.last_at)
    lines = [_in_a_line(group), *_how_often(kind, group)]
    if latest.said:
        lines.append(f"{latest.month} {latest.asset}: {latest.said}".strip() if len(group) > 1 else latest.said)
    lines += _what_readers_see(group)
    if latest.run_id and not _is_over(group):
        lines.append(f"Run: {run_url(latest.run_id)}")
    if latest.next_step and not _is_over(group):
        lines.append(f"Next step: {latest.next_step}")
    return "\n   ".join(lines)


def _how_often(kind: Kind, group: Sequence[_Seen]) -> list[str]:
    times = sum(problem.untold for problem, _ in group)
    if kind is Kind.RECOVERY:
        return [f"Before that it happened again, {times} times."] if times else []
    lines = [f"It happened {times} times."] if times > len(group) else []
    if over := [(problem, live) for problem, live in group if problem.over_at]:
        of_some = f" for {_months(over) or f'{len(over)} of them'}"
        lines.append(f"It is over by now{'' if _is_over(group) else of_some}.")
    return lines


def _what_readers_see(group: Sequence[_Seen]) -> list[str]:
    lines = []
    for what in (_BEFORE, _OF_RUN, _AFTER, _NOTHING):
        if not (those := [(problem, live) for problem, live in group if live and _readers_see(problem, live) == what]):
            continue
        assets = _assets(those)
        of_assets = "" if assets == _assets(group) else f" ({', '.join(assets)})"
        versions = {live.version for _, live in those}
        if what is not _NOTHING and len(versions) == 1:
            lines.append(f"{what}{of_assets}: {versions.pop()}.")
        else:
            lines.append(f"{what} of {_months(those)}{of_assets}.")
    return lines


def _readers_see(problem: Problem, live: Live) -> str:
    if not live.version:
        return _NOTHING
    if problem.over_at:
        return _AFTER
    return _OF_RUN if problem.run_id and live.run_id == problem.run_id else _BEFORE


def _assets(group: Sequence[_Seen]) -> list[str]:
    return sorted({problem.asset for problem, _ in group})


def _months(group: Sequence[_Seen]) -> str:
    return ", ".join(ranges(problem.month for problem, _ in group))


def _title(kind: Kind, problems: Sequence[Problem]) -> str:
    """What is most telling first: SNS shows 100 characters."""
    if kind is Kind.RUN_FAILURE:
        count = len({problem.run_id or problem.key for problem in problems})
    elif kind is Kind.STALE_DATA:
        count = len({problem.asset for problem in problems})
    else:
        count = len(problems)
    months = ranges(problem.month for problem in problems)
    more = len(months) - _RANGES_IN_TITLE
    shown = [*months[:_RANGES_IN_TITLE], *([f"{more} more"] if more > 0 else [])]
    causes = sorted({problem.cause for problem in problems})
    cause = f": {causes[0]}" if len(causes) == 1 else ""
    return f"{count} {_ONE_AND_MANY[kind][count != 1]}" + (f", {', '.join(shown)}" if shown else "") + cause


def _as_json(problem: Problem, live: Live | None, run_url: _RunUrl) -> dict[str, Any]:
    return {
        "kind": problem.kind.value,
        "severity": problem.severity,
        "month": problem.month,
        "asset": problem.asset,
        "cause": problem.cause,
        "times": problem.untold,
        "last_at": problem.last_at.isoformat(),
        "over_at": problem.over_at.isoformat() if problem.over_at else "",
        "said": problem.said,
        "next_step": problem.next_step,
        "run": run_url(problem.run_id) if problem.run_id else "",
        "readers_see": live.version if live else None,
    }
