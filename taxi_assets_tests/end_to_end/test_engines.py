"""The same scripts on Sail, on the Spark of Glue 5 and on that of Glue 6: equal to the row and the cent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts import MONTHLY_TABLES, TRIPS
from glue_jobs.files import parquet_files
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import write_source
from taxi_assets_tests.support.comparing import different_rows
from taxi_assets_tests.support.engines import JVMS, Engine
from taxi_assets_tests.support.odd_months import Month, odd_rows

MONTH = "2024-11"
"""With the hour that the end of daylight saving time repeats."""

Published = tuple[Path, MonthResult]
"""A lake, and the result of the run that published ``MONTH`` in it."""


@pytest.fixture(scope="module")
def month_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the TLC's layout: a month of which one row in forty is odd."""
    folder = tmp_path_factory.mktemp("source")
    trips = write_source(folder, MONTH, rows=20_000)
    odd = Month(MONTH, odd_rows(MONTH, 300)).table()
    pq.write_table(pa.concat_tables([pq.read_table(trips), odd.cast(pq.read_schema(trips))]), trips)
    return folder


@pytest.fixture(scope="module")
def on_sail(run: Callable[..., MonthResult], month_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    lake = tmp_path_factory.mktemp("sail") / "lake"
    result = run(lake, month_source, month=MONTH)
    assert result.succeeded, result.error
    return lake, result


@pytest.fixture(scope="module", params=JVMS, ids=str)
def on_jvm(request: pytest.FixtureRequest, month_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    engine: Engine = request.param
    lake = tmp_path_factory.mktemp(str(engine)) / "lake"
    with engine.installed():
        settings = Settings(lake=str(lake), source=str(month_source), engine=engine.setting, jobs_python=engine.python)
        result = run_month(settings, MONTH, None, lambda *_: None)
    assert result.succeeded, result.error
    assert result.engine.startswith(f"{engine.description}."), result.engine
    assert result.engine.endswith("(JVM)")
    return lake, result


def test_every_engine_gives_the_same_answers_and_counts(on_sail: Published, on_jvm: Published) -> None:
    (_, one), (_, other) = on_sail, on_jvm
    assert other.checks == one.checks
    assert other.quarantine_reasons == one.quarantine_reasons
    assert (other.published_rows, other.quarantined_rows) == (one.published_rows, one.quarantined_rows)


@pytest.mark.parametrize("name", MONTHLY_TABLES)
def test_every_engine_writes_identical_rows(on_sail: Published, on_jvm: Published, name: str) -> None:
    published = [Lake.in_folder(lake).publisher.live(MONTHLY_TABLES[name], MONTH) for lake, _ in (on_sail, on_jvm)]
    one, other = (entry.path for entry in published if entry is not None)
    assert different_rows(one, other) == 0


def test_the_jvm_writes_one_sorted_file_a_partition_with_the_field_ids_of_the_contract(on_jvm: Published) -> None:
    lake = Lake.in_folder(on_jvm[0])
    live = lake.publisher.live(TRIPS, MONTH)
    assert live is not None
    files = parquet_files(live.path)
    assert len(files) == 30 * 4
    for file in files[::10]:
        schema = pq.read_schema(file)
        assert [int(field.metadata[b"PARQUET:field_id"]) for field in schema] == [c.field_id for c in TRIPS.columns]
        pickups = pq.ParquetFile(file).read(["pickup_at"])["pickup_at"].to_pylist()
        assert pickups == sorted(pickups)


def test_iceberg_reads_what_the_jvm_wrote(on_jvm: Published) -> None:
    lake, result = on_jvm
    rows = Lake.in_folder(lake).catalog.open(TRIPS).scan(selected_fields=("pickup_date", "total_amount")).to_arrow()
    assert rows.num_rows == result.published_rows
    assert [column.null_count for column in rows.columns] == [0, 0]
