"""A month that is published more than once: identical rows, every version kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import duckdb

from glue_jobs.contracts import FILES, MONTHLY_TABLES, QUARANTINE, TRIPS, tlc
from glue_jobs.sources.synthetic import make_month
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.status import lake_status
from taxi_assets.operations.health.finding import Level
from taxi_assets.operations.health.lake import months_fit_together
from taxi_assets.operations.health.subject import Subject
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, on_three_days
from taxi_assets_tests.support.comparing import different_rows
from taxi_assets_tests.support.publishing_by_hand import live_versions, publish_again

Run = Callable[..., MonthResult]


def test_a_second_run_publishes_identical_data_and_keeps_the_first_version(
    run: Run, source: Path, lake_to_change: Path
) -> None:
    lake = lake_to_change
    before = live_versions(lake, MONTH)
    assert run(lake, source).succeeded
    after = live_versions(lake, MONTH)
    opened = Lake.in_folder(lake)
    for name, table in MONTHLY_TABLES.items():
        assert after[name] != before[name]
        first, second = (opened.paths.version(table, MONTH, str(versions[name])) for versions in (before, after))
        assert different_rows(first, second) == 0
    assert opened.catalog.open(FILES).scan().to_arrow().num_rows == 2  # the same two files, entered once


def test_rolling_staging_back_is_seen_in_the_status_until_the_month_is_run_again(
    run: Run, source: Path, lake_to_change: Path
) -> None:
    lake = lake_to_change
    opened = Lake.in_folder(lake)
    publish_again(opened, MONTH, "another")
    assert lake_status(opened)[0].remarks == ()
    for table in (QUARANTINE, TRIPS):
        opened.publisher.roll_back(table, MONTH)
    [month] = lake_status(opened)
    [said] = month.put_back
    version, today = month.tables["staging.trips"].version, datetime.now(timezone.utc).date()
    assert f"staging.trips to version {version} on {today}" in said
    assert "not of the live staging: daily_metrics, location_analytics" in said
    assert month.remarks == ()
    # It is so on purpose, which is nothing that somebody has to be woken up for.
    [finding] = months_fit_together(Subject(Settings(lake=str(lake)), datetime.now(timezone.utc)))
    assert (finding.level, str(today) in finding.found) == (Level.WARN, True)
    assert run(lake, source).succeeded
    assert (lake_status(opened)[0].remarks, lake_status(opened)[0].put_back) == ((), ())


def test_a_month_without_quarantined_rows_can_be_published(run: Run, source: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    clean = on_three_days(make_month(MONTH, 300, 1), MONTH)
    keep = (
        "passenger_count IS NOT NULL AND tpep_pickup_datetime >= '2024-02-01' AND trip_distance >= 0 AND "
        "fare_amount < 1000 AND PULocationID < 266 AND payment_type < 9 AND "
        "tpep_dropoff_datetime BETWEEN tpep_pickup_datetime AND tpep_pickup_datetime + INTERVAL 1 DAY"
    )
    with duckdb.connect() as connection:
        target = folder / tlc.trip_file_path(MONTH)
        connection.execute(f"COPY (SELECT DISTINCT * FROM clean WHERE {keep}) TO '{target}' (FORMAT parquet)")
    assert clean.num_rows > 300
    result = run(tmp_path / "lake", folder, tables=["daily_metrics"])
    assert result.succeeded, result.error
    assert (result.quarantined_rows, result.quarantine_reasons) == (0, {})
    assert (
        live_versions(tmp_path / "lake", MONTH)["staging.quarantine"]
        == live_versions(tmp_path / "lake", MONTH)["staging.trips"]
    )
