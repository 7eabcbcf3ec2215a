"""One synthetic month through the whole graph: what is published, and what each table and each run says of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow.parquet as pq
import pytest
import yaml
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG

from glue_jobs.contracts import CURATED_TABLES, TRIPS, tlc
from glue_jobs.contracts.raw import TRIPS_DATASET
from glue_jobs.files import parquet_files
from taxi_assets.asset_keys import QUARANTINE_KEY, RAW_TRIPS, REPORT, STAGING_TRIPS, asset_key
from taxi_assets.checks.freshness import IS_FRESH
from taxi_assets.definitions import MONTH_JOB
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.status import lake_status
from taxi_assets.operations.dagster_instance import WORKSPACE, dagster_home, open_instance
from taxi_assets.operations.run_month import STEPS, MonthResult
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.support.in_process import stage
from taxi_assets_tests.support.publishing_by_hand import live_versions

MOST_BYTES_OF_A_REPORT = 6_000_000
"""A mail takes it along; plotly.js alone is 4.5 MB."""


def test_a_month_is_published_with_every_row_accounted_for(published: tuple[Path, MonthResult], source: Path) -> None:
    lake, result = published
    rows = pq.read_metadata(source / tlc.trip_file_path(MONTH)).num_rows
    assert result.source_rows == rows
    assert result.published_rows is not None
    assert result.quarantined_rows is not None
    assert result.published_rows + result.quarantined_rows == rows
    assert set(result.quarantine_reasons) >= {"exact_duplicate", "pickup_outside_month", "impossible_amount"}
    assert set(result.tables) == set(CURATED_TABLES)
    assert result.failed_checks == []
    assert result.warned_checks == ["staging/trips: every_day_has_trips"]  # it has three days
    assert result.checks["passed"] >= 20
    assert set(result.seconds) == {*STEPS, "calendar", "zones", "total"}
    assert len(set(live_versions(lake, MONTH).values())) == 2  # staging's and curated's


def test_the_run_is_found_where_the_pages_look_for_runs_of_the_job(published: tuple[Path, MonthResult]) -> None:
    settings = Settings(lake=str(published[0]))
    [location] = yaml.safe_load(WORKSPACE.read_text())["load_from"]
    label = f"{SINGLETON_REPOSITORY_NAME}@{location['python_module']['location_name']}"
    with open_instance(settings) as instance:
        found = instance.get_runs(dg.RunsFilter(job_name=MONTH_JOB, tags={REPOSITORY_LABEL_TAG: label}))
    assert [run.run_id for run in found] == [published[1].run_id]
    assert found[0].tags["taxi/started_by"] == "command line"


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


def test_the_partition_columns_are_nowhere_null_and_those_of_the_rows(published: tuple[Path, MonthResult]) -> None:
    lake = Lake.in_folder(published[0])
    nulls = "SELECT count(*) FROM staging.trips WHERE pickup_date IS NULL OR time_of_day_category IS NULL"
    with lake.connect() as connection:
        assert connection.execute(nulls).fetchall() == [(0,)]
    iceberg = lake.catalog.open(TRIPS)
    through_iceberg = iceberg.scan(selected_fields=("pickup_date", "time_of_day_category")).to_arrow()
    assert through_iceberg.num_rows == published[1].published_rows
    assert [column.null_count for column in through_iceberg.columns] == [0, 0]
    for task in iceberg.scan().plan_files():
        month, day, time_of_day = (task.file.partition[i] for i in range(3))
        rows = pq.ParquetFile(task.file.file_path).read(["month", "pickup_date", "time_of_day_category"]).to_pylist()
        assert {tuple(row.values()) for row in rows} == {(month, date(1970, 1, 1) + timedelta(days=day), time_of_day)}
        assert month == MONTH
        assert f"time_of_day={time_of_day}/" in task.file.file_path


def assert_one_sorted_file_for_each_date_and_time_of_day(files: list[str], days: int) -> None:
    assert len(files) == len({Path(file).parent for file in files}) == days * 4
    for file in files[:: len(files) // 12]:
        pickups = pq.ParquetFile(file).read(["pickup_at"])["pickup_at"].to_pylist()
        assert pickups == sorted(pickups)
    assert sum(pq.read_metadata(file).num_rows for file in files) > len(files)


def test_staging_has_one_sorted_file_for_each_date_and_time_of_day(published: tuple[Path, MonthResult]) -> None:
    assert_one_sorted_file_for_each_date_and_time_of_day(Lake.in_folder(published[0]).publisher.files(TRIPS), 3)


@pytest.mark.usefixtures("in_process")
def test_so_it_has_for_each_day_of_a_whole_month(tmp_path: Path) -> None:
    file = write_source(tmp_path, MONTH)
    staged = stage(MONTH, file, tmp_path / tlc.ZONE_FILE_PATH, tmp_path / "out")
    assert_one_sorted_file_for_each_date_and_time_of_day(parquet_files(staged.trips), 29)


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


def shown(lake: Path, key: dg.AssetKey) -> dict[str, Any]:
    """The metadata of an asset's last materialization, in the order in which the pages have it."""
    with dg.DagsterInstance.from_config(str(dagster_home(Settings(lake=str(lake))))) as instance:
        event = instance.get_latest_materialization_event(key)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: entry.value for name, entry in event.asset_materialization.metadata.items()}


