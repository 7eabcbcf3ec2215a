"""Publishing a month of a table, its history, and putting an earlier version back.

Belongs here: everything that commits to a monthly table. Does not: audits (they come before), or reading rows.

A job writes plain Parquet to a fresh version folder; one Iceberg transaction then replaces the month with those
files. Readers see the old month or the new one, and a crash leaves an unreferenced folder.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Operation, Snapshot

from glue_jobs.contracts import Table
from glue_jobs.errors import Cause, PipelineError
from glue_jobs.files import parquet_files, parquet_rows
from taxi_assets.lake.catalog import LakeCatalog
from taxi_assets.lake.paths import LakePaths

_PREFIX = "taxi."
_MONTH, _VERSION, _ROWS, _ROLLBACK = "taxi.month", "taxi.version", "taxi.rows", "taxi.rollback"


class PublishConflict(PipelineError):
    """Another run has published the same month in the meantime; nothing was changed."""

    cause = Cause.CONFLICT


class NoSuchVersion(PipelineError):
    """The table has no such month, or the month no such version."""

    cause = Cause.ORDER


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

    def publish(
        self, table: Table, month: str, version: str, lineage: Mapping[str, str], replacing: Publication | None
    ) -> Publication:
        """Make the files of a version folder the month's content (no files: the month is empty).

        ``replacing`` is what was live when the caller began its work. Raises PublishConflict, and changes
        nothing, if something else is live by now: another run was quicker, perhaps with a newer source file.
        """
        folder = self._paths.version(table, month, version)
        return self._commit(table, month, version, parquet_files(folder), parquet_rows(folder), lineage, replacing)

    def version_to_restore(self, table: Table, month: str, to: str | None = None) -> Publication:
        """The publication that ``roll_back`` would put back: of version ``to``, or else of the one before.

        "Before" is by first publication: rolling back twice goes two versions back, not back and forth.
        Raises NoSuchVersion if there is none.
        """
        history = self.history(table, month)
        if not history:
            raise NoSuchVersion(
                f"{table.full_name} has nothing published for {month}", f"taxi-assets run --month {month}"
            )
        live = history[0].version
        originals = [entry for entry in history if not entry.is_rollback]
        versions = list(dict.fromkeys(entry.version for entry in originals))
        candidates = (
            versions[versions.index(live) + 1 :] if to is None else [to] if to in versions and to != live else []
        )
        if not candidates:
            known = ", ".join(version for version in versions if version != live) or "none"
            wanted = f"no version {to} to put back" if to else "no version before the live one"
            raise NoSuchVersion(
                f"{table.full_name} has {wanted} for {month}; live is {live}, others: {known}",
                "choose one of the others with --to" if known != "none" else f"taxi-assets run --month {month}",
            )
        return next(entry for entry in originals if entry.version == candidates[0])

    def roll_back(self, table: Table, month: str, to: str | None = None) -> Publication:
        """Put another version of a month back, as a new commit; see ``version_to_restore`` for which.

        Raises NoSuchVersion if there is none, PublishConflict if a run publishes the month meanwhile.
        """
        chosen = self.version_to_restore(table, month, to)
        live = self.live(table, month)
        scan = self._catalog.open(table).scan(row_filter=month_filter(month), snapshot_id=chosen.snapshot_id)
        files = [task.file.file_path for task in scan.plan_files()]
        lineage = {**chosen.lineage, "rollback": "true"}
        return self._commit(table, month, chosen.version, files, chosen.rows, lineage, live)

    def live(self, table: Table, month: str) -> Publication | None:
        """What readers see of a month; None if it was never published."""
        return next(iter(self.history(table, month)), None)

    def history(self, table: Table, month: str | None = None) -> list[Publication]:
        """Publications of a month, or of all months, newest first. Reads one metadata file."""
        iceberg = self._catalog.find(table)
        if iceberg is None:
            return []
        return [entry for entry in self._publications(table, iceberg) if month is None or entry.month == month]

    def months(self, table: Table) -> dict[str, Publication]:
        """What is live, for every published month in order."""
        live: dict[str, Publication] = {}
        for entry in self.history(table):
            live.setdefault(entry.month, entry)
        return dict(sorted(live.items()))

    def files(self, table: Table) -> list[str]:
        """URIs of the files that readers see, all months."""
        return self._catalog.files(table)

    def _commit(
        self,
        table: Table,
        month: str,
        version: str,
        files: Sequence[str],
        rows: int,
        lineage: Mapping[str, str],
        replacing: Publication | None,
    ) -> Publication:
        summary = {_MONTH: month, _VERSION: version, _ROWS: str(rows)}
        summary |= {f"{_PREFIX}{name}": value for name, value in lineage.items()}

        def replace(iceberg: IcebergTable) -> None:
            now = next((entry for entry in self._publications(table, iceberg) if entry.month == month), None)
            if now is not None and now != replacing and now.version == version:
                return  # ours, by a commit whose answer was lost on the way
            if now != replacing:
                raise PublishConflict(
                    f"{table.full_name}: version {now.version if now else 'none'} of {month} was published by another "
                    "run in the meantime and stays",
                    "run the month again if yours should stand",
                )
            _replace(iceberg, month, files, summary)

        self._catalog.commit(table, replace)
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
