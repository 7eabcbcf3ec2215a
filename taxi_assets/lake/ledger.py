"""The ledger of the raw layer: which source files were landed, and which is in force.

Belongs here: reading and writing ``raw.files``. Does not: the files themselves.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

from glue_jobs.contracts import FILES
from taxi_assets.lake.catalog import LakeCatalog


@dataclass(frozen=True)
class LandedFile:
    """One row of the ledger."""

    month: str
    dataset: str
    url: str
    path: str
    etag: str
    sha256: str
    bytes: int
    rows: int
    physical_schema: str
    run_id: str
    landed_at: datetime


class Ledger:
    """Reads and extends ``raw.files``."""

    def __init__(self, catalog: LakeCatalog) -> None:
        self._catalog = catalog

    def record(self, month: str, dataset: str, facts: Mapping[str, Any], run_id: str) -> LandedFile:
        """Enter a landed file unless the one in force has the same content; returns the one now in force.

        ``facts`` are those that the job ``ingest_raw`` reports of a file.
        """
        current = self.current(month, dataset)
        if current is not None and current.sha256 == facts["sha256"]:
            return current
        landed = LandedFile(
            month=month,
            dataset=dataset,
            url=facts["url"],
            path=facts["path"],
            etag=facts["etag"],
            sha256=facts["sha256"],
            bytes=facts["bytes"],
            rows=facts["rows"],
            physical_schema=json.dumps(facts["physical_schema"]),
            run_id=run_id,
            landed_at=datetime.now(timezone.utc).replace(tzinfo=None),
        )
        self._catalog.commit(
            FILES,
            lambda table: table.append(pa.Table.from_pylist([landed.__dict__], schema=table.schema().as_arrow())),
        )
        return landed

    def current(self, month: str, dataset: str) -> LandedFile | None:
        """The file in force for a month; None if none was landed."""
        return next((file for file in self.all_current(dataset, month)), None)

    def all_current(self, dataset: str, month: str | None = None) -> list[LandedFile]:
        """The files in force, one a month, in order."""
        entries = self._entries(dataset, None if month is None else [month])
        latest = {file.month: file for file in entries}
        return [latest[month] for month in sorted(latest)]

    def history(self, dataset: str, months: Collection[str]) -> dict[str, list[LandedFile]]:
        """All that was landed of each of ``months``, in the order of time: the last one is in force."""
        found: dict[str, list[LandedFile]] = {month: [] for month in months}
        for file in self._entries(dataset, months):
            found[file.month].append(file)
        return found

    def _entries(self, dataset: str, months: Collection[str] | None) -> list[LandedFile]:
        """The ledger's rows, the oldest first; of all months without ``months``."""
        ledger = self._catalog.find(FILES)
        if ledger is None or (months is not None and not months):
            return []
        named = "', '".join(sorted(months or ()))
        condition = f"dataset == '{dataset}'" + (f" and month in ('{named}')" if months is not None else "")
        scan = ledger.scan(row_filter=condition)
        rows = sorted(scan.to_arrow().to_pylist(), key=lambda row: row["landed_at"])
        return [LandedFile(**row) for row in rows]
