"""One file of each era, in its own names and physical types, and odd ones: what Sail makes of them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts.eras import era_of
from taxi_assets_tests.support.engines import ON_SAIL
from taxi_assets_tests.support.era_months import (
    ALL,
    DRIFTED,
    GOOD,
    MONTHS,
    ODD,
    ON_JVM,
    Facts,
    failed_checks,
    staged,
    write_months,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each month with its file."""
    return write_months(tmp_path_factory.mktemp("eras"))


@pytest.fixture(scope="module")
def on_sail(folder: Path) -> Facts:
    """What Sail reports."""
    return staged(ON_SAIL, folder, ALL)


@pytest.mark.parametrize("month", MONTHS)
def test_the_file_has_the_physical_types_of_its_era(folder: Path, month: str) -> None:
    schema = pq.read_schema(folder / month / "f.parquet")
    assert {field.name: str(field.type) for field in schema} == dict(era_of(month).columns)


def test_the_months_that_a_jvm_stages_have_every_type_of_every_column(folder: Path) -> None:
    def columns(months: list[str]) -> set[tuple[str, str]]:
        schemas = [pq.read_schema(folder / month / "f.parquet") for month in months]
        return {(field.name.lower(), str(field.type)) for schema in schemas for field in schema}

    assert columns(ON_JVM) == columns(ALL)


@pytest.mark.parametrize("month", [*GOOD, ODD])
def test_every_check_passes_of_what_sail_wrote(folder: Path, on_sail: Facts, month: str) -> None:
    assert failed_checks(folder, month, ON_SAIL, on_sail) == {}


def test_columns_that_nobody_knows_are_beside_their_rows(folder: Path, on_sail: Facts) -> None:
    assert on_sail[DRIFTED]["unknown_columns"] == ["driver_mood", "battery"]
    trips = f"read_parquet('{folder}/{DRIFTED}/sail/trips/**/*.parquet', hive_partitioning = false)"
    with duckdb.connect() as connection:
        moods = connection.execute(
            f"SELECT count(*) FILTER (extra_columns ->> 'driver_mood' LIKE 'mood _'), "
            f"count(*) FILTER ((extra_columns ->> 'battery')::DOUBLE BETWEEN 0 AND 25), count(*) FROM {trips}"
        ).fetchall()
    [(with_mood, with_battery, rows)] = moods
    assert with_battery == rows
    assert 0.8 < with_mood / rows < 0.9
