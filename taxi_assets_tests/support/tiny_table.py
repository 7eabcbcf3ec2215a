"""A table of a few rows, published by hand, for tests of the lake.

Belongs here: its contract, writing its files, publishing, reading back. Does not: any test.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glue_jobs.contracts import Table
from glue_jobs.contracts.model import Column, Type
from glue_jobs.files import each_footer, open_file_system
from taxi_assets.lake import publishing
from taxi_assets.lake.catalog import iceberg_schema
from taxi_assets.lake.lake import Lake
from taxi_assets_tests.conftest import MONTH

TINY = Table(
    "curated",
    "tiny",
    "A table for tests.",
    (
        Column(1, "month", Type.STRING, "Month", nullable=False),
        Column(2, "day", Type.INT, "Day", nullable=False),
        Column(3, "amount", Type.MONEY, "Amount", unit="USD"),
    ),
    ("month",),
    ("month", "day"),
)

SCHEMA = pa.schema([("month", pa.string()), ("day", pa.int32()), ("amount", pa.decimal128(10, 2))])


def write(lake: Lake, month: str, version: str, days: int) -> None:
    rows = [{"month": month, "day": day, "amount": None} for day in range(days)]
    put_parquet(lake.paths.version(TINY, month, version), pa.Table.from_pylist(rows, schema=SCHEMA))


def put_parquet(folder: str, rows: pa.Table) -> None:
    """One file with these rows below a folder, in S3 too; an empty folder if there are none."""
    system, path = open_file_system(folder)
    system.create_dir(path, recursive=True)
    if rows.num_rows:
        pq.write_table(rows, f"{path}/part-0.parquet", filesystem=system)


def publish(lake: Lake, month: str, version: str, days: int) -> publishing.Publication:
    live = lake.publisher.live(TINY, month)
    write(lake, month, version, days)
    return lake.publisher.publish(TINY, month, version, {"run_id": f"run of {version}"}, replacing=live)


def days_of(lake: Lake, month: str) -> int:
    files = [file for file in lake.publisher.files(TINY) if f"month={month}" in file]
    return sum(each_footer(files, lambda file: int(file.metadata.num_rows)))


def write_rows(folder: str, table: Table, rows: int) -> None:
    """A file with ``rows`` rows of the table: the month, and ones where it takes numbers."""
    arrow = iceberg_schema(table).as_arrow()
    values = {column.name: [1 if column.type is Type.BIGINT else None] * rows for column in table.columns}
    plain = pa.schema([pa.field(field.name, field.type) for field in arrow])
    put_parquet(folder, pa.table({**values, "month": [MONTH] * rows}, schema=plain))


def facts(sha256: str) -> dict[str, Any]:
    return {
        "url": "https://example.org/f",
        "path": f"/lake/{sha256}",
        "etag": "e",
        "sha256": sha256,
        "bytes": 10,
        "rows": 3,
        "physical_schema": {"VendorID": "int32"},
    }
