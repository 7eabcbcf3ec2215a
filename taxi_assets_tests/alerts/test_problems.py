"""The rules of alerting, on data alone: time is what the tests say it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_assets.alerts.problems import ERROR, GAP, WARN, Cleared, Kind, Problem, Problems

START = datetime(2024, 6, 3, 8, tzinfo=timezone.utc)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Story:
    """Problems, a clock, and a notifier that takes everything while it is up."""

    def __init__(self) -> None:
        self.now = START
        self.problems = Problems()
        self.sent: list[tuple[datetime, Kind, list[tuple[str, str, str]], list[bool]]] = []
        self.is_up = True

    def fails(
        self, month: str = "2024-02", cause: str = "adds_up", kind: Kind = Kind.FAILED_CHECK, blocking: bool = False
    ) -> None:
        severity = WARN if kind is Kind.WARNING else ERROR
        event = self._next()
        self._take(Problem(kind, month, "staging/trips", cause, self.now, severity, "so", "do", "r1", blocking, event))

    def passes(self, month: str = "2024-02", cause: str = "adds_up") -> None:
        self._take(Cleared(month, "staging/trips", self.now, cause, self._next()))

    def is_published(self, month: str = "2024-02") -> None:
        self._take(Cleared(month, "staging/trips", self.now, event=self._next()))

    def tick(self, later: timedelta = MINUTE) -> list[Kind]:
        """What is due ``later``. The state is written and read back in between, unless it is much."""
        self.now += later
        if len(self.problems.open) < 20:
            self.problems = Problems.from_json(json.loads(json.dumps(self.problems.as_json())))
        self.problems.forget_settled(self.now)
        due = self.problems.due(self.now)
        for kind, problems in due.items() if self.is_up else ():
            self.sent.append(
                (
                    self.now,
                    kind,
                    [(problem.month, problem.asset, problem.cause) for problem in problems],
                    [bool(problem.over_at) for problem in problems],
                )
            )
            self.problems.told(kind, problems, self.now)
        return list(due)

    def ticks(self, lasting: timedelta, each: timedelta = 10 * MINUTE) -> list[Kind]:
        """All that is sent within a time."""
        before, end = len(self.sent), self.now + lasting
        while self.now < end:
            self.tick(each)
        return [kind for _, kind, _, _ in self.sent[before:]]

    def _next(self) -> int:
        return max(self.problems.read_to, 0) + 1  # Dagster's first id is 1

    def _take(self, news: Problem | Cleared) -> None:
        self.problems.take_in([news])
        self.problems.read_to = news.event


def test_a_failed_check_is_told_at_the_next_tick_and_not_again() -> None:
    story = Story()
    story.fails()
    assert story.tick() == [Kind.FAILED_CHECK]
    assert story.ticks(3 * DAY) == []


def test_its_end_is_told_once() -> None:
    story = Story()
    story.fails()
    story.tick()
    story.passes()
    assert story.tick() == [Kind.RECOVERY]
    story.passes()
    assert story.ticks(3 * DAY) == []
    assert story.problems.problems == []


def test_what_fails_again_on_the_day_of_its_end_is_told_that_day() -> None:
    story = Story()
    story.fails()
    story.tick()
    story.passes()
    story.now += DAY
    assert story.tick() == [Kind.RECOVERY]
    story.fails()
    assert story.tick() == [Kind.FAILED_CHECK]
    assert story.sent[-1][0].date() == START.date() + DAY


def test_what_passes_without_having_failed_is_no_news() -> None:
    story = Story()
    story.passes()
    story.is_published()
    assert story.ticks(2 * DAY) == []


def test_what_fails_again_on_the_same_day_is_told_the_day_after() -> None:
    story = Story()
    story.fails()
    story.tick()
    for _ in range(3):
        story.now += HOUR
        story.fails()
        assert story.tick() == []
    sent = story.ticks(DAY)
    assert sent == [Kind.FAILED_CHECK]
    assert story.sent[-1][0].date() == START.date() + DAY


def test_what_failed_and_is_over_before_anybody_heard_is_told_once_as_over() -> None:
    story = Story()
    story.fails()
    story.passes()
    assert story.tick() == [Kind.FAILED_CHECK]
    assert story.sent[-1][3] == [True]
    assert story.ticks(3 * DAY) == []


def test_what_fails_and_passes_all_day_makes_one_message_and_one_of_its_end_a_day() -> None:
    story = Story()
    for _ in range(10):
        story.fails()
        story.tick(20 * MINUTE)
        story.passes()
        story.tick(20 * MINUTE)
    assert [kind for _, kind, _, _ in story.sent] == [Kind.FAILED_CHECK, Kind.RECOVERY]
    # What happened since is told too, the day after.
    assert story.ticks(DAY) == [Kind.RECOVERY]
    assert story.ticks(3 * DAY) == []


def test_what_is_published_ends_failed_runs_and_blocking_checks_and_no_others() -> None:
    story = Story()
    story.fails(cause="stage_trips: memory", kind=Kind.RUN_FAILURE, blocking=True)
    story.fails(cause="adds_up", blocking=True)
    story.fails(cause="shows_only")
    story.fails(month="2024-03", cause="adds_up", blocking=True)
    story.tick()
    story.is_published()
    assert [(problem.month, problem.cause) for problem in story.problems.open] == [
        ("2024-02", "shows_only"),
        ("2024-03", "adds_up"),
    ]


def test_all_that_is_due_of_one_kind_is_one_message() -> None:
    story = Story()
    for number in range(1_000):
        story.fails(month=f"{2011 + number % 100 // 12}-{number % 12 + 1:02}", cause=f"check_{number % 300}")
    assert story.tick() == [Kind.FAILED_CHECK]
    assert len(story.sent[0][2]) == len(set(story.sent[0][2]))
    assert story.ticks(DAY - HOUR) == []


def test_a_backfill_that_fails_for_hours_makes_a_handful_and_none_of_it_is_lost() -> None:
    story = Story()
    for number in range(1_000):
        story.fails(month=f"{1940 + number // 12}-{number % 12 + 1:02}")
        story.tick(20 * timedelta(seconds=1))
    in_time = len(story.sent)
    story.ticks(DAY)
    assert in_time <= 5
    assert len({one for _, _, problems, _ in story.sent for one in problems}) == 1_000
    assert sum(len(problems) for _, _, problems, _ in story.sent) == 1_000


def test_messages_of_a_kind_are_hours_apart() -> None:
    story = Story()
    for number in range(12 * 24):
        story.fails(month=str(number))
        story.tick(5 * MINUTE)
    sent = [at for at, _, _, _ in story.sent]
    assert {later - earlier for earlier, later in pairwise(sent)} == {GAP}


def test_one_kind_does_not_make_another_wait() -> None:
    story = Story()
    story.fails()
    story.tick()
    story.fails(cause="stage_trips: memory", kind=Kind.RUN_FAILURE)
    story.fails(cause="is_small", kind=Kind.QUARANTINE_JUMP)
    assert story.tick() == [Kind.RUN_FAILURE, Kind.QUARANTINE_JUMP]


def test_warnings_wait_for_the_morning_and_are_one_digest_a_day() -> None:
    story = Story()
    story.fails(cause="volume_is_usual", kind=Kind.WARNING)
    story.fails(cause="zones_are_known", kind=Kind.WARNING)
    assert story.tick() == []
    assert story.ticks(4 * HOUR) == []
    assert story.ticks(HOUR) == [Kind.WARNING]
    assert story.sent[-1][0].hour == 13
    story.fails(month="2024-03", cause="volume_is_usual", kind=Kind.WARNING)
    assert story.ticks(23 * HOUR) == []
    assert story.ticks(HOUR) == [Kind.WARNING]
    assert story.sent[-1][2] == [("2024-03", "staging/trips", "volume_is_usual")]


def test_a_digest_that_is_late_is_the_one_of_its_day() -> None:
    story = Story()
    story.fails(cause="volume_is_usual", kind=Kind.WARNING)
    assert story.tick(20 * HOUR) == [Kind.WARNING]  # at four in the morning
    story.passes(cause="volume_is_usual")
    assert story.ticks(DAY) == []
    assert story.ticks(DAY) == [Kind.WARNING]
    assert story.sent[-1][0].hour == 13


@pytest.mark.parametrize("afterwards", ["it warns again", "it passes"])
def test_a_warning_of_before_the_digest_is_in_it_whatever_comes_in_between(afterwards: str) -> None:
    story = Story()
    story.now = START.replace(hour=12, minute=59)
    story.fails(cause="volume_is_usual", kind=Kind.WARNING)
    story.now = START.replace(hour=13, minute=1)
    if afterwards == "it passes":
        story.passes(cause="volume_is_usual")
    else:
        story.fails(cause="volume_is_usual", kind=Kind.WARNING)
    assert story.tick() == [Kind.WARNING]


def test_the_end_of_a_warning_is_in_the_digest_too() -> None:
    story = Story()
    story.fails(cause="volume_is_usual", kind=Kind.WARNING)
    story.ticks(DAY)
    story.passes(cause="volume_is_usual")
    story.fails(cause="zones_are_known", kind=Kind.WARNING)
    assert story.ticks(DAY) == [Kind.WARNING]
    assert story.sent[-1][2:] == (
        [("2024-02", "staging/trips", "volume_is_usual"), ("2024-02", "staging/trips", "zones_are_known")],
        [True, False],
    )
    assert story.ticks(3 * DAY) == []


def test_what_is_not_delivered_is_due_until_it_is() -> None:
    story = Story()
    story.is_up = False
    story.fails()
    for _ in range(60):
        assert story.tick() == [Kind.FAILED_CHECK]
    story.fails(month="2024-03")
    assert story.problems.delivered_to == 0
    story.is_up = True
    assert story.tick() == [Kind.FAILED_CHECK]
    assert [month for month, _, _ in story.sent[-1][2]] == ["2024-02", "2024-03"]
    assert story.ticks(3 * DAY) == []
    assert story.problems.delivered_to == story.problems.read_to == 2


def test_the_cursor_stays_before_the_first_event_that_is_not_told() -> None:
    story = Story()
    story.fails()
    story.tick()
    story.passes()
    assert story.problems.delivered_to == 1
    story.tick()
    story.fails(cause="volume_is_usual", kind=Kind.WARNING)
    story.passes()
    assert (story.problems.delivered_to, story.problems.read_to) == (2, 4)
    story.fails(cause="volume_is_usual", kind=Kind.WARNING)
    assert (story.problems.delivered_to, story.problems.read_to) == (2, 5)


def test_a_condition_is_told_when_it_begins_and_when_it_ends() -> None:
    story = Story()

    def so(month: str) -> Problem:
        return Problem(Kind.STALE_DATA, month, "staging/trips", "overdue", story.now, WARN, "so", "do")

    def look(*months: str) -> None:
        story.problems.take_in_condition(Kind.STALE_DATA, "overdue", story.now, [so(month) for month in months])

    look("2024-02")
    assert story.tick() == [Kind.STALE_DATA]
    look("2024-02")
    assert story.ticks(DAY) == []
    look("2024-02", "2024-03")
    assert story.tick() == [Kind.STALE_DATA]
    assert [month for month, _, _ in story.sent[-1][2]] == ["2024-03"]
    look()
    assert story.tick() == [Kind.RECOVERY]
    assert len(story.sent[-1][2]) == 2


def test_the_state_of_an_earlier_version_of_the_code_can_be_read() -> None:
    story = Story()
    story.fails()
    kept = story.problems.as_json()
    kept["problems"][0]["of_another_time"] = 1
    assert list(Problems.from_json(kept).due(START)) == [Kind.FAILED_CHECK]


def test_a_state_whose_messages_were_counted_is_read_as_what_is_open_and_what_was_told() -> None:
    at = START.isoformat()
    common = {"kind": "failed_check", "asset": "staging/trips", "cause": "adds_up", "run_id": "r1", "last_at": at}
    problems = Problems.from_json(
        {
            "read_to": 2,
            "looked_at": at,
            "sent": {"failed_check": [at, 1]},
            "problems": [
                {**common, "month": "2024-02", "ends_when_published": True, "told_on": "2024-06-03"},
                {**common, "month": "2024-03", "said": "so", "untold": 1, "first_untold": 2, "untold_since": at},
            ],
        }
    )
    problems.take_in([Cleared("2024-02", "staging/trips", START)])
    due = problems.due(START + MINUTE)
    assert {kind: [problem.month for problem in of_kind] for kind, of_kind in due.items()} == {
        Kind.FAILED_CHECK: ["2024-03"],
        Kind.RECOVERY: ["2024-02"],
    }


_KEYS = st.tuples(
    st.sampled_from(["2024-01", "2024-02"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from([Kind.RUN_FAILURE, Kind.FAILED_CHECK, Kind.WARNING]),
)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fails"), _KEYS),
        st.tuples(st.just("passes"), _KEYS),
        st.tuples(st.just("is_published"), _KEYS),
        st.tuples(st.just("wait"), st.sampled_from([MINUTE, HOUR, 7 * HOUR, DAY])),
        st.tuples(st.just("notifier"), st.booleans()),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(_STEPS)
def test_whatever_happens_all_is_told_none_of_it_twice_a_day_and_few_messages_are_sent(
    steps: Sequence[tuple[str, object]],
) -> None:
    story = Story()
    failed = set()
    broken: dict[tuple[str, str, str], bool] = {}
    for what, arguments in steps:
        if what == "notifier":
            story.is_up = bool(arguments)
        elif isinstance(arguments, timedelta):
            story.tick(arguments)
        elif isinstance(arguments, tuple):
            month, cause, kind = arguments
            cause = f"{kind.value} {cause}"
            one = (month, "staging/trips", cause)
            if what == "fails":
                story.fails(month, cause, kind, blocking=kind is Kind.RUN_FAILURE)
                failed.add(one)
                broken[one] = True
            elif what == "passes":
                story.passes(month, cause)
                broken |= {one: False} if one in broken else {}
            else:
                story.is_published(month)
                broken |= {key: False for key in broken if key[0] == month and key[2].startswith("run_failure")}
    story.is_up = True
    story.ticks(3 * DAY, each=3 * HOUR)
    told = {one for _, _, problems, _ in story.sent for one in problems}
    assert told == failed
    # What people heard last of a problem is how it is.
    for one, is_broken in broken.items():
        last = next(over[problems.index(one)] for _, _, problems, over in reversed(story.sent) if one in problems)
        assert last is not is_broken
    assert {(problem.month, problem.asset, problem.cause) for problem in story.problems.open} == {
        one for one, is_broken in broken.items() if is_broken
    }
    assert story.problems.delivered_to == story.problems.read_to
    daily = Counter((at.date(), kind is Kind.RECOVERY, one) for at, kind, problems, _ in story.sent for one in problems)
    assert all(count == 1 for count in daily.values())
    by_kind = Counter((at.date(), kind) for at, kind, _, _ in story.sent)
    assert all(count <= 8 for count in by_kind.values())


def test_what_is_due_has_its_words() -> None:
    story = Story()
    story.fails()
    ((problem,),) = story.problems.due(story.now).values()
    assert problem.said == "so"
    assert problem.next_step == "do"
