"""One synthetic month through the whole graph, and what can go wrong on the way."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts import CURATED_TABLES, FILES, MONTHLY_TABLES, QUARANTINE, TRIPS, tlc
from glue_jobs.contracts.raw import TRIPS_DATASET
from glue_jobs.reports import Job
from glue_jobs.sources.synthetic import make_month, make_zones
from taxi_assets.asset_keys import STAGING_TRIPS, asset_key
from taxi_assets.jobs.base import JobRun
from taxi_assets.jobs.local import LocalJobs
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.status import lake_status
from taxi_assets.operations.dagster_instance import dagster_home
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.support.comparing import different_rows

Run = Callable[..., MonthResult]


def live_versions(lake: Path) -> dict[str, str | None]:
    publisher = Lake.in_folder(lake).publisher
    live = {name: publisher.live(table, MONTH) for name, table in MONTHLY_TABLES.items()}
    return {name: entry.version if entry else None for name, entry in live.items()}


@pytest.fixture(scope="module")
def lake_to_change(run: Run, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which the month is published, for tests that publish more or try to."""
    lake = tmp_path_factory.mktemp("changing") / "lake"
    assert run(lake, source).succeeded
    return lake


def test_a_month_is_published_with_every_row_accounted_for(published: tuple[Path, MonthResult], source: Path) -> None:
    lake, result = published
    rows = pq.read_metadata(source / tlc.trip_file_path(MONTH)).num_rows
    assert result.source_rows == rows
    assert result.published_rows is not None
    assert result.quarantined_rows is not None
    assert result.published_rows + result.quarantined_rows == rows
    assert set(result.quarantine_reasons) >= {"exact_duplicate", "pickup_outside_month", "impossible_amount"}
    assert set(result.tables) == set(CURATED_TABLES)
    assert result.checks["failed"] == result.checks["warned"] == 0
    assert result.checks["passed"] >= 20
    assert set(result.seconds) == {"ingest_raw", "stage_trips", "build_curated", "total"}
    assert len(set(live_versions(lake).values())) == 2  # staging's and curated's


def test_money_adds_up_over_published_and_quarantined_rows(published: tuple[Path, MonthResult], source: Path) -> None:
    file = source / tlc.trip_file_path(MONTH)
    with Lake.in_folder(published[0]).connect() as connection:
        published_sum = connection.execute("SELECT sum(total_amount) FROM staging.trips").fetchall()[0][0]
        quarantined = connection.execute(
            "SELECT coalesce(sum(total_amount::DECIMAL(18, 2)), 0) FROM staging.quarantine"
        ).fetchall()[0][0]
    with duckdb.connect() as connection:
        expected = connection.execute(f"SELECT sum(total_amount::DECIMAL(18, 2)) FROM '{file}'").fetchall()[0][0]
    assert published_sum + quarantined == expected


def test_the_partition_columns_are_nowhere_null(published: tuple[Path, MonthResult]) -> None:
    lake = Lake.in_folder(published[0])
    nulls = "SELECT count(*) FROM staging.trips WHERE pickup_date IS NULL OR time_of_day_category IS NULL"
    with lake.connect() as connection:
        assert connection.execute(nulls).fetchall() == [(0,)]
    iceberg = lake.catalog.open(TRIPS)
    through_iceberg = iceberg.scan(selected_fields=("pickup_date", "time_of_day_category")).to_arrow()
    assert through_iceberg.num_rows == published[1].published_rows
    assert [column.null_count for column in through_iceberg.columns] == [0, 0]
    for task in iceberg.scan().plan_files():
        month, _, time_of_day = (task.file.partition[i] for i in range(3))
        assert (month, time_of_day) == (MONTH, time_of_day)
        assert f"time_of_day={time_of_day}/" in task.file.file_path


def test_staging_has_one_sorted_file_for_each_date_and_time_of_day(published: tuple[Path, MonthResult]) -> None:
    files = Lake.in_folder(published[0]).publisher.files(TRIPS)
    assert len(files) == len({Path(file).parent for file in files}) == 29 * 4
    for file in files[::10]:
        pickups = pq.ParquetFile(file).read(["pickup_at"])["pickup_at"].to_pylist()
        assert pickups == sorted(pickups)


def test_lineage_can_be_read_from_the_tables(published: tuple[Path, MonthResult]) -> None:
    lake = Lake.in_folder(published[0])
    source = lake.ledger.current(MONTH, TRIPS_DATASET)
    staging = lake.publisher.live(TRIPS, MONTH)
    assert source is not None
    assert staging is not None
    assert staging.lineage["source_sha256"] == source.sha256
    assert staging.lineage["run_id"] == published[1].run_id
    for table in CURATED_TABLES.values():
        curated = lake.publisher.live(table, MONTH)
        assert curated is not None
        assert curated.lineage["staging_snapshot_id"] == str(staging.snapshot_id)
        assert curated.lineage["staging_version"] == staging.version


