"""What is wrong, what people were told of it, and what they are to be told now.

Belongs here: the rules of alerting, as data in and data out: no event log, no lake, no notifier, no clock of its own.
Does not: where the news comes from (``event_log``, ``overdue``), or how it is worded (``wording``).

A problem is a month, an asset and a cause. People hear of it at most once a day, and once a day of its end; what
happens again in between is counted and told the day after. All that is due of one kind goes into one message, and the
next message of that kind waits (``GAP``), so that a backfill that fails a thousand times makes a handful. A problem
stays untold until somebody says that it was told (``told``): what is not delivered is due again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from enum import Enum
from typing import Any

from pydantic import TypeAdapter

GAP = timedelta(hours=2)
"""A message of a kind comes no sooner than this after the one before."""
DIGEST_AT = time(13, tzinfo=timezone.utc)
"""Morning in New York."""
_TEXT = 400
"""Characters kept of what a problem says: the state of a thousand problems is then a megabyte at most."""


class Kind(str, Enum):
    """What people are told of; in this order, if there is more than one."""

    RUN_FAILURE = "run_failure"
    FAILED_CHECK = "failed_check"
    QUARANTINE_JUMP = "quarantine_jump"
    STALE_DATA = "stale_data"
    SOURCE_UNREACHABLE = "source_unreachable"
    WARNING = "warning"
    RECOVERY = "recovery"


ERROR, WARN, INFO = "ERROR", "WARN", "INFO"


@dataclass
class Problem:
    """Something that went wrong, as of the last time that it happened; days and times are UTC.

    ``month`` is empty if it is of none. ``ends_when_published``: the next materialization of the asset's month is the
    end of it; otherwise only a ``Cleared`` of the same cause is. ``event`` is the id in Dagster's log of the first
    event, the end included, that people have not been told of; 0 if it is not from there, or if they know all.

    What comes after ``event`` is kept by ``Problems``: how often it happened since people were last told, since when
    there is something to tell, on which days they were told of the problem and of its end, and when that was.
    """

    kind: Kind
    month: str
    asset: str
    cause: str
    last_at: datetime
    severity: str = ERROR
    said: str = ""
    next_step: str = ""
    run_id: str = ""
    ends_when_published: bool = False
    event: int = 0
    untold: int = 0
    untold_since: datetime | None = None
    told_on: date | None = None
    over_at: datetime | None = None
    over_told_on: date | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same problem as another."""
        return (self.kind.value, self.month, self.asset, self.cause)


@dataclass(frozen=True)
class Cleared:
    """Something is right again: ``cause``, or, if that is empty, what kept the asset's month from being published."""

    month: str
    asset: str
    at: datetime
    cause: str = ""
    event: int = 0


