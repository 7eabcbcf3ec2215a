from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from glue_jobs.sources import Seen, Sighting
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.sensors.earlier_runs import EarlierRun, Outcome
from taxi_assets.sensors.watch_source.decisions import Decision, MonthState, decide

NOW = datetime(2024, 6, 1, 12, tzinfo=timezone.utc)
URL = "https://example.org/trip-data/yellow_tripdata_2024-02.parquet"
THERE = Sighting(Seen.THERE, URL, "A", 5)
CODE = "code 1"


def landed(tag: str, url: str = URL, hours_ago: float = 24) -> LandedFile:
    at = (NOW - timedelta(hours=hours_ago)).replace(tzinfo=None)
    return LandedFile("2024-02", "nyc_taxi", url, "/f", tag, tag, 5, 1, "{}", "r", at)


def refused(tag: str, hours_ago: float, code: str = CODE) -> LandedFile:
    return replace(landed(tag, hours_ago=hours_ago), refused_because="is_small (1 row)", refused_by=code)


def run(outcome: Outcome, hours_ago: float = 1, attempt: int = 1, content: str = "A", code: str = CODE) -> EarlierRun:
    tags = {"taxi/content": content, "taxi/attempt": str(attempt), "taxi/code": code}
    return EarlierRun("12345678-9", outcome, NOW - timedelta(hours=hours_ago), tags)


def decided(*runs: EarlierRun, ledger: list[LandedFile] | None = None, sighting: Sighting = THERE) -> Decision:
    return decide(sighting, ledger or [], runs, CODE, NOW)


def test_a_month_that_was_never_landed_is_new_and_is_asked_for() -> None:
    assert decided() == Decision(MonthState.NEW, "it was not run yet", True, 1)


def test_a_month_whose_tag_is_the_ledger_s_is_unchanged() -> None:
    assert decided(ledger=[landed("A")]) == Decision(MonthState.UNCHANGED, "landed on 2024-05-31")


def test_a_month_with_another_tag_is_republished_and_is_asked_for() -> None:
    found = decided(run(Outcome.SUCCEEDED, 24, content="B"), ledger=[landed("B")])
    assert (found.state, found.request, found.attempt) == (MonthState.REPUBLISHED, True, 1)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (Seen.NOT_PUBLISHED, MonthState.NOT_PUBLISHED),
        (Seen.THROTTLED, MonthState.THROTTLED),
        (Seen.UNREACHABLE, MonthState.UNREACHABLE),
    ],
)
@pytest.mark.parametrize("ledger", [[], [landed("B")]])
def test_a_month_that_is_not_seen_is_not_asked_for(seen: Seen, state: MonthState, ledger: list[LandedFile]) -> None:
    found = decided(ledger=ledger, sighting=Sighting(seen, URL, why="because"))
    assert (found.state, found.request) == (state, False)
    assert found.why.startswith("because")


def test_a_month_that_was_taken_away_is_said_to_have_been_there() -> None:
    found = decided(ledger=[landed("A")], sighting=Sighting(Seen.NOT_PUBLISHED, URL, why="403"))
    assert found.why == "403; it was there before"


@pytest.mark.parametrize("content", ["A", "B"])
def test_a_run_of_the_month_that_is_on_its_way_is_waited_for(content: str) -> None:
    assert decided(run(Outcome.ACTIVE, content=content)) == Decision(
        MonthState.NEW, "run 12345678 of the month is on its way"
    )


def test_a_file_that_was_only_touched_is_unchanged_once_a_run_has_found_out() -> None:
    found = decided(run(Outcome.SUCCEEDED, 1), ledger=[landed("B", hours_ago=48)])
    assert (found.state, found.request) == (MonthState.UNCHANGED, False)


def test_content_that_comes_back_is_asked_for_again() -> None:
    found = decided(run(Outcome.SUCCEEDED, 72), ledger=[landed("A", hours_ago=72), landed("B", hours_ago=24)])
    assert found == Decision(MonthState.REPUBLISHED, "it has come back", True, 2)


def test_a_file_that_somebody_put_in_its_place_stays_until_the_source_has_something_new() -> None:
    by_hand = landed("H", "s3://lake/raw/inbox/yellow_tripdata_2024-02.parquet", hours_ago=2)
    assert decided(ledger=[landed("A"), by_hand]).state is MonthState.UNCHANGED
    assert decided(run(Outcome.SUCCEEDED, 24), ledger=[landed("A"), by_hand]).state is MonthState.UNCHANGED
    assert decided(ledger=[landed("B"), by_hand]).request


