from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.sensor_definition import SensorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData

from glue_jobs.contracts import tlc
from taxi_assets.asset_keys import SOURCE_TRIPS
from taxi_assets.calendar import ended_months
from taxi_assets.sensors.earlier_runs import Outcome, earlier_runs
from taxi_assets.sensors.watch_source.decisions import MonthState
from taxi_assets.sensors.watch_source.sensor import (
    FRONT_MONTHS,
    WATCHER,
    Watched,
    WatchedMonth,
    in_turn,
    read_cursor,
    source_watcher,
    unreachable_since,
    watched,
    write_cursor,
)
from taxi_assets.settings import Profile, Settings
from taxi_assets_tests.conftest import MONTH, on_postgres, write_source
from taxi_assets_tests.support.daemon import Clock, Daemon, location_with
from taxi_assets_tests.support.tlc_site import Stopwatch, serving, status

NOW = datetime(2024, 6, 1, 12, tzinfo=timezone.utc)
ALL_MONTHS = ended_months(NOW, tlc.FIRST_MONTH)


def daemon_for(
    tmp_path: Path, source: str, watch_from: str = "", look_seconds: float = 600, first: str = tlc.FIRST_MONTH
) -> Daemon:
    settings = Settings(lake=str(tmp_path / "lake"), source=source, watch_from=watch_from, first_month=first)
    clock = Clock(NOW)
    defs = location_with(settings, source_watcher(settings, clock, look_seconds))
    return Daemon(defs, WATCHER, tmp_path / "home", clock)


def test_the_months_that_have_ended_are_the_newest_first() -> None:
    assert ended_months(NOW, newest=3) == ["2024-05", "2024-04", "2024-03"]
    assert ended_months(NOW, "2024-04") == ["2024-05", "2024-04"]
    assert ended_months(datetime(2024, 1, 31, tzinfo=timezone.utc), newest=1) == ["2023-12"]
    assert ended_months(NOW, "2009-01")[-1] == tlc.FIRST_MONTH
    assert ended_months(NOW, "2024-06") == []


@pytest.mark.parametrize("watch_from", ["", "2023-01"])
def test_no_month_before_the_first_is_watched(tmp_path: Path, watch_from: str) -> None:
    daemon = daemon_for(tmp_path, str(tmp_path), watch_from, first="2024-04")
    daemon.tick()
    assert read_cursor(daemon.cursor).months.keys() == {"2024-04", "2024-05"}


def test_the_watcher_is_off_on_a_laptop_and_on_on_aws_unless_told_otherwise() -> None:
    def running(**settings: object) -> bool:
        status = source_watcher(Settings(**settings)).default_status  # type: ignore[arg-type]
        return status is dg.DefaultSensorStatus.RUNNING

    on_aws = {"profile": Profile.AWS, "lake": "s3://bucket"}
    assert [running(), running(watch=True), running(**on_aws), running(**on_aws, watch=False)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(("name", "value"), [("watch_from", "2024-13"), ("watch_minutes", 0), ("watch_from", "2024-2")])
def test_settings_that_make_no_sense_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"TAXI_{name.upper()}"):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_a_request_names_month_content_attempt_and_code(tmp_path: Path) -> None:
    write_source(tmp_path / "source", MONTH, rows=500)
    daemon = daemon_for(tmp_path, str(tmp_path / "source"))
    look = daemon.look()
    (request,) = look.run_requests or []
    tag = request.tags["taxi/content"]
    assert request.run_key == f"{MONTH}|{tag}|1"
    assert request.partition_key == MONTH
    assert {"taxi/month": MONTH, "taxi/attempt": "1"}.items() <= request.tags.items()
    assert len(request.tags["taxi/code"]) == 16
    assert sorted(key.to_user_string() for key in request.asset_selection or []) == [
        "raw/trips",
        "raw/zones",
        "reference/calendar",
        "reference/zones",
    ]
    (shown,) = look.asset_events  # at the source's asset, where lineage begins
    assert isinstance(shown, dg.AssetObservation)
    assert (shown.asset_key, shown.partition) == (SOURCE_TRIPS, MONTH)
    assert (shown.metadata["state"].value, shown.metadata["content"].value) == ("new", tag)


def test_a_look_without_news_says_what_is_known_of_all_months(tmp_path: Path) -> None:
    write_source(tmp_path / "source", MONTH, rows=500)
    daemon = daemon_for(tmp_path, str(tmp_path / "source"), "2024-01")
    (run,) = daemon.tick()
    daemon.fail(run, {"cause": "data"})
    said = daemon.look().skip_message or ""
    assert "not published: 2024-05, 2024-04, 2024-03, 2024-01" in said
    assert f"{MONTH}: run {run.run_id[:8]} refused it" in said