@dataclass
class Problems:
    """All that is wrong, or was until people are told so.

    ``read_to`` is the last event of the log taken in; ``looked_at`` is the sensor's to set: when it last looked for
    months that are overdue. ``last_sent`` is when the last message of each kind was delivered.
    """

    read_to: int = -1
    looked_at: datetime | None = None
    last_sent: dict[Kind, datetime] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def delivered_to(self) -> int:
        """The event up to which nothing is left to be told."""
        return min([self.read_to, *(problem.event - 1 for problem in self.problems if problem.event)])

    @property
    def open(self) -> list[Problem]:
        """The problems that have no end yet."""
        return [problem for problem in self.problems if not problem.over_at]

    def take_in(self, news: Iterable[Problem | Cleared]) -> None:
        """Note what happened, in the order in which it did."""
        known: dict[tuple[str, str], dict[tuple[str, str, str, str], Problem]] = defaultdict(dict)
        for problem in self.problems:
            known[problem.month, problem.asset][problem.key] = problem
        for one in news:
            of_asset = known[one.month, one.asset]
            if isinstance(one, Problem):
                of_asset[one.key] = _happened(one, before=of_asset.get(one.key, one))
            else:
                for problem in of_asset.values():
                    if problem.cause == one.cause if one.cause else problem.ends_when_published:
                        _end(problem, one)
        self.problems = [problem for of_asset in known.values() for problem in of_asset.values()]

    def take_in_condition(self, kind: Kind, cause: str, now: datetime, are_so: Sequence[Problem]) -> None:
        """Note what is so now, where no event tells of it: ``are_so`` are all of this kind and cause."""
        known = {problem.key: problem for problem in self.open if (problem.kind, problem.cause) == (kind, cause)}
        ended = known.keys() - {problem.key for problem in are_so}
        self.take_in(problem for problem in are_so if problem.key not in known)
        self.take_in(Cleared(known[key].month, known[key].asset, now, cause) for key in ended)

    def due(self, now: datetime) -> dict[Kind, list[Problem]]:
        """What is to be sent now: a message of each of these kinds, of these problems."""
        found: dict[Kind, list[Problem]] = {kind: [] for kind in Kind}
        for problem in sorted(self.problems, key=lambda problem: (problem.cause, problem.month, problem.asset)):
            told_on = problem.over_told_on if _is_known_and_over(problem) else problem.told_on
            if problem.untold_since and told_on != _day(now):
                is_recovery = _is_known_and_over(problem) and problem.kind is not Kind.WARNING
                found[Kind.RECOVERY if is_recovery else problem.kind].append(problem)
        return {kind: problems for kind, problems in found.items() if problems and self._may_send(kind, problems, now)}

    def told(self, kind: Kind, problems: Iterable[Problem], now: datetime) -> None:
        """A message of that kind about these problems was delivered."""
        self.last_sent[kind] = now
        for problem in problems:
            if not _is_known_and_over(problem):  # news of its end says nothing that would be said twice
                problem.told_on = _day(now)
            if problem.over_at:
                problem.over_told_on = _day(now)
            problem.untold, problem.untold_since, problem.event = 0, None, 0
            problem.said = problem.next_step = ""

    def forget_settled(self, now: datetime) -> None:
        """Drop the problems whose end people know, once the day is over on which they are not to be told again."""
        self.problems = [
            problem
            for problem in self.problems
            if not problem.over_at or problem.untold_since or _day(now) in (problem.told_on, problem.over_told_on)
        ]

    def as_json(self) -> dict[str, Any]:
        """The state as JSON types."""
        kept: dict[str, Any] = _JSON.dump_python(self, mode="json", exclude_defaults=True)
        return kept

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Problems:
        """The state that ``as_json`` gave, perhaps under another version of this code; ValueError if it is no state."""
        return _JSON.validate_python(given)

    def _may_send(self, kind: Kind, problems: Sequence[Problem], now: datetime) -> bool:
        last = self.last_sent.get(kind)
        if kind is not Kind.WARNING:
            return last is None or now - last >= GAP
        # Once a day at DIGEST_AT, or as soon after it as can be, if there was something to tell by then.
        bell = datetime.combine(_day(now), DIGEST_AT)
        if bell > now:
            bell -= timedelta(days=1)
        # By days: after a digest that was late, in the night, the one of that day is left out.
        waits = [problem.untold_since for problem in problems if problem.untold_since]
        return (last is None or _day(last) < _day(bell)) and min(waits) < bell


_JSON = TypeAdapter(Problems)


def _happened(problem: Problem, before: Problem) -> Problem:
    """A problem that happened now, with what is kept of the times ``before``: itself, if this is the first time."""
    return replace(
        problem,
        said=_cut(problem.said),
        next_step=_cut(problem.next_step),
        event=before.event or problem.event,
        untold=before.untold + 1,
        untold_since=before.untold_since or problem.last_at,
        told_on=before.told_on,
        over_told_on=before.over_told_on,
    )


def _end(problem: Problem, cleared: Cleared) -> None:
    if not problem.over_at:
        problem.over_at = cleared.at
        problem.untold_since = problem.untold_since or cleared.at
        problem.event = problem.event or cleared.event


def _is_known_and_over(problem: Problem) -> bool:
    return problem.over_at is not None and problem.told_on is not None


def _day(at: datetime) -> date:
    return at.astimezone(timezone.utc).date()


def _cut(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _TEXT else f"{plain[: _TEXT - 1]}…"