def test_a_materialization_tells_numbers_first_and_ids_last(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    with Lake.in_folder(lake).connect() as connection:
        [(trips, refunds, net, average)] = connection.execute(
            "SELECT count(*) FILTER (NOT is_refund), count(*) FILTER (is_refund), sum(total_amount), "
            "avg(total_amount) FILTER (NOT is_refund) FROM staging.trips"
        ).fetchall()
    staged = shown(lake, STAGING_TRIPS)
    money = {"net_revenue_usd": float(net), "average_total_usd": round(average, 2)}
    numbers = [("trips", trips), ("refunds", refunds), *money.items()]
    assert list(staged.items())[:4] == numbers
    assert result.quarantined_rows is not None
    assert result.source_rows is not None
    assert staged["quarantined_percent"] == round(100 * result.quarantined_rows / result.source_rows, 4)
    assert staged["dagster/row_count"] == result.published_rows
    for table in CURATED_TABLES.values():
        built = shown(lake, asset_key(table))
        assert list(built.items())[:4] == numbers, table.name
        ids = ["version", "snapshot_id", "dagster/uri", "source_sha256", "staging_snapshot_id"]
        assert min(list(built).index(name) for name in ids) > list(built).index("preview")
    assert list(shown(lake, QUARANTINE_KEY))[:2] == ["quarantined_rows", "quarantined_percent"]
    landed = list(shown(lake, RAW_TRIPS))
    assert landed[:2] == ["rows", "megabytes"]
    assert landed[-3:] == ["sha256", "bytes", "dagster/uri"]


def test_a_run_of_a_month_asks_no_check_that_is_none_of_its_version(published: tuple[Path, MonthResult]) -> None:
    with dg.DagsterInstance.from_config(str(dagster_home(Settings(lake=str(published[0]))))) as instance:
        asked = {
            entry.dagster_event.asset_check_evaluation_data.check_name
            for entry in instance.all_logs(published[1].run_id)
            if entry.dagster_event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION and entry.dagster_event
        }
    assert "every_row_is_accounted_for" in asked
    assert IS_FRESH not in asked


def test_a_materialization_shows_some_rows(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    daily = shown(lake, asset_key(CURATED_TABLES["daily_metrics"]))
    assert "| 2024-02-01 | Weekday |" in daily["preview"]
    with dg.DagsterInstance.from_config(str(dagster_home(Settings(lake=str(lake))))) as instance:
        said = [entry.user_message for entry in instance.all_logs(result.run_id) if not entry.is_dagster_event]
    assert any(message.startswith("write trips") for message in said)


def test_a_month_has_a_report_of_its_numbers_that_says_which_versions_they_are_of(
    published: tuple[Path, MonthResult],
) -> None:
    lake, result = published
    told = shown(lake, REPORT)
    assert told["dagster/uri"] == result.report
    assert told["report"] == f"http://127.0.0.1:8501/reports/{MONTH}/{Path(result.report).stem}"
    page = Path(result.report).read_text()
    assert told["bytes"] == len(page.encode()) < MOST_BYTES_OF_A_REPORT
    with Lake.in_folder(lake).connect("FROM daily_metrics") as connection:
        days = connection.execute("SELECT pickup_date, trips FROM daily_metrics").fetchall()
    assert sum(trips for _, trips in days) == told["trips"]
    for day, trips in days:
        assert re.search(rf"<td>{day}</td>\s*<td>[^<]*</td>\s*<td[^>]*>{trips:,}</td>", page), day
    for table in result.tables.values():
        assert table.version in page


def test_only_the_tables_that_were_asked_for_are_built(
    run: Callable[..., MonthResult], source: Path, tmp_path: Path
) -> None:
    result = run(tmp_path / "lake", source, tables=["customer_behavior", "daily_metrics"])
    assert result.succeeded, result.error
    assert set(result.tables) == {"customer_behavior", "daily_metrics"}
    versions = live_versions(tmp_path / "lake", MONTH)
    assert versions["curated.location_analytics"] is None
    [month] = lake_status(Lake.in_folder(tmp_path / "lake"))
    assert "location_analytics is missing: run 2024-02 again" in month.remarks