def test_each_materialization_shows_what_a_person_wants_to_see(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    with dg.DagsterInstance.from_config(str(dagster_home(Settings(lake=str(lake))))) as instance:
        staging = instance.get_latest_materialization_event(STAGING_TRIPS)
        daily = instance.get_latest_materialization_event(asset_key(CURATED_TABLES["daily_metrics"]))
        assert staging is not None
        assert daily is not None
        assert staging.asset_materialization is not None
        assert daily.asset_materialization is not None
        assert staging.asset_materialization.metadata["dagster/row_count"].value == result.published_rows
        assert "| 2024-02 |" in str(daily.asset_materialization.metadata["preview"].value)
        picture = Path(str(daily.asset_materialization.metadata["picture"].value))
        assert "Trips and net revenue by day" in picture.read_text()
        said = [entry.user_message for entry in instance.all_logs(result.run_id) if not entry.is_dagster_event]
        assert any(message.startswith("write trips") for message in said)


def test_a_second_run_publishes_identical_data_and_keeps_the_first_version(
    run: Run, source: Path, lake_to_change: Path
) -> None:
    lake = lake_to_change
    before = live_versions(lake)
    assert run(lake, source).succeeded
    after = live_versions(lake)
    opened = Lake.in_folder(lake)
    for name, table in MONTHLY_TABLES.items():
        assert after[name] != before[name]
        first, second = (opened.paths.version(table, MONTH, str(versions[name])) for versions in (before, after))
        assert different_rows(first, second) == 0
    assert opened.catalog.open(FILES).scan().to_arrow().num_rows == 2  # the same two files, entered once


def test_only_the_tables_that_were_asked_for_are_built(run: Run, source: Path, tmp_path: Path) -> None:
    result = run(tmp_path / "lake", source, tables=["customer_behavior", "daily_metrics"])
    assert result.succeeded, result.error
    assert set(result.tables) == {"customer_behavior", "daily_metrics"}
    versions = live_versions(tmp_path / "lake")
    assert versions["curated.location_analytics"] is None
    [month] = lake_status(Lake.in_folder(tmp_path / "lake"))
    assert "location_analytics is missing: run 2024-02 again" in month.remarks


def test_rolling_staging_back_is_seen_in_the_status(run: Run, source: Path, lake_to_change: Path) -> None:
    lake = lake_to_change
    assert run(lake, source).succeeded
    opened = Lake.in_folder(lake)
    assert lake_status(opened)[0].remarks == ()
    for table in (QUARANTINE, TRIPS):
        opened.publisher.roll_back(table, MONTH)
    remarks = lake_status(opened)[0].remarks
    assert "daily_metrics was computed from another version of staging: run 2024-02 again" in remarks
    assert run(lake, source).succeeded
    assert lake_status(opened)[0].remarks == ()


def html(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>503 Service Unavailable</body></html>")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path: Path) -> None:
    pq.write_table(make_month(MONTH, 100, 1).slice(0, 0), path)


def without_pickup_time(path: Path) -> None:
    pq.write_table(make_month(MONTH, 100, 1).drop_columns(["tpep_pickup_datetime"]), path)


def of_another_month(path: Path) -> None:
    pq.write_table(make_month("2023-07", 500, 1), path)


def of_a_neighbouring_month(path: Path) -> None:
    here, next_door = make_month(MONTH, 500, 1), make_month("2024-01", 500, 1)
    pq.write_table(pa.concat_tables([next_door, here.slice(0, 20)]), path)


def missing(path: Path) -> None:
    path.unlink()


SPOILT: list[tuple[Callable[[Path], None], str, str]] = [
    (html, "is a web page, not Parquet", "fetch the file again"),
    (truncated, "is cut off", "fetch the file again"),
    (empty, "is a Parquet file without rows", "fetch the file again"),
    (without_pickup_time, "lacks the column tpep_pickup_datetime", "check that it is a yellow-taxi trip file"),
    (of_another_month, "is not the file of 2024-02: 0 of its", "it is another month's file"),
    (of_a_neighbouring_month, "is not the file of 2024-02", "it is another month's file"),
    (missing, "does not exist", "put the file of 2024-02 there"),
]


@pytest.mark.parametrize(("spoil", "problem", "remedy"), SPOILT, ids=[spoil.__name__ for spoil, _, _ in SPOILT])
def test_a_spoilt_file_is_refused_and_the_published_month_stays(
    run: Run,
    source: Path,
    lake_to_change: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    problem: str,
    remedy: str,
) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    file = folder / tlc.trip_file_path(MONTH)
    spoil(file)
    before = live_versions(lake_to_change)
    landed = Lake.in_folder(lake_to_change).ledger.current(MONTH, TRIPS_DATASET)
    result = run(lake_to_change, folder)
    assert not result.succeeded
    assert file.name in result.error
    assert problem in result.error
    assert f"What to do: {remedy}" in result.error
    assert "Traceback" not in result.error
    assert live_versions(lake_to_change) == before
    assert Lake.in_folder(lake_to_change).ledger.current(MONTH, TRIPS_DATASET) == landed


def test_a_zone_lookup_that_is_none_fails_the_month(run: Run, source: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    (folder / tlc.ZONE_FILE_PATH).write_bytes(make_zones()[:200])
    result = run(tmp_path / "lake", folder)
    assert "taxi_zone_lookup.csv" in result.error
    assert live_versions(tmp_path / "lake") == dict.fromkeys(MONTHLY_TABLES)


def once_staged(monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], object]) -> None:
    """Call ``act`` with the folder of the trips, once, between the end of the next stage_trips and its audits."""
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


def test_a_failed_audit_leaves_the_previous_version_live(
    run: Run, source: Path, lake_to_change: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live_versions(lake_to_change)
    once_staged(monkeypatch, lambda trips: next(trips.rglob("*.parquet")).unlink())
    result = run(lake_to_change, source)
    assert not result.succeeded
    assert "staging/trips: every_row_is_accounted_for" in result.failed_checks
    assert f"Readers still see version {before['staging.trips']}" in result.error
    assert result.checks["failed"] >= 1
    assert result.tables == {}
    assert result.published_rows is None  # no materialization was recorded
    assert live_versions(lake_to_change) == before


def test_an_engine_that_cannot_be_reached_is_named_without_a_traceback(source: Path, tmp_path: Path) -> None:
    settings = Settings(lake=str(tmp_path / "lake"), source=str(source), engine="sc://127.0.0.1:9")
    result = run_month(settings, MONTH, None, lambda *_: None)
    assert result.error.startswith("sc://127.0.0.1:9 cannot be reached")
    assert result.error.endswith("What to do: check TAXI_ENGINE.")


def test_a_run_that_lost_the_race_for_its_month_says_so(
    run: Run, source: Path, lake_to_change: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[MonthResult] = []
    once_staged(monkeypatch, lambda _: others.append(run(lake_to_change, source)))  # from start to end, meanwhile
    result = run(lake_to_change, source)
    assert [other.succeeded for other in others] == [True]
    assert "was published by another run in the meantime and stays" in result.error
    assert "Traceback" not in result.error
    assert lake_status(Lake.in_folder(lake_to_change))[0].remarks == ()


def test_killing_the_job_while_it_writes_publishes_nothing(run: Run, tmp_path: Path) -> None:
    write_source(tmp_path / "source", MONTH, rows=400_000)
    lake = tmp_path / "lake"
    killed = threading.Event()

    def kill_when_it_writes() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if any((lake / "staging/trips").glob("month=*/version=*")):
                found = subprocess.run(["pgrep", "-f", f"stage_trips.py .*{lake}"], capture_output=True, text=True)
                for pid in found.stdout.split():
                    subprocess.run(["kill", "-9", pid])
                    killed.set()
                return
            time.sleep(0.005)

    killer = threading.Thread(target=kill_when_it_writes)
    killer.start()
    result = run(lake, tmp_path / "source")
    killer.join()
    assert killed.is_set()
    assert not result.succeeded
    assert "stage_trips ended without a completion report (exit code -9)" in result.error
    assert set(live_versions(lake).values()) == {None}
    assert run(lake, tmp_path / "source").succeeded


def test_a_month_without_quarantined_rows_can_be_published(run: Run, source: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    clean = make_month(MONTH, 300, 1)
    keep = (
        "passenger_count IS NOT NULL AND tpep_pickup_datetime >= '2024-02-01' AND trip_distance >= 0 AND "
        "fare_amount < 1000 AND PULocationID < 266 AND payment_type < 9 AND "
        "tpep_dropoff_datetime BETWEEN tpep_pickup_datetime AND tpep_pickup_datetime + INTERVAL 1 DAY"
    )
    with duckdb.connect() as connection:
        target = folder / tlc.trip_file_path(MONTH)
        connection.execute(f"COPY (SELECT DISTINCT * FROM clean WHERE {keep}) TO '{target}' (FORMAT parquet)")
    assert clean.num_rows > 300
    result = run(tmp_path / "lake", folder)
    assert result.succeeded, result.error
    assert (result.quarantined_rows, result.quarantine_reasons) == (0, {})
    assert live_versions(tmp_path / "lake")["staging.quarantine"] == live_versions(tmp_path / "lake")["staging.trips"]
