"""The contract of the raw layer's ledger.

Belongs here: ``raw.files``, the record of every source file that was landed. Does not: the columns of the
source files themselves (``tlc``).
"""

from __future__ import annotations

from glue_jobs.contracts.model import Column, Table, Type, numbered

TRIPS_DATASET = "nyc_taxi"
ZONES_DATASET = "taxi_zones"

FILES = Table(
    layer="raw",
    name="files",
    description=(
        "Ledger of the source files landed in the lake, one row for each content that a month's source was found "
        "to have. The latest row of a dataset and month is the file in force."
    ),
    columns=numbered(
        Column(0, "month", Type.STRING, "Month of the file, YYYY-MM", nullable=False),
        Column(0, "dataset", Type.STRING, f"{TRIPS_DATASET} or {ZONES_DATASET}", nullable=False),
        Column(0, "url", Type.STRING, "Where the file was read", nullable=False),
        Column(0, "path", Type.STRING, "Where it lies in the lake", nullable=False),
        Column(0, "etag", Type.STRING, "The source's own tag of the content, if it gave one"),
        Column(0, "sha256", Type.STRING, "SHA-256 of the content, hexadecimal", nullable=False),
        Column(0, "bytes", Type.BIGINT, "Size of the file", "bytes", nullable=False),
        Column(0, "rows", Type.BIGINT, "Rows in the file", "rows", nullable=False),
        Column(0, "physical_schema", Type.STRING, "Columns and types as found in the file, a JSON object"),
        Column(0, "run_id", Type.STRING, "Dagster run that landed it", nullable=False),
        Column(0, "landed_at", Type.TIMESTAMP_NTZ, "When it was landed, UTC", nullable=False),
    ),
    partition_by=("month",),
    grain=("month", "dataset", "landed_at"),
)
