"""Real refunds, where TAXI_TEST_REFUNDS names a folder of unfiltered TLC rows (they are not part of the project)."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from glue_jobs.contracts import tlc
from taxi_assets.checks.staging.registry import CHECKS
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets_tests.support.checking import failed
from taxi_assets_tests.support.in_process import stage

pytestmark = pytest.mark.real_data("TAXI_TEST_REFUNDS")
CONTIGUOUS, OF_FLEX_FARES = "2021-01", "2025-02"
"""The first rows of a month, so that reversals lie beside their trips, and rows drawn at random."""


@pytest.fixture(scope="module")
def staged(in_process: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, StagedMonth]:
    folder = Path(os.environ.get("TAXI_TEST_REFUNDS", "unset"))
    files = {month: folder / tlc.trip_file_path(month) for month in (CONTIGUOUS, OF_FLEX_FARES)}
    if not all(file.is_file() for file in files.values()):
        pytest.skip(f"TAXI_TEST_REFUNDS is {folder}; set it to a folder in the TLC's layout with unfiltered rows")
    out = tmp_path_factory.mktemp("refunds")
    return {month: stage(month, file, folder / tlc.ZONE_FILE_PATH, out / month) for month, file in files.items()}


def counts(staged: StagedMonth, *conditions: str) -> tuple[int, ...]:
    """How many trips each condition holds for. The view ``trips`` is the month's."""
    with duckdb.connect() as connection:
        files = f"read_parquet('{staged.trips}/**/*.parquet', hive_partitioning = false)"
        connection.execute(f"CREATE VIEW trips AS FROM {files}")
        chosen = ", ".join(f"count(*) FILTER ({condition})" for condition in conditions)
        return connection.execute(f"SELECT {chosen} FROM trips").fetchall()[0]


ALIKE_AND_OPPOSITE_WITH_ZONES = """is_refund AND (vendor_id, pickup_at, dropoff_at, pickup_location_id,
    dropoff_location_id, trip_distance, -fare_amount, -total_amount) IN (SELECT (vendor_id, pickup_at, dropoff_at,
    pickup_location_id, dropoff_location_id, trip_distance, fare_amount, total_amount) FROM trips)"""


def test_every_refund_of_a_contiguous_sample_finds_its_trip(staged: dict[str, StagedMonth]) -> None:
    linked = "is_refund AND quality_flags NOT LIKE '%unlinked_refund%'"
    assert counts(staged[CONTIGUOUS], "is_refund", linked, "is_refunded") == (199, 199, 199)


def test_zones_and_the_total_in_the_key_would_lose_one_in_eight(staged: dict[str, StagedMonth]) -> None:
    assert counts(staged[CONTIGUOUS], ALIKE_AND_OPPOSITE_WITH_ZONES) == (174,)


def test_fares_that_are_not_stated_are_known_and_no_dirt(staged: dict[str, StagedMonth]) -> None:
    flagged = [f"quality_flags LIKE '%{name}%'" for name in ("fare_not_stated", "negative_fare", "total_does_not")]
    assert counts(staged[OF_FLEX_FARES], "is_refund", "fare_amount < 0 AND NOT is_refund", *flagged) == (
        *(92, 181),
        *(181, 0, 6),
    )


@pytest.mark.parametrize("month", [CONTIGUOUS, OF_FLEX_FARES])
def test_a_sample_passes_every_check(staged: dict[str, StagedMonth], month: str) -> None:
    assert failed(CHECKS, staged[month]) == set()