@pytest.mark.parametrize("storage", ["SQLite", "Postgres"])
def test_runs_of_every_end_are_read_as_what_they_are(
    tmp_path: Path, storage: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if storage == "Postgres":
        (tmp_path / "home").mkdir()
        on_postgres(tmp_path / "home", request.getfixturevalue("postgres"), monkeypatch)
    write_source(tmp_path / "source", MONTH, rows=500)
    daemon = daemon_for(tmp_path, str(tmp_path / "source"))

    def outcome() -> Outcome:
        return earlier_runs(daemon.instance, MONTH)[0].outcome

    (run,) = daemon.tick(launches=False)
    assert outcome() is Outcome.NOT_LAUNCHED
    assert [again.run_id for again in daemon.tick()] == [run.run_id]
    assert outcome() is Outcome.ACTIVE
    daemon.fail(run, {"cause": "source"})
    assert outcome() is Outcome.FAILED
    assert daemon.tick() == []
    daemon.clock.pass_(minutes=30)
    (run,) = daemon.tick()
    daemon.clock.pass_(minutes=5)
    daemon.fail(run)
    assert outcome() is Outcome.FAILED
    assert earlier_runs(daemon.instance, MONTH)[0].ended == NOW + timedelta(minutes=35)
    daemon.clock.pass_(hours=1)
    (run,) = daemon.tick()
    daemon.fail(run, {"cause": "data"})
    assert outcome() is Outcome.REFUSED
    assert [one.attempt for one in earlier_runs(daemon.instance, MONTH)] == [3, 2, 1]


def test_the_front_comes_first_and_the_rest_where_the_last_look_stopped() -> None:
    months = ended_months(NOW, newest=8)
    assert in_turn(months, Watched()) == months
    again = in_turn(months, Watched(go_on_with=months[6]))
    assert again == [*months[:FRONT_MONTHS], *months[6:], *months[FRONT_MONTHS:6]]


@pytest.mark.parametrize("broken", ["2024-05", "2023-12", "2023-11"])
def test_a_month_that_is_always_in_trouble_hides_no_other(tmp_path: Path, broken: str) -> None:
    write_source(tmp_path / "site", "2024-01", rows=100)
    with serving(tmp_path / "site") as site:
        site.always = lambda handler: broken in handler.path and status(500)(handler)
        daemon = daemon_for(tmp_path, site.address, "2023-11")
        for _ in range(3):
            daemon.tick()
        states = {month: known.state for month, known in read_cursor(daemon.cursor).months.items()}
    assert states.pop(broken) is MonthState.UNREACHABLE
    assert sorted(states) == sorted({*ended_months(NOW, "2023-11")} - {broken})
    assert set(states.values()) == {MonthState.NOT_PUBLISHED, MonthState.NEW}


def test_more_months_than_fit_a_tick_are_looked_at_in_turns_and_the_newest_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(tmp_path / "site", "2024-01", rows=100)
    with serving(tmp_path / "site") as site:
        watch = Stopwatch(seconds=100)
        watch.start(monkeypatch, site)
        daemon = daemon_for(tmp_path, site.address, "2023-01", look_seconds=800)
        ticks = 0
        while len(read_cursor(daemon.cursor).months) < 17:
            ticks += 1
            assert ticks < 12
            before, begun = len(site.requests), watch.now
            daemon.tick()
            assert 0 < watch.now - begun <= 800 + 100  # an answer that has begun is waited for
            assert "2024-05" in site.requests[before][1]
        assert ticks > 1


def test_the_cursor_of_every_month_there_is_stays_small_and_is_read_back() -> None:
    tag = "0123456789abcdef0123456789abcdef-10"
    months = {month: WatchedMonth(MonthState.NOT_PUBLISHED, NOW) for month in ALL_MONTHS}
    watch = Watched({**months, MONTH: WatchedMonth(MonthState.NEW, NOW, tag)}, NOW, "2020-01")
    cursor = write_cursor(watch)
    assert len(cursor) < 10_000
    assert read_cursor(cursor) == watch


@pytest.mark.parametrize("cursor", [None, "", "{}", "not json", "[]", '{"months": {"2024-02": ["lost", "now"]}}'])
def test_a_cursor_that_is_not_understood_is_begun_anew(cursor: str | None) -> None:
    assert read_cursor(cursor) == Watched()


def test_others_can_read_what_the_watcher_knows(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert watched(instance) == Watched()
        watch = Watched({MONTH: WatchedMonth(MonthState.NEW, NOW, "tag")}, NOW)
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("nyc-taxi-lakehouse"), "__repository__")
        instance.add_instigator_state(
            InstigatorState(
                RemoteInstigatorOrigin(repository, WATCHER),
                InstigatorType.SENSOR,
                InstigatorStatus.RUNNING,
                SensorInstigatorData(cursor=write_cursor(watch), sensor_type=SensorType.STANDARD),
            )
        )
        assert watched(instance) == watch


@pytest.mark.parametrize(
    ("state", "reached", "since"),
    [
        (MonthState.NEW, NOW, None),
        (MonthState.NOT_PUBLISHED, NOW, None),
        (MonthState.UNREACHABLE, NOW - timedelta(days=2), NOW - timedelta(days=2)),
        (MonthState.THROTTLED, None, NOW),
    ],
)
def test_a_source_is_out_of_reach_since_it_last_gave_a_true_answer(
    state: MonthState, reached: datetime | None, since: datetime | None
) -> None:
    assert unreachable_since(Watched({MONTH: WatchedMonth(state, NOW)}, reached)) == since
