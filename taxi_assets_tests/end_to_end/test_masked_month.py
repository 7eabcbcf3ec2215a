"""A masked lake: a month of it passes every check, says what it is, and takes no month that is not masked."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from glue_jobs.contracts import QUARANTINE, TRIPS
from glue_jobs.contracts.curated import DAILY_METRICS
from taxi_assets.cli.main import main
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.status import lake_status
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.presentation.answers import Answers
from taxi_assets.settings import Settings
from taxi_assets.warehouse.memory import MemoryEngine
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.publishing_by_hand import live_versions

K = 4


@pytest.fixture(scope="module")
def masked(engine: str, source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MonthResult]:
    """A lake in which the month is published masked, and the result of its run."""
    lake = tmp_path_factory.mktemp("masked") / "lake"
    settings = Settings(lake=str(lake), source=str(source), engine=engine, mask=True, mask_k=K)
    return lake, run_month(settings, MONTH, None, lambda *_: None)


def test_a_masked_month_passes_every_check_that_blocks_and_nobody_is_alone_in_it(
    masked: tuple[Path, MonthResult],
) -> None:
    lake, result = masked
    assert result.succeeded, result.error
    assert "raw/trips: rows_hide_among_others" in result.check_seconds
    publisher = Lake.in_folder(lake).publisher
    with duckdb.connect() as connection:
        # Of a group that hides together, the quarantine may have some.
        [(fewest,)] = connection.execute(
            """
            SELECT min(n) FROM (
                SELECT count(*) AS n FROM (
                    SELECT pickup_at, dropoff_at, pickup_location_id, dropoff_location_id FROM read_parquet($1)
                    UNION ALL
                    SELECT tpep_pickup_datetime, tpep_dropoff_datetime, pulocationid, dolocationid FROM read_parquet($2)
                )
                GROUP BY date_trunc('hour', pickup_at), dropoff_at - pickup_at, pickup_location_id, dropoff_location_id
            )""",
            [publisher.files(TRIPS), publisher.files(QUARANTINE)],
        ).fetchall()
    assert fewest >= K
    assert result.source_rows == (result.published_rows or 0) + (result.quarantined_rows or 0)


def test_the_days_of_a_masked_month_have_the_trips_and_the_money_that_they_had(
    masked: tuple[Path, MonthResult], published: tuple[Path, MonthResult]
) -> None:
    sql = "SELECT sum(trips)::BIGINT, sum(net_revenue)::DOUBLE FROM read_parquet($1)"
    with duckdb.connect() as connection:
        (ours, theirs) = (
            connection.execute(sql, [Lake.in_folder(lake).publisher.files(DAILY_METRICS)]).fetchall()[0]
            for lake, _ in (masked, published)
        )
    assert ours == pytest.approx(theirs, rel=0.02)


def test_everybody_is_told_that_it_is_masked(masked: tuple[Path, MonthResult]) -> None:
    lake = Lake.in_folder(masked[0])
    assert [month.masked_to for month in lake_status(lake)] == [K]
    said = CliRunner().invoke(main, ["status", "--lake", str(masked[0])]).output
    assert f"raw trips, masked (k={K})" in said
    assert "masked Times and zones of this lake are coarsened" in " ".join(said.split())
    assert Answers(MemoryEngine(lake), lake).reader().ask("masked").columns() == {"files": [1]}


def test_masked_months_and_others_never_stand_side_by_side(
    masked: tuple[Path, MonthResult], lake_to_change: Path, source: Path
) -> None:
    for lake, mask, said in (
        (masked[0], False, f"The lake has masked months ({MONTH}), and TAXI_MASK is off"),
        (lake_to_change, True, f"The lake has months that are not masked ({MONTH}), and TAXI_MASK is on"),
    ):
        before = live_versions(lake, MONTH)
        result = run_month(Settings(lake=str(lake), source=str(source), mask=mask), MONTH, None, lambda *_: None)
        assert not result.succeeded
        assert result.error.startswith(said), result.error
        assert live_versions(lake, MONTH) == before
