from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from glue_jobs.contracts.months import ranges
from taxi_assets.alerts.notify import Message
from taxi_assets.alerts.problems import ERROR, WARN, Kind, Problem
from taxi_assets.alerts.wording import IN_DETAIL, Live, message_of

NOW = datetime(2024, 6, 3, 8, tzinfo=timezone.utc)


def problem(month: str = "2024-02", cause: str = "adds_up", over: bool = False, times: int = 1) -> Problem:
    return Problem(
        Kind.FAILED_CHECK,
        month,
        "staging/trips",
        cause,
        last_at=NOW - timedelta(hours=1) + timedelta(minutes=int(month[-2:])),
        said=f"found {month}",
        next_step="mend it",
        run_id="r1",
        untold=times,
        over_at=NOW if over else None,
    )


def tell(*problems: Problem, kind: Kind = Kind.FAILED_CHECK, seen: Live | None = None) -> Message:
    return message_of(kind, problems, NOW, lambda _: seen, lambda run: f"https://ui/runs/{run}")


@pytest.mark.parametrize(
    ("months", "said"),
    [
        (["2024-02"], ["2024-02"]),
        (["2024-01", "2023-12", "2023-11", "2024-01"], ["2023-11 to 2024-01"]),
        (["2024-01", "2024-03", "2024-04", ""], ["2024-01", "2024-03 to 2024-04"]),
        (["all", "2024-01"], ["2024-01", "all"]),
        ([], []),
    ],
)
def test_months_in_a_row_are_a_range(months: list[str], said: list[str]) -> None:
    assert ranges(months) == said


def test_many_months_of_one_cause_are_one_entry_with_the_latest_as_an_example() -> None:
    message = tell(*(problem(f"2024-{number:02}") for number in range(1, 13)), seen=Live("v0"))
    assert message.title == "12 failed checks, 2024-01 to 2024-12: adds_up"
    assert message.text == (
        "1. adds_up: staging/trips; 2024-01 to 2024-12\n"
        "   2024-12 staging/trips: found 2024-12\n"
        "   Readers still see the version published before: v0.\n"
        "   Run: https://ui/runs/r1\n"
        "   Next step: mend it"
    )


def test_of_many_causes_the_widest_are_told_at_length_and_each_other_in_a_line() -> None:
    few = [problem(cause=f"check_{number:02}") for number in range(IN_DETAIL + 5)]
    message = tell(*few, problem(cause="wide"), problem("2024-03", cause="wide"))
    assert message.text.startswith("1. wide: staging/trips; 2024-02 to 2024-03")
    assert message.text.count("Next step") == IN_DETAIL
    assert all(f"check_{number:02}" in message.text for number in range(IN_DETAIL + 5))
    assert len(message.problems) == len(few) + 2


def test_what_is_over_by_now_is_said_so_and_what_is_not_comes_first() -> None:
    message = tell(problem(cause="a", over=True), problem(cause="b"), problem("2024-03", cause="b", over=True))
    assert message.text.index("b: staging/trips") < message.text.index("a: staging/trips")
    assert "It is over by now for 2024-03." in message.text
    assert "It is over by now.\n" in message.text


def test_what_happened_again_is_counted() -> None:
    assert "It happened 4 times." in tell(problem(times=3), problem("2024-03")).text
    over = tell(problem(times=2, over=True), kind=Kind.RECOVERY, seen=Live("v1"))
    assert "Before that it happened again, 2 times." in over.text
    assert "Readers see a published version: v1." in over.text
    assert "Next step" not in over.text


def test_a_message_is_as_severe_as_its_worst_problem() -> None:
    mild = Problem(Kind.QUARANTINE_JUMP, "2024-02", "staging/quarantine", "reject_rates_are_usual", NOW, WARN)
    assert tell(mild, kind=Kind.QUARANTINE_JUMP).severity == WARN
    assert tell(mild, problem(), kind=Kind.QUARANTINE_JUMP).severity == ERROR
    assert tell(problem(over=True), kind=Kind.RECOVERY).severity == "INFO"


def test_a_title_names_two_ranges_of_months_at_most() -> None:
    message = tell(*(problem(f"20{number}-02") for number in range(11, 25)))
    assert message.title == "14 failed checks, 2011-02, 2012-02, 12 more: adds_up"


def test_a_problem_of_no_run_has_published_nothing() -> None:
    of_no_run = replace(problem(), run_id="")
    assert "Readers still see the version published before: v0." in tell(of_no_run, seen=Live("v0")).text
    assert "Readers see the version that this run published: v0." in tell(problem(), seen=Live("v0", "r1")).text
