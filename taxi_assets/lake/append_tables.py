"""The tables that are only appended to: the ledger of landed files, the history of checks, the metrics of runs.

Belongs here: appending rows, reading them back. Does not: landing files, asking checks, measuring.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import CHECK_HISTORY, FILES, RUN_METRICS, Table
from taxi_assets.lake.catalog import LakeCatalog
from taxi_assets.lake.paths import LakePaths
from taxi_assets.lake.transaction import Transaction


@dataclass(frozen=True)
class LandedFile:
    """One row of the ledger: a file that was landed or, with ``refused_because``, one that was refused."""

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
    refused_because: str | None = None
    refused_by: str | None = None


def in_force(history: Sequence[LandedFile]) -> LandedFile | None:
    """Of a month's rows, the oldest first: the last file that no later row refuses; None if there is none."""
    refused: set[str] = set()
    for row in reversed(history):
        if row.refused_because is None and row.sha256 not in refused:
            return row
        if row.refused_because is not None:
            refused.add(row.sha256)
    return None


def refusal_since(history: Sequence[LandedFile], current: LandedFile | None) -> LandedFile | None:
    """The last row of ``history``, rows of one content, if it refuses it and is newer than ``current``."""
    last = history[-1] if history else None
    if last is None or last.refused_because is None or (current is not None and current.landed_at > last.landed_at):
        return None
    return last


class Ledger:
    """Reads and extends ``raw.files``."""

    def __init__(self, paths: LakePaths, catalog: LakeCatalog) -> None:
        self._paths = paths
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
            landed_at=self._time_of_the_next(month, dataset),
        )
        append(self._catalog, FILES, [landed.__dict__])
        return landed

    def refuse(self, file: LandedFile, because: str, code: str, run_id: str) -> None:
        """Enter that ``file`` was refused by the jobs' ``code``: what was in force before it is so again."""
        now = self._time_of_the_next(file.month, file.dataset)
        row = replace(file, run_id=run_id, landed_at=now, refused_because=because, refused_by=code)
        append(self._catalog, FILES, [row.__dict__])

    def current(self, month: str, dataset: str) -> LandedFile | None:
        """The file in force for a month; None if none was landed, or all were refused."""
        return next((file for file in self.all_current(dataset, month)), None)

    def all_current(self, dataset: str, month: str | None = None, until: datetime | None = None) -> list[LandedFile]:
        """The files in force now, or at the time ``until`` (UTC), one a month, in order."""
        histories = self.history(dataset, None if month is None else [month])
        if until is not None:
            end = until.astimezone(timezone.utc).replace(tzinfo=None)
            histories = {name: [row for row in rows if row.landed_at <= end] for name, rows in histories.items()}
        return [file for _, rows in sorted(histories.items()) if (file := in_force(rows)) is not None]

    def history(self, dataset: str, months: Collection[str] | None = None) -> dict[str, list[LandedFile]]:
        """All that was landed and refused of each of ``months``, or of every month, in the order of time."""
        found: dict[str, list[LandedFile]] = {month: [] for month in months or ()}
        for file in self._entries(dataset, months):
            found.setdefault(file.month, []).append(file)
        return found

    def _time_of_the_next(self, month: str, dataset: str) -> datetime:
        """The clock's, but later than every row of the month: what is in force is told by the order of these times.

        Once a clock was ahead for one run, or is set back, a file that lands now would else never be in force.
        """
        landed = self._entries(dataset, [month])
        return max(_now(), landed[-1].landed_at + timedelta(microseconds=1)) if landed else _now()

    def _entries(self, dataset: str, months: Collection[str] | None) -> list[LandedFile]:
        """The ledger's rows, the oldest first; of all months without ``months``."""
        if months is not None and not months:
            return []
        named = "', '".join(sorted(months or ()))
        condition = f"dataset == '{dataset}'" + (f" and month in ('{named}')" if months is not None else "")
        rows = sorted(self._catalog.rows(FILES, condition), key=lambda row: row["landed_at"])
        # The lake may have been moved since.
        return [LandedFile(**{**row, "path": self._paths.raw_file(row["path"])}) for row in rows]


class CheckHistory:
    """Reads and extends ``quality.check_history``."""

    def __init__(self, catalog: LakeCatalog) -> None:
        self._catalog = catalog

    def record(
        self, month: str, answers: Sequence[Mapping[str, object]], *, version: str, rules_version: int, run_id: str
    ) -> int:
        """Append what the checks of one run found; returns the number of rows.

        ``answers`` have the columns that are not the run's: asset, check_name, passed, severity and so on.
        """
        common = {
            "month": month,
            "version": version,
            "rules_version": rules_version,
            "run_id": run_id,
            "checked_at": _now(),
        }
        append(self._catalog, CHECK_HISTORY, [{**common, **answer} for answer in answers])
        return len(answers)

    def measures(self, asset: str, versions: Mapping[str, str]) -> dict[str, dict[str, float]]:
        """Measure to month to value, for the version that ``versions`` names for each month; the newest run's."""
        columns = ("month", "measure", "value", "version", "checked_at")
        rows = self._catalog.rows(CHECK_HISTORY, f"asset == '{asset}' and measure != ''", columns)
        found: dict[str, dict[str, float]] = {}
        for row in sorted(rows, key=lambda row: row["checked_at"]):
            if versions.get(row["month"]) == row["version"]:
                found.setdefault(row["measure"], {})[row["month"]] = row["value"]
        return found


class RunMetrics:
    """Extends ``quality.run_metrics``."""

    def __init__(self, catalog: LakeCatalog) -> None:
        self._catalog = catalog

    def record(self, values: Sequence[Mapping[str, object]], month: str, run_id: str) -> None:
        """Append what a run has measured of a month, in one commit.

        ``values`` have the columns that are not the run's: metric, asset, job, value, unit.
        """
        common = {"month": month, "run_id": run_id, "measured_at": _now()}
        append(self._catalog, RUN_METRICS, [{**common, **value} for value in values])


def append(catalog: LakeCatalog, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Append rows to one of these tables, in one commit."""
    import pyarrow as pa  # a tenth of a second that reading does without

    def add(iceberg: IcebergTable) -> None:
        with Transaction(iceberg) as transaction:
            transaction.append(pa.Table.from_pylist(list(rows), schema=iceberg.schema().as_arrow()))

    catalog.commit(table, add)


def _now() -> datetime:
    """UTC without a zone, as the tables have it."""
    return datetime.now(timezone.utc).replace(tzinfo=None)
