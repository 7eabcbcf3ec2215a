"""A month on the emulated AWS whose jobs run on JVM Spark, as Glue's do: what only that Spark writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES
from glue_jobs.files import each_footer
from taxi_assets.lake.catalog_check import check_catalog
from taxi_assets.lake.lake import Lake
from taxi_assets.settings import SPARK
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.emulators.aws import AwsEmulator, Role, emulated_aws
from taxi_assets_tests.emulators.environment import acting_as
from taxi_assets_tests.support.aws_lake import BUCKET, deployed_lake
from taxi_assets_tests.support.engines import SPARK_3

pytestmark = [pytest.mark.emulator, pytest.mark.jvm]


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, AwsEmulator]]:
    """The lake, which is a whole bucket, with one published month, and the emulator."""
    with (
        SPARK_3.installed(),
        emulated_aws(SPARK) as aws,
        acting_as(aws.url, Role.DAGSTER),
        deployed_lake(aws, tmp_path_factory.mktemp("aws"), prefix="") as lake,
    ):
        lake.published()
        yield lake.open(), aws


def test_the_files_carry_the_field_ids_of_the_iceberg_schema(on_spark: tuple[Lake, AwsEmulator]) -> None:
    lake, _ = on_spark
    for table in MONTHLY_TABLES.values():
        expected = {field.name: str(field.field_id).encode() for field in lake.catalog.open(table).schema().fields}
        files = lake.publisher.files(table)
        assert files
        ids = each_footer(
            files, lambda file: {field.name: field.metadata[b"PARQUET:field_id"] for field in file.schema_arrow}
        )
        assert ids == [expected] * len(files)
    assert check_catalog(lake) == []


def test_a_file_with_other_field_ids_is_named(on_spark: tuple[Lake, AwsEmulator], tmp_path: Path) -> None:
    lake, aws = on_spark
    file = lake.publisher.files(CURATED_TABLES["daily_metrics"])[0]
    key = file.removeprefix(f"s3://{BUCKET}/")
    aws.client("s3").download_file(BUCKET, key, str(tmp_path / "good.parquet"))
    rows = pq.read_table(tmp_path / "good.parquet")
    last = len(rows.schema)
    swapped = [field.with_metadata({"PARQUET:field_id": str(last - i)}) for i, field in enumerate(rows.schema)]
    pq.write_table(rows.cast(pa.schema(swapped)), tmp_path / "bad.parquet")
    aws.client("s3").upload_file(str(tmp_path / "bad.parquet"), BUCKET, key)
    [fault] = check_catalog(lake)
    assert f"{MONTH}: {file} has other field ids than the contract: month" in fault.problem
    aws.client("s3").upload_file(str(tmp_path / "good.parquet"), BUCKET, key)
    assert check_catalog(lake) == []


def test_spark_leaves_its_event_logs_in_the_lake(on_spark: tuple[Lake, AwsEmulator]) -> None:
    _, aws = on_spark
    listed = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="logs/spark-events/")
    assert len([entry for entry in listed["Contents"] if entry["Size"] > 0]) >= 2  # of stage_trips and build_curated
