"""What can go wrong on a month's way: readers see what they saw before, and the error says what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from glue_jobs.contracts import tlc
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.reports import Job
from glue_jobs.sources.synthetic import make_month
from taxi_assets.cli.main import main
from taxi_assets.jobs.base import JobRun
from taxi_assets.jobs.code import running_version
from taxi_assets.jobs.local import LocalJobs
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.status import lake_status
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.support.mutants import run_mutant
from taxi_assets_tests.support.publishing_by_hand import live_versions, publish_again

Run = Callable[..., MonthResult]


def test_a_spoilt_file_is_refused_and_the_published_month_stays(
    run: Run, source: Path, lake_to_change: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    file = folder / tlc.trip_file_path(MONTH)
    pq.write_table(make_month("2023-07", 500, 1), file)
    before = live_versions(lake_to_change, MONTH)
    landed = Lake.in_folder(lake_to_change).ledger.current(MONTH, TRIPS_DATASET)
    result = run(lake_to_change, folder)
    assert not result.succeeded
    assert file.name in result.error
    assert "is not the file of 2024-02: 0 of its" in result.error
    assert "What to do: it is another month's file" in result.error
    assert "Traceback" not in result.error
    assert live_versions(lake_to_change, MONTH) == before
    assert Lake.in_folder(lake_to_change).ledger.current(MONTH, TRIPS_DATASET) == landed


def once_staged(monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], object]) -> None:
    """Call ``act`` with the folder of the trips, once, between the end of the next stage_trips and its checks."""
    real = LocalJobs.run

    def run_and_act(
        self: LocalJobs, context: dg.AssetExecutionContext, job: Job[Any], arguments: dict[str, str]
    ) -> JobRun[Any]:
        job_run = real(self, context, job, arguments)
        if job == "stage_trips":
            monkeypatch.undo()
            act(Path(arguments["trips_out"]))
        return job_run

    monkeypatch.setattr(LocalJobs, "run", run_and_act)


def test_a_failed_check_leaves_the_previous_version_live(
    run: Run, source: Path, lake_to_change: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live_versions(lake_to_change, MONTH)
    landed = Lake.in_folder(lake_to_change).ledger.current(MONTH, TRIPS_DATASET)
    once_staged(monkeypatch, lose_a_file)
    result = run(lake_to_change, source)
    assert not result.succeeded
    assert "staging/trips: every_row_is_accounted_for" in result.failed_checks
    assert f"Readers still see version {before['staging.trips']}" in result.error
    assert result.checks["failed"] >= 1
    assert result.tables == {}
    assert result.published_rows is None  # no materialization was recorded
    assert live_versions(lake_to_change, MONTH) == before
    # Readers see this very file staged: the new version is refused, not the file.
    assert Lake.in_folder(lake_to_change).ledger.current(MONTH, TRIPS_DATASET) == landed


def another_source(folder: Path) -> Path:
    """Another content of the month, with seven rows twice, and another zone lookup."""
    file = write_source(folder, MONTH, seed=7, days=3)
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table, table.slice(0, 7)]), file)
    with (folder / tlc.ZONE_FILE_PATH).open("a") as lookup:
        lookup.write("\n")
    return folder


def lose_a_file(trips: Path) -> None:
    next(trips.rglob("*.parquet")).unlink()


def test_a_file_that_staging_refuses_gives_its_place_back_to_the_last_good_one(
    run: Run, lake_to_change: Path, engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lake = Lake.in_folder(lake_to_change)
    before = live_versions(lake_to_change, MONTH)
    good = [lake.ledger.current(MONTH, dataset) for dataset in (TRIPS_DATASET, ZONES_DATASET)]
    once_staged(monkeypatch, lose_a_file)
    result = run(lake_to_change, another_source(tmp_path / "source"))
    assert not result.succeeded
    assert live_versions(lake_to_change, MONTH) == before
    assert [lake.ledger.current(MONTH, dataset) for dataset in (TRIPS_DATASET, ZONES_DATASET)] == good
    landed, refused = lake.ledger.history(TRIPS_DATASET)[MONTH][-2:]
    assert (refused.sha256, refused.run_id, refused.refused_by) == (landed.sha256, result.run_id, running_version())
    [month] = lake_status(lake)
    assert month.remarks == ()
    assert month.refused.startswith(f"the file {landed.sha256[:16]} was refused on ")
    assert "every_row_is_accounted_for" in month.refused
    said = re.search(r"Its quarantine: (.*?)\. Readers.*taxi-assets (quarantine show .* --version \S+);", result.error)
    assert said is not None, result.error
    counts = [int(reason.rpartition(" ")[2]) for reason in said[1].split(", ")]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] >= 7 > counts[-1]
    shown = CliRunner().invoke(main, [*said[2].split(), "--lake", str(lake_to_change), "--json"])
    assert [f"{name} {rows:,}" for name, rows in json.loads(shown.stdout)["reasons"].items()] == said[1].split(", ")
    settings = Settings(lake=str(lake_to_change), engine=engine)
    replayed = run_month(settings, MONTH, ["daily_metrics"], lambda *_: None, replay=True)
    assert replayed.succeeded, replayed.error


def test_a_month_that_never_had_a_good_file_says_so_until_it_has_one(
    run: Run, source: Path, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lake"
    once_staged(monkeypatch, lose_a_file)
    assert not run(folder, source).succeeded
    lake = Lake.in_folder(folder)
    [month] = lake_status(lake)
    assert month.source_sha256 is None
    assert month.remarks[0].startswith("nothing is published: the file ")
    replayed = run_month(Settings(lake=str(folder), engine=engine), MONTH, None, lambda *_: None, replay=True)
    assert f"the file of {MONTH} was refused on" in replayed.error
    assert f"taxi-assets run --month {MONTH}" in replayed.error
    again = run(folder, source, tables=["daily_metrics"])  # the same content, found good
    assert again.succeeded, again.error
    [month] = lake_status(lake)
    assert (month.source_rows, month.refused) == (again.source_rows, "")


def test_an_engine_that_cannot_be_reached_is_named_without_a_traceback(source: Path, tmp_path: Path) -> None:
    settings = Settings(lake=str(tmp_path / "lake"), source=str(source), engine="sc://127.0.0.1:9")
    result = run_month(settings, MONTH, None, lambda *_: None)
    assert result.error.startswith("sc://127.0.0.1:9 cannot be reached")
    assert result.error.endswith("What to do: check TAXI_ENGINE.")


def test_a_run_that_lost_the_race_for_its_month_says_so(
    run: Run, source: Path, lake_to_change: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.in_folder(lake_to_change)
    once_staged(monkeypatch, lambda _: publish_again(lake, MONTH, "rival"))
    result = run(lake_to_change, source)
    assert set(live_versions(lake_to_change, MONTH).values()) == {"rival"}
    assert "was published by another run in the meantime and stays" in result.error
    assert "Traceback" not in result.error
    assert lake_status(lake)[0].remarks == ()
    assert result.checks["passed"] >= 30  # nor do checks that were asked look as if they had failed
    assert result.checks["failed"] == 0


_WRITE_TRIPS = "write_trips(enrich.trips(in_order, month, carried=FOLDERS), arguments.trips_out)"
_WRITE_SOME_AND_WAIT = """write_trips(enrich.trips(in_order, month, carried=FOLDERS).limit(100), arguments.trips_out)
        import os, pathlib, signal
        pathlib.Path({said!r} + ".new").write_text(str(os.getpid()))
        os.replace({said!r} + ".new", {said!r})
        signal.pause()"""


def test_killing_the_job_while_it_writes_publishes_nothing(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, said = tmp_path / "lake", tmp_path / "pid"
    run_mutant(monkeypatch, tmp_path, "stage_trips.py", _WRITE_TRIPS, _WRITE_SOME_AND_WAIT.format(said=str(said)))
    is_over = threading.Event()
    killed: list[int] = []

    def kill_when_it_has_written_some() -> None:
        while not said.exists():
            if is_over.wait(0.05):
                return
        killed.append(int(said.read_text()))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_when_it_has_written_some)
    killer.start()
    try:
        result = run(lake, source)
    finally:
        is_over.set()
        killer.join()
    assert len(killed) == 1
    assert list((lake / "staging" / "trips").rglob("version=*/**/*.parquet"))
    assert not result.succeeded
    assert "stage_trips ended without a completion report (exit code -9)" in result.error
    assert set(live_versions(lake, MONTH).values()) == {None}
    monkeypatch.undo()
    assert run(lake, source).succeeded
