"""Publishing a month of a table, its history, and putting an earlier version back.

Belongs here: everything that commits to a monthly table. Does not: audits (they come before), or reading rows.

A job writes plain Parquet to a fresh version folder; one Iceberg transaction then replaces the month with those
files. Readers see the old month or the new one, and a crash leaves an unreferenced folder.
"""

from __future__ import annotations

import logging
import random
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Operation, Snapshot

from glue_jobs.contracts import Table
from glue_jobs.files import parquet_files, parquet_rows
from taxi_assets.lake.catalog import LakeCatalog
from taxi_assets.lake.paths import LakePaths

_PREFIX = "taxi."
_MONTH, _VERSION, _ROWS, _ROLLBACK = "taxi.month", "taxi.version", "taxi.rows", "taxi.rollback"
_ATTEMPTS = 8
_log = logging.getLogger(__name__)


class PublishConflict(Exception):
    """Another run has published the same month in the meantime; nothing was changed."""


class NoSuchVersion(Exception):
    """The table has no such month, or the month no such version."""


@dataclass(frozen=True)
class Publication:
    """One version of one month of a table, as its snapshot tells.

    ``lineage`` holds what the snapshot's summary says beyond month, version and rows: run id, rule-set version,
    source hash, for curated tables the staging snapshot and version.
    """

    table: str
    month: str
    version: str
    rows: int
    snapshot_id: int
    published_at: datetime
    path: str
    lineage: Mapping[str, str]
    is_rollback: bool = False


class Publisher:
    """Publishes to, and reads the history of, the lake's monthly tables."""

    def __init__(self, paths: LakePaths, catalog: LakeCatalog) -> None:
        self._paths = paths
        self._catalog = catalog

    def publish(self, table: Table, month: str, version: str, lineage: Mapping[str, str]) -> Publication:
        """Make the files of a version folder the month's content (no files: the month is empty).

        Raises PublishConflict if another run published the month since this call began.
        """
        folder = self._paths.version(table, month, version)
        scheme = "s3://" if folder.startswith("s3://") else ""
        files = [f"{scheme}{path}" for path in parquet_files(folder)]
        return self._commit(table, month, version, files, parquet_rows(folder), lineage)

    def roll_back(self, table: Table, month: str, to: str | None = None) -> Publication:
        """Put an earlier version of a month back, as a new commit: ``to``, or else the one before the live one.

        Raises NoSuchVersion if there is none.
        """
        history = self.history(table, month)
        if not history:
            raise NoSuchVersion(f"{table.full_name} has nothing published for {month}")
        live = history[0].version
        earlier = [entry for entry in history if entry.version != live]
        chosen = next((entry for entry in earlier if to in (None, entry.version)), None)
        if chosen is None:
            known = ", ".join(dict.fromkeys(entry.version for entry in earlier)) or "none"
            wanted = f"no earlier version {to}" if to else "no earlier version"
            raise NoSuchVersion(f"{table.full_name} has {wanted} of {month}; live is {live}, earlier ones: {known}")
        iceberg = self._catalog.open(table)
        scan = iceberg.scan(row_filter=month_filter(month), snapshot_id=chosen.snapshot_id)
        files = [task.file.file_path for task in scan.plan_files()]
        return self._commit(table, month, chosen.version, files, chosen.rows, {**chosen.lineage, "rollback": "true"})

    def live(self, table: Table, month: str) -> Publication | None:
        """What readers see of a month; None if it was never published."""
        return next(iter(self.history(table, month)), None)

    def history(self, table: Table, month: str | None = None) -> list[Publication]:
        """Publications of a month, or of all months, newest first. Reads one metadata file."""
        if not self._catalog.exists(table):
            return []
        return [
            entry
            for entry in self._publications(table, self._catalog.open(table))
            if month is None or entry.month == month
        ]

    def months(self, table: Table) -> dict[str, Publication]:
        """What is live, for every published month in order."""
        live: dict[str, Publication] = {}
        for entry in self.history(table):
            live.setdefault(entry.month, entry)
        return dict(sorted(live.items()))

    def files(self, table: Table) -> list[str]:
        """URIs of the files that readers see, all months."""
        if not self._catalog.exists(table):
            return []
        return sorted(task.file.file_path for task in self._catalog.open(table).scan().plan_files())

    def _commit(
        self, table: Table, month: str, version: str, files: Sequence[str], rows: int, lineage: Mapping[str, str]
    ) -> Publication:
        summary = {_MONTH: month, _VERSION: version, _ROWS: str(rows)}
        summary |= {f"{_PREFIX}{name}": value for name, value in lineage.items()}
        before = self.live(table, month)
        for attempt in range(_ATTEMPTS):
            iceberg = self._catalog.open(table)
            now = next((entry for entry in self._publications(table, iceberg) if entry.month == month), None)
            if now != before:
                raise PublishConflict(
                    f"{table.full_name}: another run published {month} in the meantime"
                    f" (version {now.version if now else 'none'}); run the month again if yours should stand"
                )
            try:
                _replace(iceberg, month, files, summary)
                break
            except CommitFailedException as conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
                _log.info("%s: another month was committed first (%s); trying again", table.full_name, conflict)
                time.sleep(random.uniform(0, 0.1 * 2**attempt))
        published = self.live(table, month)
        assert published is not None  # it was just committed
        return published

    def _publications(self, table: Table, iceberg: IcebergTable) -> list[Publication]:
        found = []
        for snapshot in _newest_first(iceberg):
            summary = snapshot.summary.additional_properties if snapshot.summary else {}
            if snapshot.summary is None or snapshot.summary.operation == Operation.DELETE or _MONTH not in summary:
                continue
            month, version = summary[_MONTH], summary[_VERSION]
            own = {_MONTH, _VERSION, _ROWS, _ROLLBACK}
            found.append(
                Publication(
                    table=table.full_name,
                    month=month,
                    version=version,
                    rows=int(summary[_ROWS]),
                    snapshot_id=snapshot.snapshot_id,
                    published_at=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, timezone.utc),
                    path=self._paths.version(table, month, version),
                    lineage={
                        name.removeprefix(_PREFIX): value
                        for name, value in summary.items()
                        if name.startswith(_PREFIX) and name not in own
                    },
                    is_rollback=_ROLLBACK in summary,
                )
            )
        return found


def month_filter(month: str) -> str:
    """Iceberg's filter for the rows of a month."""
    return f"month == '{month}'"


def _newest_first(iceberg: IcebergTable) -> list[Snapshot]:
    """The snapshots that led to the current one, it first."""
    chain = []
    snapshot = iceberg.current_snapshot()
    while snapshot is not None:
        chain.append(snapshot)
        parent = snapshot.parent_snapshot_id
        snapshot = iceberg.snapshot_by_id(parent) if parent is not None else None
    return chain


def _replace(iceberg: IcebergTable, month: str, files: Sequence[str], summary: dict[str, str]) -> None:
    with iceberg.transaction() as transaction, warnings.catch_warnings():
        # A month published for the first time, or that was empty, has nothing to delete.
        warnings.filterwarnings("ignore", message="Delete operation did not match any records")
        transaction.delete(month_filter(month), snapshot_properties=summary)
        if files:
            transaction.add_files(list(files), snapshot_properties=summary, check_duplicate_files=False)
        else:  # a version without rows is a version all the same
            transaction.append(iceberg.schema().as_arrow().empty_table(), snapshot_properties=summary)