def test_bad_data_is_asked_for_again_only_when_the_code_that_judged_it_has_changed() -> None:
    assert not decided(run(Outcome.REFUSED, 1000)).request
    found = decided(run(Outcome.REFUSED, 0.1, code="code 0"))
    assert (found.request, found.attempt) == (True, 2)


def test_what_somebody_canceled_is_not_asked_for_again() -> None:
    found = decided(run(Outcome.CANCELED, 1000))
    assert not found.request
    assert "canceled by somebody" in found.why


def test_a_run_that_was_never_launched_is_asked_for_under_its_own_number() -> None:
    found = decided(run(Outcome.NOT_LAUNCHED, attempt=2), run(Outcome.FAILED, 30))
    assert (found.request, found.attempt) == (True, 2)


@pytest.mark.parametrize(
    ("failures", "hours"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 24), (8, 24), (60, 24)]
)
def test_after_each_other_failure_the_wait_doubles_up_to_a_day(failures: int, hours: float) -> None:
    def after(hours_ago: float) -> Decision:
        return decided(*(run(Outcome.FAILED, hours_ago, number) for number in range(failures, 0, -1)))

    assert not after(hours - 0.01).request
    assert after(hours).request
    assert after(hours).attempt == failures + 1


def test_the_wait_begins_anew_after_another_end() -> None:
    assert decided(run(Outcome.FAILED, 0.5, 3), run(Outcome.REFUSED, 10, 2), run(Outcome.FAILED, 20, 1)).request


def test_numbers_go_on_after_runs_were_deleted() -> None:
    """Run keys are never used twice, and the number is part of them."""
    assert decided(run(Outcome.FAILED, 30, attempt=7)).attempt == 8


def test_failures_of_another_content_do_not_count() -> None:
    assert decided(run(Outcome.FAILED, 0.1, content="B"), run(Outcome.REFUSED, content="C")).request


@pytest.mark.parametrize("good", [[], [landed("G", hours_ago=90)]], ids=["no good file", "a good file"])
def test_a_file_that_staging_refused_is_not_fetched_again_until_other_code_would_judge_it(
    good: list[LandedFile],
) -> None:
    """Its run has landed it; who asked for that run, or whether it is remembered, does not matter."""
    history = [*good, landed("A", hours_ago=50), refused("A", hours_ago=49)]
    for runs in ([run(Outcome.SUCCEEDED, 50)], []):
        found = decided(*runs, ledger=history)
        assert (found.state, found.request) == (MonthState.REFUSED, False)
        assert found.why == "refused on 2024-05-30, by the same code as today's: is_small (1 row)"
        by_other_code = [*history[:-1], refused("A", hours_ago=49, code="code 0")]
        again = decided(*runs, ledger=by_other_code)
        state = MonthState.REPUBLISHED if good else MonthState.NEW
        assert again == Decision(state, "it was refused, but by other code", True, 1 + len(runs))
        assert not decided(run(Outcome.ACTIVE, 0.1, 2), *runs, ledger=by_other_code).request
        assert not decided(run(Outcome.FAILED, 0.1, 2), *runs, ledger=by_other_code).request
        landed_again = [*by_other_code, landed("A", hours_ago=1)]
        assert decided(run(Outcome.SUCCEEDED, 1, 2), *runs, ledger=landed_again).state is MonthState.UNCHANGED
        assert decided(*runs, ledger=[*landed_again, refused("A", 0.5)]).state is MonthState.REFUSED


def test_while_the_last_good_file_is_at_the_source_it_is_unchanged_whatever_else_was_refused() -> None:
    assert decided(ledger=[landed("A"), landed("B", "elsewhere"), refused("B", 2)]).state is MonthState.UNCHANGED


def test_another_content_is_landed_after_a_refused_one() -> None:
    assert decided(ledger=[landed("B", hours_ago=50), refused("B", 49)]) == Decision(
        MonthState.NEW, "it was not run yet", True, 1
    )


def test_a_file_put_in_the_place_of_a_refused_one_by_hand_stays_whatever_code_comes() -> None:
    by_hand = landed("H", "s3://lake/raw/inbox/yellow_tripdata_2024-02.parquet", hours_ago=2)
    history = [landed("A", hours_ago=50), refused("A", 49, "code 0"), by_hand]
    assert decided(run(Outcome.SUCCEEDED, 50), ledger=history).state is MonthState.UNCHANGED
