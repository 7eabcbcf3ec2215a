"""The runs that the watcher asks for, really run: what the job says of its failure is what the watcher goes by."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from glue_jobs.contracts import tlc
from taxi_assets.sensors.earlier_runs import Outcome, earlier_runs
from taxi_assets.sensors.watch_source.decisions import MonthState
from taxi_assets.sensors.watch_source.sensor import WATCHER, read_cursor, source_watcher
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.support.daemon import Clock, Daemon, execute, location_with
from taxi_assets_tests.support.tlc_site import Behaviour, serving, status


def test_a_month_is_landed_then_refused_then_landed_anew(tmp_path: Path, engine: str) -> None:
    folder = tmp_path / "site"
    trips = write_source(folder, MONTH, rows=500)
    with serving(folder) as site:
        settings = Settings(lake=str(tmp_path / "lake"), source=site.address, engine=engine, watch_from=MONTH)
        clock = Clock(datetime(2024, 4, 15, tzinfo=timezone.utc))
        daemon = Daemon(location_with(settings, source_watcher(settings, clock)), WATCHER, tmp_path / "home", clock)

        def landed() -> bool:
            said = daemon.look()
            (request,) = said.run_requests or []
            assert request.tags["taxi/content"] == site.etag(tlc.trip_file_path(MONTH))
            return execute(daemon, request).success

        def state() -> MonthState:
            said = daemon.look()
            assert not said.run_requests
            return read_cursor(said.cursor).months[MONTH].state

        assert landed()
        assert state() is MonthState.UNCHANGED

        trips.write_bytes(trips.read_bytes()[:-1000])
        assert not landed()
        assert earlier_runs(daemon.instance, MONTH)[0].outcome is Outcome.REFUSED
        assert state() is MonthState.REPUBLISHED

        write_source(folder, MONTH, rows=600, seed=2)
        site.always = _only_for_get(status(404))  # the file is there by its HEAD
        assert not landed()
        assert earlier_runs(daemon.instance, MONTH)[0].outcome is Outcome.FAILED
        site.always = None
        assert state() is MonthState.REPUBLISHED
        clock.now = datetime.now(timezone.utc) + timedelta(hours=1)  # the run's time is real
        assert [request.run_key for request in daemon.look().run_requests or [] if MONTH in str(request.run_key)]


def _only_for_get(behaviour: Behaviour) -> Behaviour:
    return lambda handler: handler.command == "GET" and behaviour(handler)
