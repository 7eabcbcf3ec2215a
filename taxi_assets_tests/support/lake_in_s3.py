"""A copy of a lake in a folder as one in the emulated S3, without running a job.

Belongs here: what tests of the warehouse need of one. Does not: months that run on AWS (``aws_lake``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import MONTHLY_TABLES, TABLES
from glue_jobs.files import open_file_system
from taxi_assets.lake.lake import Lake
from taxi_assets_tests.emulators.aws import REGION, AwsEmulator


def copied_to_s3(local: Lake, aws: AwsEmulator, bucket: str, month: str) -> Lake:
    """The tables of ``local`` and its one ``month``, with the Glue Data Catalog; the caller acts as Dagster's role."""
    aws.provision(bucket, [])
    lake = Lake.in_s3(f"s3://{bucket}/lake", REGION, "taxi_")
    for name, table in TABLES.items():
        if name in MONTHLY_TABLES:
            live = local.publisher.live(table, month)
            assert live is not None, name
            upload(Path(live.path), lake.paths.version(table, month, live.version))
            lake.publisher.publish(table, month, live.version, dict(live.lineage), replacing=None)
        elif (found := local.catalog.find(table)) is not None:
            rows = found.scan().to_arrow()
            lake.catalog.commit(table, appending(rows))
    return lake


def appending(rows: pa.Table) -> Callable[[IcebergTable], None]:
    """The change of a table that appends ``rows`` to it."""
    return lambda iceberg: iceberg.append(rows)


def upload(folder: Path, to: str) -> None:
    """Copy the files below a folder to ``to``, ``s3://bucket/key``."""
    system, path = open_file_system(to)
    for file in sorted(folder.rglob("*.parquet")):
        with system.open_output_stream(f"{path}/{file.relative_to(folder)}") as out:
            out.write(file.read_bytes())
