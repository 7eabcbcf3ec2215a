"""What every JVM Spark is to have in common with Sail; a file for each Spark makes tests of it, with one JVM.

Belongs here: the comparisons. Does not: which Sparks there are (``support.engines``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts import MONTHLY_TABLES, TRIPS
from glue_jobs.files import parquet_files
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import on_three_days, write_source
from taxi_assets_tests.support.comparing import different_rows
from taxi_assets_tests.support.engines import ON_SAIL, Engine
from taxi_assets_tests.support.era_months import (
    DRIFTED,
    MISFIT,
    ODD,
    ON_JVM,
    Facts,
    failed_checks,
    staged,
    write_months,
)
from taxi_assets_tests.support.odd_months import Month, odd_rows

_OF_THE_ENGINE = ("spark_version", "is_strict", "seconds")
"""What a report says that is not of the month."""


class StagesAsSailDoes:
    """Months of every era, and odd ones, staged by ``engine`` in one JVM: identical rows, and the same report."""

    engine: ClassVar[Engine]

    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A folder for each month with its file."""
        return write_months(tmp_path_factory.mktemp("eras"))

    @pytest.fixture(scope="class")
    def on_sail(self, folder: Path) -> Facts:
        """What Sail reports."""
        return staged(ON_SAIL, folder, ON_JVM)

    @pytest.fixture(scope="class")
    def on_jvm(self, folder: Path) -> Facts:
        """What the JVM Spark reports."""
        return staged(self.engine, folder, ON_JVM)

    def test_the_jvm_is_of_the_version_and_as_strict_as_glue_runs_it(self, on_jvm: Facts) -> None:
        assert {f"spark {on_jvm[month]['spark_version']}".rpartition(".")[0] for month in ON_JVM} == {
            self.engine.description
        }
        assert {on_jvm[month]["is_strict"] for month in ON_JVM} == {self.engine.is_strict}

    @pytest.mark.parametrize("month", ON_JVM)
    @pytest.mark.parametrize("table", ["trips", "quarantine"])
    def test_every_engine_stages_identical_rows(
        self, folder: Path, on_sail: Facts, on_jvm: Facts, month: str, table: str
    ) -> None:
        one, other = (f"{folder}/{month}/{engine}/{table}" for engine in (ON_SAIL, self.engine))
        assert different_rows(one, other) == 0

    @pytest.mark.parametrize("month", ON_JVM)
    def test_every_engine_reports_the_same(self, on_sail: Facts, on_jvm: Facts, month: str) -> None:
        one, other = (
            {name: value for name, value in facts[month].items() if name not in _OF_THE_ENGINE}
            for facts in (on_sail, on_jvm)
        )
        assert one == other
        assert one["source_rows"] == one["published_rows"] + one["quarantined_rows"]

    @pytest.mark.parametrize("month", [month for month in ON_JVM if month != MISFIT])
    def test_every_check_passes_of_what_the_jvm_wrote(self, folder: Path, on_jvm: Facts, month: str) -> None:
        assert failed_checks(folder, month, self.engine, on_jvm) == {}

    def test_every_era_stages_into_the_one_current_contract(self, folder: Path, on_sail: Facts, on_jvm: Facts) -> None:
        for month in set(ON_JVM) - {DRIFTED, ODD, MISFIT}:
            for engine in (ON_SAIL, self.engine):
                files = parquet_files(f"{folder}/{month}/{engine}/trips")
                assert {tuple(pq.read_schema(file).names) for file in files} == {TRIPS.column_names}


MONTH = "2024-11"
"""With the hour that the end of daylight saving time repeats."""

Published = tuple[Path, MonthResult]
"""A lake, and the result of the run that published ``MONTH`` in it."""


class PublishesAsSailDoes:
    """A whole run of the month's job on ``engine``: the same answers and counts, equal to the row and the cent."""

    engine: ClassVar[Engine]

    @pytest.fixture(scope="class")
    def month_source(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A folder in the TLC's layout: a month of which one row in forty is odd."""
        folder = tmp_path_factory.mktemp("source")
        trips = write_source(folder, MONTH, rows=20_000)
        plain = on_three_days(pq.read_table(trips), MONTH)
        odd = Month(MONTH, odd_rows(MONTH, 300)).table()
        pq.write_table(pa.concat_tables([plain, odd.cast(plain.schema)]), trips)
        return folder

    @pytest.fixture(scope="class")
    def on_sail(
        self, run: Callable[..., MonthResult], month_source: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Published:
        lake = tmp_path_factory.mktemp("sail") / "lake"
        result = run(lake, month_source, month=MONTH)
        assert result.succeeded, result.error
        return lake, result

    @pytest.fixture(scope="class")
    def on_jvm(self, month_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
        lake = tmp_path_factory.mktemp(str(self.engine)) / "lake"
        with self.engine.installed():
            settings = Settings(
                lake=str(lake), source=str(month_source), engine=self.engine.setting, jobs_python=self.engine.python
            )
            result = run_month(settings, MONTH, None, lambda *_: None)
        assert result.succeeded, result.error
        assert result.engine.startswith(f"{self.engine.description}."), result.engine
        assert result.engine.endswith("(JVM)")
        return lake, result

    def test_every_engine_gives_the_same_answers_and_counts(self, on_sail: Published, on_jvm: Published) -> None:
        (_, one), (_, other) = on_sail, on_jvm
        assert other.checks == one.checks
        assert other.quarantine_reasons == one.quarantine_reasons
        assert (other.published_rows, other.quarantined_rows) == (one.published_rows, one.quarantined_rows)

    @pytest.mark.parametrize("name", MONTHLY_TABLES)
    def test_every_engine_writes_identical_rows(self, on_sail: Published, on_jvm: Published, name: str) -> None:
        published = [Lake.in_folder(lake).publisher.live(MONTHLY_TABLES[name], MONTH) for lake, _ in (on_sail, on_jvm)]
        one, other = (entry.path for entry in published if entry is not None)
        assert different_rows(one, other) == 0

    def test_the_jvm_writes_one_sorted_file_a_partition_with_the_field_ids_of_the_contract(
        self, on_sail: Published, on_jvm: Published
    ) -> None:
        by_engine = []
        for lake, _ in (on_sail, on_jvm):
            live = Lake.in_folder(lake).publisher.live(TRIPS, MONTH)
            assert live is not None
            by_engine.append((Path(live.path), parquet_files(live.path)))
        (_, of_sail), (_, files) = by_engine
        partitions = [{Path(file).parent.relative_to(folder) for file in found} for folder, found in by_engine]
        assert partitions[0] == partitions[1]
        assert len(files) == len(of_sail) == len(partitions[1]) >= 3 * 4
        for file in files[::3]:
            schema = pq.read_schema(file)
            assert [int(field.metadata[b"PARQUET:field_id"]) for field in schema] == [c.field_id for c in TRIPS.columns]
            pickups = pq.ParquetFile(file).read(["pickup_at"])["pickup_at"].to_pylist()
            assert pickups == sorted(pickups)

    def test_iceberg_reads_what_the_jvm_wrote(self, on_jvm: Published) -> None:
        lake, result = on_jvm
        rows = Lake.in_folder(lake).catalog.open(TRIPS).scan(selected_fields=("pickup_date", "total_amount")).to_arrow()
        assert rows.num_rows == result.published_rows
        assert [column.null_count for column in rows.columns] == [0, 0]
