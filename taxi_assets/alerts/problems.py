"""What is wrong, what people were told of it, and what they are to be told now.

Belongs here: the rules of alerting, as data in and data out: no event log, no lake, no notifier, no clock of its own.
Does not: where the news comes from (``event_log``, ``overdue``), or how it is worded (``wording``).

A problem is a month, an asset and a cause. People hear of it at most once a day, and once a day of its end; what
happens again in between is counted and told the day after. All that is due of one kind goes into one message, and each
further message of a kind waits longer, so that a backfill that fails a thousand times makes a handful. A problem stays
untold until somebody says that it was told (``told``): what is not delivered is due again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, time, timedelta, timezone
from enum import Enum
from typing import Any

GAPS = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=4))
"""How long the second, third and each further message of a kind on one day waits after the one before."""
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


@dataclass(frozen=True)
class Trouble:
    """Something went wrong. ``storage_id`` is the event's in Dagster's log, 0 if it is not from there.

    ``month`` is empty if it is of none. ``ends_when_published``: the next materialization of the asset's month is the
    end of it; otherwise only a ``Cleared`` of the same cause is.
    """

    storage_id: int
    at: datetime
    kind: Kind
    severity: str
    month: str
    asset: str
    cause: str
    said: str
    next_step: str
    run_id: str = ""
    ends_when_published: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same problem as another."""
        return (self.kind.value, self.month, self.asset, self.cause)


@dataclass(frozen=True)
class Cleared:
    """Something is right again: ``cause``, or, if that is empty, what kept the asset's month from being published."""

    storage_id: int
    at: datetime
    month: str
    asset: str
    cause: str = ""


@dataclass
class Problem:
    """A problem and what is known of it; days and times are UTC in ISO 8601, empty if there is none.

    ``untold`` counts how often it happened since people were last told; ``first_untold`` is the event of the first of
    these. ``over_at`` is its end, ``over_told`` whether people know.
    """

    kind: str
    month: str
    asset: str
    cause: str
    severity: str = ERROR
    said: str = ""
    next_step: str = ""
    run_id: str = ""
    ends_when_published: bool = False
    untold: int = 0
    first_untold: int = 0
    untold_since: str = ""
    last_at: str = ""
    told_on: str = ""
    over_at: str = ""
    over_event: int = 0
    over_told: bool = False
    over_told_on: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """As ``Trouble.key``."""
        return (self.kind, self.month, self.asset, self.cause)


@dataclass(frozen=True)
class Notice:
    """One message that is due, and the problems that it is to tell of."""

    kind: Kind
    problems: Sequence[Problem]


@dataclass
class _Sent:
    """How many messages of a kind were sent on the day of the last one, and when that was."""

    at: datetime
    count: int


