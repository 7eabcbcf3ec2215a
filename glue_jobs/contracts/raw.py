"""The contract of the raw layer's ledger.

Belongs here: ``raw.files``, the record of every source file that was landed. Does not: the columns of the
source files themselves (``tlc``).
"""

from __future__ import annotations

from glue_jobs.contracts.model import Column, Table, Type

TRIPS_DATASET = "nyc_taxi"
ZONES_DATASET = "taxi_zones"
SHAPES_DATASET = "taxi_zone_shapes"
ALL_MONTHS = "all"
"""In the ledger, the month of a file that is of none."""
RAW_FILES = {
    "raw.trips": "The TLC's trip files as they came, each row with the month of its file",
    "raw.zones": "The TLC's lookup of taxi zones",
}
"""What SQL finds in the source files themselves; their columns are the TLC's (``tlc``)."""

FILES = Table(
    layer="raw",
    name="files",
    description=(
        "Ledger of the source files landed in the lake: a row for each content that a month's source was found to "
        "have, and a row for each that was refused after it was landed. In force is the last file of a dataset and "
        "month that no later row refuses."
    ),
    columns=(
        Column(1, "month", Type.STRING, f"Month of the file, YYYY-MM; {ALL_MONTHS} for zone shapes", nullable=False),
        Column(2, "dataset", Type.STRING, f"{TRIPS_DATASET}, {ZONES_DATASET} or {SHAPES_DATASET}", nullable=False),
        Column(3, "url", Type.STRING, "Where the file was read", nullable=False),
        Column(4, "path", Type.STRING, "Where it lies in the lake", nullable=False),
        Column(5, "etag", Type.STRING, "The source's own tag of the content, if it gave one"),
        Column(6, "sha256", Type.STRING, "SHA-256 of the content, hexadecimal", nullable=False),
        Column(7, "bytes", Type.BIGINT, "Size of the file", unit="bytes", nullable=False),
        Column(8, "rows", Type.BIGINT, "Rows in the file", unit="rows", nullable=False),
        Column(9, "physical_schema", Type.STRING, "Columns and types as found in the file, a JSON object"),
        Column(10, "run_id", Type.STRING, "Dagster run that landed or refused it", nullable=False),
        Column(11, "landed_at", Type.TIMESTAMP_NTZ, "When it was landed or refused, UTC", nullable=False),
        Column(12, "refused_because", Type.STRING, "Why the file was refused; null in a row that says it was landed"),
        Column(13, "refused_by", Type.STRING, "Version of the jobs' code that refused it; null as above"),
    ),
    partition_by=("month",),
    grain=("month", "dataset", "landed_at"),
    version=2,
)

MASKED_FROM = "masked:k="
"""What the address of a masked file begins with (``glue_jobs.masking``)."""
MASKED = "Times and zones of this lake are coarsened, and rare pairs of zones are merged: it is for development."
"""What whoever looks at a masked lake is told."""


def masked_address(url: str, k: int) -> str:
    """The address of a file of which each row was made one of at least ``k``, for the ledger."""
    return f"{MASKED_FROM}{k}:{url}"


def k_of(url: str) -> int:
    """What ``masked_address`` was told; 0 for the address of a file that came as it is."""
    return int(url.removeprefix(MASKED_FROM).partition(":")[0]) if url.startswith(MASKED_FROM) else 0


def unmasked_address(url: str) -> str:
    """The address that a masked file was read from, or the one of a file that came as it is."""
    return url.removeprefix(MASKED_FROM).partition(":")[2] if url.startswith(MASKED_FROM) else url
