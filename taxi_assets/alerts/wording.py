"""Messages in words: what broke, for which months, what readers see meanwhile, the run, the next step.

Belongs here: making a message of the problems of a notice. Does not: which problems those are (``problems``), or
sending (``alerts.notify``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from glue_jobs.contracts.months import ranges
from taxi_assets.alerts.notify import Message
from taxi_assets.alerts.problems import ERROR, INFO, WARN, Kind, Notice, Problem

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


@dataclass(frozen=True)
class Seen:
    """What readers see of a problem's month: ``version``, empty if nothing; ``is_of_run`` if that run published it."""

    version: str
    is_of_run: bool = False


Look = Callable[[Problem], "Seen | None"]
"""What readers see of a problem's month of its asset; None if that is not known, or it is of no month."""


def message_of(notice: Notice, now: datetime, look: Look, run_url: Callable[[str], str]) -> Message:
    """The message that tells of the problems of a notice. ``run_url``: the page of a run."""
    seen = {problem.key: look(problem) for problem in notice.problems}
    is_over = notice.kind is Kind.RECOVERY
    groups = [_Group(problems, seen, run_url, is_over) for problems in _by_cause(notice.problems)]
    # What has no end yet comes first, then what most months have.
    groups.sort(key=lambda group: (group.all_over, -len(group.problems), group.cause))
    lines = [f"{number}. {group.at_length()}" for number, group in enumerate(groups[:IN_DETAIL], 1)]
    if rest := groups[IN_DETAIL:]:
        lines.append("Also:\n" + "\n".join(f"- {group.in_a_line()}" for group in rest))
    return Message(
        kind=notice.kind.value,
        severity=_severity(notice),
        title=_title(notice),
        text="\n\n".join(lines),
        at=now,
        problems=[_as_json(problem, seen[problem.key], run_url) for problem in notice.problems],
    )


class _Group:
    """The problems of one cause."""

    def __init__(
        self,
        problems: Sequence[Problem],
        seen: dict[tuple[str, str, str, str], Seen | None],
        run_url: Callable[[str], str],
        is_over: bool,
    ) -> None:
        self.problems, self.cause = problems, problems[0].cause
        self.all_over = all(problem.over_at for problem in problems)
        self._seen, self._run_url, self._is_over = seen, run_url, is_over

    def in_a_line(self) -> str:
        assets = sorted({problem.asset for problem in self.problems})
        months = ranges(problem.month for problem in self.problems)
        return f"{self.cause}: {', '.join(assets)}" + (f"; {', '.join(months)}" if months else "")

    def at_length(self) -> str:
        lines = [self.in_a_line(), *self._again(), *self._what_it_said(), *self._readers()]
        latest = max(self.problems, key=lambda problem: problem.last_at)
        if latest.run_id and not self.all_over:
            lines.append(f"Run: {self._run_url(latest.run_id)}")
        if latest.next_step and not self.all_over:
            lines.append(f"Next step: {latest.next_step}")
        return "\n   ".join(lines)

    def _again(self) -> list[str]:
        times = sum(problem.untold for problem in self.problems)
        if self._is_over:
            return [f"Before that it happened again, {times} times."] if times else []
        lines = [f"It happened {times} times."] if times > len(self.problems) else []
        if over := [problem for problem in self.problems if problem.over_at]:
            of_some = ", ".join(ranges(problem.month for problem in over)) or f"{len(over)} of them"
            lines.append("It is over by now." if self.all_over else f"It is over by now for {of_some}.")
        return lines

    def _what_it_said(self) -> list[str]:
        latest = max(self.problems, key=lambda problem: problem.last_at)
        if not latest.said:
            return []
        return [f"{latest.month} {latest.asset}: {latest.said}".strip() if len(self.problems) > 1 else latest.said]

    def _readers(self) -> list[str]:
        return [
            *self._see("Readers still see the version published before", _is_earlier),
            *self._see("Readers see the version that this run published", _is_of_run),
            *self._see("Readers see a published version", _is_mended),
            *self._see("Readers see nothing", _is_nothing),
        ]

    def _see(self, what: str, holds: Callable[[Problem, Seen], bool]) -> list[str]:
        """``what`` of those problems for which it ``holds``."""
        seen = [
            (problem, seen)
            for problem in self.problems
            if (seen := self._seen[problem.key]) is not None and holds(problem, seen)
        ]
        if not seen:
            return []
        months = ", ".join(ranges(problem.month for problem, _ in seen))
        assets = sorted({problem.asset for problem, _ in seen})
        of_assets = (
            "" if len(assets) == len({problem.asset for problem in self.problems}) else f" ({', '.join(assets)})"
        )
        versions = {one.version for _, one in seen}
        if len(versions) == 1 and (version := versions.pop()):
            return [f"{what}{of_assets}: {version}."]
        return [f"{what} of {months}{of_assets}."]


def _is_earlier(problem: Problem, seen: Seen) -> bool:
    return bool(seen.version) and not seen.is_of_run and not problem.over_at


def _is_of_run(problem: Problem, seen: Seen) -> bool:
    return seen.is_of_run and not problem.over_at


def _is_mended(problem: Problem, seen: Seen) -> bool:
    return bool(seen.version) and bool(problem.over_at)


def _is_nothing(_: Problem, seen: Seen) -> bool:
    return not seen.version


def _by_cause(problems: Sequence[Problem]) -> list[list[Problem]]:
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.kind, problem.cause), []).append(problem)
    return list(groups.values())


def _severity(notice: Notice) -> str:
    if notice.kind is Kind.RECOVERY:
        return INFO
    return ERROR if any(problem.severity == ERROR for problem in notice.problems) else WARN


def _title(notice: Notice) -> str:
    """What is most telling first: SNS shows 100 characters."""
    if notice.kind is Kind.RUN_FAILURE:
        count = len({problem.run_id or problem.key for problem in notice.problems})
    elif notice.kind is Kind.STALE_DATA:
        count = len({problem.asset for problem in notice.problems})
    else:
        count = len(notice.problems)
    months = ranges(problem.month for problem in notice.problems)
    more = len(months) - _RANGES_IN_TITLE
    shown = [*months[:_RANGES_IN_TITLE], *([f"{more} more"] if more > 0 else [])]
    causes = sorted({problem.cause for problem in notice.problems})
    cause = f": {causes[0]}" if len(causes) == 1 else ""
    return f"{count} {_ONE_AND_MANY[notice.kind][count != 1]}" + (f", {', '.join(shown)}" if shown else "") + cause


def _as_json(problem: Problem, seen: Seen | None, run_url: Callable[[str], str]) -> dict[str, Any]:
    return {
        "kind": problem.kind,
        "severity": problem.severity,
        "month": problem.month,
        "asset": problem.asset,
        "cause": problem.cause,
        "times": problem.untold,
        "last_at": problem.last_at,
        "over_at": problem.over_at,
        "said": problem.said,
        "next_step": problem.next_step,
        "run": run_url(problem.run_id) if problem.run_id else "",
        "readers_see": seen.version if seen else None,
    }