class Problems:
    """All that is wrong, or was until people are told so. ``read_to`` is the last event of the log taken in."""

    def __init__(self, read_to: int = -1) -> None:
        self.read_to = read_to
        self.looked_at: datetime | None = None
        """When the conditions, which no event tells of, were last looked at; the sensor's to set."""
        self._problems: dict[tuple[str, str, str, str], Problem] = {}
        self._of_asset: dict[tuple[str, str], set[tuple[str, str, str, str]]] = {}
        self._sent: dict[str, _Sent] = {}

    @property
    def delivered_to(self) -> int:
        """The event up to which nothing is left to be told."""
        waiting = [
            number
            for problem in self._problems.values()
            for number, waits in (
                (problem.first_untold, problem.untold),
                (problem.over_event, problem.over_at and not problem.over_told),
            )
            if waits and number
        ]
        return min([self.read_to, *(number - 1 for number in waiting)])

    @property
    def open(self) -> list[Problem]:
        """The problems that have no end yet."""
        return [problem for problem in self._problems.values() if not problem.over_at]

    def take_in(self, news: Iterable[Trouble | Cleared]) -> None:
        """Note what happened, in the order in which it did."""
        for one in news:
            if isinstance(one, Trouble):
                self._add(one)
            else:
                for key in self._of_asset.get((one.month, one.asset), ()):
                    problem = self._problems[key]
                    if problem.cause == one.cause if one.cause else problem.ends_when_published:
                        _end(problem, one.at, one.storage_id)

    def take_in_condition(self, kind: Kind, cause: str, now: datetime, troubles: Sequence[Trouble]) -> None:
        """Note what is so now, where no event tells of it: ``troubles`` are all of this kind and cause."""
        are_so = {trouble.key for trouble in troubles}
        are_open = {problem.key for problem in self.open if (problem.kind, problem.cause) == (kind.value, cause)}
        self.take_in(trouble for trouble in troubles if trouble.key not in are_open)
        for key in are_open - are_so:
            _end(self._problems[key], now, 0)

    def due(self, now: datetime) -> list[Notice]:
        """The messages that are to be sent now, at most one of each kind."""
        today = now.astimezone(timezone.utc).date().isoformat()
        found: dict[Kind, list[Problem]] = {kind: [] for kind in Kind}
        for problem in self._problems.values():
            if _has_end_to_tell(problem) and problem.told_on:
                if problem.over_told_on != today:
                    found[Kind.WARNING if problem.kind == Kind.WARNING else Kind.RECOVERY].append(problem)
            elif problem.untold and problem.told_on != today:
                found[Kind(problem.kind)].append(problem)
        return [
            Notice(kind, sorted(problems, key=lambda problem: (problem.cause, problem.month, problem.asset)))
            for kind, problems in found.items()
            if problems and (self._digest_is_due(problems, now) if kind is Kind.WARNING else self._may_send(kind, now))
        ]

    def told(self, notice: Notice, now: datetime) -> None:
        """A message was delivered: its problems are told, and those that are over and done with are forgotten."""
        now = now.astimezone(timezone.utc)
        today = now.date().isoformat()
        for problem in notice.problems:
            is_over = bool(problem.over_at)
            if not (is_over and problem.told_on):  # news of its end says nothing that would be said twice
                problem.told_on = today
            if is_over:
                problem.over_told, problem.over_told_on = True, today
            problem.untold, problem.first_untold, problem.untold_since = 0, 0, ""
            problem.said = problem.next_step = ""
        sent = self._sent.get(notice.kind.value)
        again = sent is not None and sent.at.date() == now.date()
        self._sent[notice.kind.value] = _Sent(now, sent.count + 1 if sent and again else 1)

    def forget_settled(self, now: datetime) -> None:
        """Drop the problems whose end people know, once the day is over on which they are not to be told again."""
        today = now.astimezone(timezone.utc).date().isoformat()
        for key, problem in list(self._problems.items()):
            settled = problem.over_at and problem.over_told and not problem.untold
            if settled and today not in (problem.told_on, problem.over_told_on):
                del self._problems[key]
                self._of_asset[problem.month, problem.asset].discard(key)

    def as_json(self) -> dict[str, Any]:
        """The state as JSON types."""
        return {
            "read_to": self.read_to,
            "looked_at": self.looked_at.isoformat() if self.looked_at else "",
            "sent": {kind: [sent.at.isoformat(), sent.count] for kind, sent in self._sent.items()},
            "problems": [
                {name: value for name, value in vars(problem).items() if value != _DEFAULTS.get(name)}
                for problem in self._problems.values()
            ],
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Problems:
        """The state that ``as_json`` gave, perhaps under an earlier version of this code."""
        state = cls(given["read_to"])
        state.looked_at = datetime.fromisoformat(given["looked_at"]) if given["looked_at"] else None
        state._sent = {kind: _Sent(datetime.fromisoformat(at), count) for kind, (at, count) in given["sent"].items()}
        for kept in given["problems"]:
            state._put(Problem(**{name: value for name, value in kept.items() if name in _FIELDS}))
        return state

    def _put(self, problem: Problem) -> None:
        self._problems[problem.key] = problem
        self._of_asset.setdefault((problem.month, problem.asset), set()).add(problem.key)

    def _add(self, trouble: Trouble) -> None:
        if trouble.key not in self._problems:
            self._put(Problem(trouble.kind.value, trouble.month, trouble.asset, trouble.cause))
        problem = self._problems[trouble.key]
        if not problem.untold:
            problem.first_untold, problem.untold_since = trouble.storage_id, trouble.at.isoformat()
        problem.untold += 1
        problem.last_at = trouble.at.isoformat()
        problem.severity = trouble.severity
        problem.said, problem.next_step = _cut(trouble.said), _cut(trouble.next_step)
        problem.run_id, problem.ends_when_published = trouble.run_id, trouble.ends_when_published
        problem.over_at, problem.over_event, problem.over_told = "", 0, False

    def _may_send(self, kind: Kind, now: datetime) -> bool:
        sent = self._sent.get(kind.value)
        if sent is None or sent.at.date() != now.astimezone(timezone.utc).date():
            return True
        return now - sent.at >= GAPS[min(sent.count, len(GAPS)) - 1]

    def _digest_is_due(self, problems: Sequence[Problem], now: datetime) -> bool:
        """Once a day at DIGEST_AT, or as soon after it as can be, if there was something to tell by then."""
        today = now.astimezone(timezone.utc).date()
        bell = datetime.combine(today, DIGEST_AT)
        if bell > now:
            bell -= timedelta(days=1)
        sent = self._sent.get(Kind.WARNING.value)
        since = (datetime.fromisoformat(problem.untold_since or problem.over_at) for problem in problems)
        # By days: after a digest that was late, in the night, the one of that day is left out.
        return (sent is None or sent.at.date() < bell.date()) and min(since) < bell


_DEFAULTS = {one.name: one.default for one in fields(Problem)}
_FIELDS = frozenset(_DEFAULTS)


def _end(problem: Problem, at: datetime, storage_id: int) -> None:
    if not problem.over_at:
        problem.over_at, problem.over_event = at.isoformat(), storage_id


def _has_end_to_tell(problem: Problem) -> bool:
    return bool(problem.over_at) and not problem.over_told


def _cut(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _TEXT else f"{plain[: _TEXT - 1]}…"
