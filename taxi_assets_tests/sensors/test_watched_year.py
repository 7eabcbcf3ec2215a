"""A year of a source that misbehaves, a tick a day: which runs the watcher asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from glue_jobs.contracts import tlc
from glue_jobs.contracts.raw import TRIPS_DATASET
from glue_jobs.sources.http import HttpSource
from taxi_assets.lake import append_tables
from taxi_assets.lake.lake import Lake
from taxi_assets.sensors.watch_source import sensor
from taxi_assets.sensors.watch_source.decisions import MonthState
from taxi_assets.sensors.watch_source.sensor import WATCHER, Watched, read_cursor
from taxi_assets.settings import Settings
from taxi_assets_tests.support.daemon import Clock, Daemon, location_with
from taxi_assets_tests.support.tlc_site import TlcSite, serving, status, web_page

FIRST_DAY, LAST_DAY = datetime(2024, 6, 1, 9, tzinfo=timezone.utc), datetime(2025, 5, 31, 9, tzinfo=timezone.utc)
A_WEB_PAGE_FOR_ALL, SERVER_ERRORS_FOR_ALL, REFUSED_FOR_ALL = web_page, status(503), status(403)


@dataclass
class Year:
    """The world around the watcher: the site, the lake, the runs and what becomes of them."""

    site: TlcSite
    lake: Lake
    daemon: Daemon
    scratch: Path
    fates: dict[tuple[str, int], Callable[[dg.DagsterRun], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    waiting: list[tuple[datetime, dg.DagsterRun]] = field(default_factory=list)

    def publish(self, month: str, content: str) -> None:
        """Put a file of ``month`` on the site."""
        path = self.site.folder / tlc.trip_file_path(month)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{month} {content}")

    def take_away(self, month: str) -> None:
        (self.site.folder / tlc.trip_file_path(month)).unlink()

    def touch(self, month: str) -> None:
        """Another ETag, the same bytes."""
        path = tlc.trip_file_path(month)
        self.site.touched[path] = self.site.touched.get(path, 0) + 1

    def fate(self, month: str, attempt: int, fate: Callable[[dg.DagsterRun], None]) -> None:
        """What becomes of the n-th run of ``month``, if it is not to land the month."""
        self.fates[month, attempt] = fate

    def fail(self, cause: str | None) -> Callable[[dg.DagsterRun], None]:
        return lambda run: self.daemon.fail(run, {"cause": cause} if cause else None)

    def stay_queued(self, days: int) -> Callable[[dg.DagsterRun], None]:
        return lambda run: self.waiting.append((self.daemon.clock.now + timedelta(days=days), run))

    def land(self, run: dg.DagsterRun) -> None:
        """What ``ingest_raw`` does of which the watcher knows: fetch, enter in the ledger, succeed."""
        month, got = run.tags["taxi/month"], self.scratch / "got"
        fetched = HttpSource(self.site.address).fetch_trips(month, got, lambda *_: None)
        content = got.read_bytes()
        facts: dict[str, Any] = {"url": fetched.url, "etag": fetched.etag, "sha256": sha256(content).hexdigest()}
        facts |= {"path": f"/{facts['sha256']}", "bytes": len(content), "rows": 1, "physical_schema": {}}
        self.lake.ledger.record(month, TRIPS_DATASET, facts, run.run_id)
        self.daemon.succeed(run)

    def tick(self, launches: bool = True) -> None:
        """One tick, and what comes of its runs ten minutes later."""
        before = len(self.site.requests)
        runs = self.daemon.tick(launches)
        assert [asked for asked in self.site.requests[before:] if asked[0] != "HEAD"] == []
        self.daemon.clock.pass_(minutes=10)
        for run in sorted(runs, key=lambda run: run.tags["taxi/month"]):
            month = run.tags["taxi/month"]
            number = sum(month in line for line in self.asked) + 1
            self.asked.append(f"{self.daemon.clock.now:%m-%d} {month} run {number}")
            if launches:
                self.fates.pop((month, number), self.land)(run)
        for due, run in list(self.waiting):
            if self.daemon.clock.now >= due:
                self.waiting.remove((due, run))
                self.land(run)
        self.daemon.clock.pass_(minutes=-10)


@pytest.fixture
def year(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Year]:
    clock = Clock(FIRST_DAY)

    class SimulatedTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> SimulatedTime:
            return cls.fromtimestamp(clock.now.timestamp(), tz)

    monkeypatch.setattr(append_tables, "datetime", SimulatedTime)
    with serving(tmp_path / "site") as site:
        (site.folder / tlc.ZONE_FILE_PATH).parent.mkdir(parents=True)
        (site.folder / tlc.ZONE_FILE_PATH).write_text("which every source has")
        settings = Settings(lake=str(tmp_path / "lake"), source=site.address, watch_from="2024-02")
        defs = location_with(settings, sensor.source_watcher(settings, clock))
        daemon = Daemon(defs, WATCHER, tmp_path / "dagster_home", clock)
        yield Year(site, Lake.in_folder(tmp_path / "lake"), daemon, tmp_path)
        daemon.restart()


def test_in_a_year_of_mishaps_each_content_is_run_once_and_none_is_lost(
    year: Year, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = ["code 1"]
    monkeypatch.setattr(sensor, "running_version", lambda: code[0])

    def new_code() -> None:
        code[0] = "code 2"

    def site_answers(behaviour: Any) -> Callable[[], None]:
        def change() -> None:
            year.site.always = behaviour

        return change

    def cursor_is_lost() -> None:
        year.daemon.cursor = None

    def daemon_dies_before_it_launches() -> None:
        year.tick(launches=False)
        year.daemon.restart()

    for month in ("2024-01", "2024-02", "2024-03"):  # there already
        year.publish(month, "first")
    events: dict[str, list[Callable[[], None]]] = {
        "2024-06-12": [
            lambda: year.publish("2024-04", "first"),
            lambda: year.fate("2024-04", 1, year.fail("source")),
        ],
        "2024-07-20": [
            lambda: year.publish("2024-05", "bad"),
            lambda: year.fate("2024-05", 1, year.fail("data")),
            lambda: year.fate("2024-05", 2, year.fail("data")),
        ],
        "2024-08-05": [lambda: year.publish("2024-03", "second")],
        "2024-08-15": [new_code],
        "2024-08-20": [lambda: year.touch("2024-02")],
        "2024-09-01": [lambda: year.publish("2024-05", "mended")],
        "2024-09-10": [site_answers(REFUSED_FOR_ALL)],
        "2024-09-11": [lambda: year.publish("2024-06", "first")],
        "2024-09-14": [site_answers(None)],
        "2024-09-25": [
            lambda: year.publish("2024-07", "first"),
            lambda: year.fate("2024-07", 1, year.daemon.cancel),
        ],
        "2024-10-01": [site_answers(SERVER_ERRORS_FOR_ALL)],
        "2024-10-03": [site_answers(None)],
        "2024-10-20": [
            lambda: year.publish("2024-08", "first"),
            lambda: year.fate("2024-08", 1, year.stay_queued(3)),
        ],
        "2024-11-15": [lambda: year.publish("2024-09", "first"), daemon_dies_before_it_launches],
        "2024-12-01": [cursor_is_lost],
        "2024-12-20": [
            lambda: year.publish("2024-10", "first"),
            lambda: year.fate("2024-10", 1, year.fail(None)),
            lambda: year.fate("2024-10", 2, year.fail("landing")),
            lambda: year.fate("2024-10", 3, year.fail(None)),
        ],
        "2025-01-15": [
            lambda: year.publish("2024-11", "first"),
            lambda: year.publish("2024-06", "second"),
        ],
        "2025-02-01": [lambda: year.publish("2024-06", "first")],
        "2025-02-20": [lambda: year.publish("2024-12", "first")],
        "2025-03-01": [site_answers(A_WEB_PAGE_FOR_ALL)],
        "2025-03-02": [site_answers(None)],
        "2025-03-18": [lambda: year.publish("2025-01", "first")],
        "2025-04-01": [lambda: year.take_away("2024-04")],
        "2025-04-10": [lambda: year.publish("2024-04", "first")],
        "2025-04-20": [lambda: year.publish("2025-02", "first")],
        "2025-05-20": [lambda: year.publish("2025-03", "first"), lambda: year.publish("2025-02", "second")],
    }
    watched: dict[str, Watched] = {}
    while year.daemon.clock.now <= LAST_DAY:
        today = f"{year.daemon.clock.now:%Y-%m-%d}"
        for event in events.pop(today, []):
            event()
        if year.daemon.clock.now.day == 28:
            year.daemon.restart()
        year.tick()
        assert len(year.daemon.cursor or "") < 2_000
        watched[today] = read_cursor(year.daemon.cursor)
        year.daemon.clock.pass_(days=1)
    assert not events

    assert year.asked == [
        "06-01 2024-02 run 1",
        "06-01 2024-03 run 1",
        "06-12 2024-04 run 1",  # the source failed,
        "06-13 2024-04 run 2",
        "07-20 2024-05 run 1",  # bad data,
        "08-05 2024-03 run 2",  # republished
        "08-15 2024-05 run 2",  # judged by other code, and still bad
        "08-20 2024-02 run 2",  # only touched: found out once
        "09-01 2024-05 run 3",  # mended
        "09-14 2024-06 run 1",  # published while we were throttled
        "09-25 2024-07 run 1",  # canceled by somebody, and never asked for again
        "10-20 2024-08 run 1",  # queued for three days
        "11-15 2024-09 run 1",  # made, not launched:
        "11-15 2024-09 run 2",  # the same run, launched
        "12-20 2024-10 run 1",
        "12-21 2024-10 run 2",
        "12-22 2024-10 run 3",
        "12-23 2024-10 run 4",
        "01-15 2024-06 run 2",
        "01-15 2024-11 run 1",
        "02-01 2024-06 run 3",  # taken back by the TLC
        "02-20 2024-12 run 1",
        "03-18 2025-01 run 1",
        "04-20 2025-02 run 1",
        "05-20 2025-02 run 2",
        "05-20 2025-03 run 1",
    ]
    assert len(year.daemon.instance.get_runs()) == len(year.asked) - 1
    in_force = {file.month: file.sha256 for file in year.lake.ledger.all_current(TRIPS_DATASET)}
    there = {
        path.stem[-7:]: sha256(path.read_bytes()).hexdigest() for path in (year.site.folder / "trip-data").iterdir()
    }
    assert in_force == {month: content for month, content in there.items() if month not in ("2024-01", "2024-07")}

    def state(day: str, month: str) -> MonthState:
        return watched[day].months[month].state

    assert state("2024-06-11", "2024-04") is MonthState.NOT_PUBLISHED
    assert state("2024-06-12", "2024-04") is MonthState.NEW
    assert state("2024-06-14", "2024-04") is MonthState.UNCHANGED
    assert state("2024-08-05", "2024-03") is MonthState.REPUBLISHED
    assert state("2024-09-12", "2024-02") is MonthState.UNCHANGED  # as it was when we were last let in
    assert state("2025-04-05", "2024-04") is MonthState.NOT_PUBLISHED
    assert state("2025-04-10", "2024-04") is MonthState.UNCHANGED
    assert state("2025-05-31", "2024-07") is MonthState.NEW
    for day, last_reached, trouble in (
        ("2024-09-12", "2024-09-09", MonthState.THROTTLED),
        ("2024-10-02", "2024-09-30", MonthState.UNREACHABLE),
        ("2025-03-01", "2025-02-28", MonthState.UNREACHABLE),
    ):
        assert f"{watched[day].reached:%Y-%m-%d}" == last_reached
        assert trouble in {known.state for known in watched[day].months.values()}
        assert watched["2025-05-31"].reached == year.daemon.clock.now - timedelta(days=1)


def test_what_was_wrong_at_a_tick_is_made_good_by_the_next(year: Year) -> None:
    """The ledger out of reach, say: the tick fails, the cursor stays, and the month is asked for an hour later."""
    year.publish("2024-01", "first")
    year.publish("2024-04", "first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(append_tables.Ledger, "history", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            year.tick()
    year.daemon.clock.pass_(hours=1)
    year.tick()
    assert year.asked == ["06-01 2024-04 run 1"]
