"""Publishing a month of a table, its history, and putting an earlier version back.

Belongs here: everything that commits to a monthly table. Does not: checks (they come before), or reading rows.

A job writes plain Parquet to a fresh version folder; one Iceberg transaction then replaces the month with those
files. Readers see the old month or the new one, and a crash leaves an unreferenced folder.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import Table
from glue_jobs.errors import Cause, PipelineError
from taxi_assets.lake.catalog import LakeCatalog, reading
from taxi_assets.lake.paths import LakePaths
from taxi_assets.lake.records import (
    MONTH,
    PREFIX,
    ROLLBACK,
    ROWS,
    VERSION,
    Record,
    known_versions,
    live_property,
    others_have_committed,
    record_of,
    records,
)
from taxi_assets.lake.transaction import Transaction


class PublishConflict(PipelineError):
    """Another run has published the same month in the meantime; nothing was changed."""

    cause = Cause.CONFLICT


class FilesChanged(PipelineError):
    """The files of a version are not those that were checked; nothing was changed."""

    cause = Cause.LAKE


class NoSuchVersion(PipelineError):
    """The table has no such month, the month no such version, or the version has expired."""

    cause = Cause.ORDER


@dataclass(frozen=True)
class Publication:
    """One version of one month of a table.

    ``lineage`` holds what was recorded with it beyond month, version and rows: run id, rule-set version, source hash,
    for curated tables the staging snapshot and version. ``snapshot_id`` may be of a snapshot that has expired.
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

    def is_under(self, table: Table) -> bool:
        """Whether it was written under the contract that ``table`` has today."""
        return self.lineage.get("contract_version") == str(table.version)


class Publisher:
    """Publishes to, and reads the history of, the lake's monthly tables."""

    def __init__(self, paths: LakePaths, catalog: LakeCatalog) -> None:
        self._paths = paths
        self._catalog = catalog

    def publish(
        self,
        table: Table,
        month: str,
        version: str,
        lineage: Mapping[str, str],
        replacing: Publication | None,
        checked_rows: int | None = None,
    ) -> Publication:
        """Make the files of a version folder the month's content (no files: the month is empty).

        ``replacing`` is what was live when the caller began its work. Raises PublishConflict, and changes
        nothing, if something else is live by now: another run was quicker, perhaps with a newer source file.
        Raises FilesChanged if the files do not have the ``checked_rows``, where the caller had them checked: a folder
        that has gone since would be published as a month without rows.
        """
        from glue_jobs.files import parquet_files, parquet_rows  # PyArrow, which whoever reads does without

        folder = self._paths.version(table, month, version)
        rows = parquet_rows(folder)
        if checked_rows is not None and rows != checked_rows:
            raise FilesChanged(
                f"{table.full_name}: the files in {folder} have {rows:,} rows; when they were checked they had "
                f"{checked_rows:,}. {month} was not published, readers see what they saw before",
                f"find out what deletes or writes files there, then: taxi-assets run --month {month}",
            )
        return self._commit(table, month, version, parquet_files(folder), rows, lineage, replacing)

    def version_to_restore(self, table: Table, month: str, to: str | None = None) -> Publication:
        """The publication that ``roll_back`` would put back: of version ``to``, or else of the one before.

        "Before" is by first publication: rolling back twice goes two versions back, not back and forth.
        Raises NoSuchVersion if there is none, or if the version has expired.
        """
        return self._to_restore(table, month, to)[0]

    def roll_back(self, table: Table, month: str, to: str | None = None) -> Publication:
        """Put another version of a month back, as a new commit; see ``version_to_restore`` for which.

        Raises NoSuchVersion if there is none, PublishConflict if a run publishes the month meanwhile.
        """
        chosen, files = self._to_restore(table, month, to)
        live = self.live(table, month)
        lineage = {**chosen.lineage, "rollback": "true"}
        return self._commit(table, month, chosen.version, files, chosen.rows, lineage, live)

    def roll_back_together(self, tables: Sequence[Table], month: str, to: str | None = None) -> list[Publication]:
        """Put one version of a month back in several tables: in all of them, or in none if one cannot.

        The version is ``to``, or the one before the first table's live one; a table that has it live already stays.
        Returns what is then live of each table. Raises as ``roll_back`` does; the tables are committed one after
        the other, the last one first, so that a crash can leave them apart (``lake.status`` says so).
        """
        version = self.version_to_restore(tables[0], month, to).version
        live = {table.full_name: self.live(table, month) for table in tables}
        pending = [table for table in tables if (now := live[table.full_name]) is None or now.version != version]
        for table in pending:
            self.version_to_restore(table, month, version)  # before the first commit
        for table in reversed(pending):
            live[table.full_name] = self.roll_back(table, month, version)
        return [publication for publication in live.values() if publication is not None]

    def _to_restore(self, table: Table, month: str, to: str | None) -> tuple[Publication, list[str]]:
        """The publication to put back, and the URIs of its files."""
        iceberg = self._catalog.find(table)
        history = self._publications(table, iceberg, month) if iceberg else []
        again = f"taxi-assets run --month {month}"
        if iceberg is None or not history:
            raise NoSuchVersion(f"{table.full_name} has nothing published for {month}", again)
        live, versions = history[0].version, known_versions(iceberg, month)
        kept = {entry.version: entry for entry in history if iceberg.snapshot_by_id(entry.snapshot_id) is not None}
        others = [version for version in versions if version in kept and version != live]
        there = f"live is {live}, others: {', '.join(others) or 'none'}"
        older = versions[versions.index(live) + 1 :]
        candidates = older[:1] if to is None else [to] if to in versions and to != live else []
        if not candidates:
            wanted = f"no version {to} to put back" if to else "no version before the live one"
            raise NoSuchVersion(
                f"{table.full_name} has {wanted} for {month}; {there}",
                "name one of the others with --to" if others else again,
            )
        [chosen] = candidates
        with reading(table):
            files = _files(iceberg, kept[chosen]) if chosen in kept else None
        if files is None:
            raise NoSuchVersion(
                f"{table.full_name}: version {chosen} of {month} has expired: its snapshot or its files were removed, "
                f"and it cannot be put back; {there}",
                f"name another one with --to, or build the month again: {again}",
            )
        return kept[chosen], files

    def live(self, table: Table, month: str) -> Publication | None:
        """What readers see of a month; None if it was never published."""
        return next(iter(self.history(table, month)), None)

    def history(self, table: Table, month: str | None = None) -> list[Publication]:
        """Publications of a month, or of all months, newest first. Reads one metadata file.

        What is live is always among them; of earlier publications, those whose snapshots have not expired.
        """
        iceberg = self._catalog.find(table)
        if iceberg is None:
            return []
        return self._publications(table, iceberg, month)

    def months(self, table: Table) -> dict[str, Publication]:
        """What is live, for every published month in order."""
        live: dict[str, Publication] = {}
        for entry in self.history(table):
            live.setdefault(entry.month, entry)
        return dict(sorted(live.items()))

    def changed_by_others(self, table: Table) -> dict[str, int]:
        """Month to the rows that readers see of it, where another program has made them other than was published.

        By the counts in Iceberg's manifests, which are only read if another program has committed at all.
        """
        iceberg = self._catalog.find(table)
        if iceberg is None or not others_have_committed(iceberg):
            return {}
        seen: dict[str, int] = defaultdict(int)
        for task in iceberg.scan().plan_files():
            deleted = sum(file.record_count for file in task.delete_files)
            seen[str(task.file.partition[0])] += task.file.record_count - deleted
        published = {month: entry.rows for month, entry in self.months(table).items()}
        return {
            month: seen.get(month, 0)
            for month in sorted(seen.keys() | published.keys())
            if seen.get(month, 0) != published.get(month)
        }

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
        summary = {MONTH: month, VERSION: version, ROWS: str(rows)}
        summary |= {f"{PREFIX}{name}": value for name, value in lineage.items()}

        def replace(iceberg: IcebergTable) -> None:
            now = next(iter(self._publications(table, iceberg, month)), None)
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

    def _publications(self, table: Table, iceberg: IcebergTable, month: str | None) -> list[Publication]:
        return [self._publication(table, record) for record in records(iceberg, month)]

    def _publication(self, table: Table, record: Record) -> Publication:
        own = {MONTH, VERSION, ROWS, ROLLBACK}
        return Publication(
            table=table.full_name,
            month=record.month,
            version=record.version,
            rows=int(record.summary[ROWS]),
            snapshot_id=record.snapshot_id,
            published_at=datetime.fromtimestamp(record.timestamp_ms / 1000, timezone.utc),
            path=self._paths.version(table, record.month, record.version),
            lineage={name.removeprefix(PREFIX): text for name, text in record.summary.items() if name not in own},
            is_rollback=ROLLBACK in record.summary,
        )


def month_filter(month: str) -> str:
    """Iceberg's filter for the rows of a month."""
    return f"month == '{month}'"


def _files(iceberg: IcebergTable, publication: Publication) -> list[str] | None:
    """URIs of a publication's files; None if one of them is gone."""
    scan = iceberg.scan(row_filter=month_filter(publication.month), snapshot_id=publication.snapshot_id)
    files = [task.file.file_path for task in scan.plan_files()]
    return files if all(iceberg.io.new_input(file).exists() for file in files) else None


def _replace(iceberg: IcebergTable, month: str, files: Sequence[str], summary: dict[str, str]) -> None:
    known = known_versions(iceberg, month)
    versions = known if summary[VERSION] in known else [summary[VERSION], *known]
    with Transaction(iceberg) as transaction, warnings.catch_warnings():
        # A month published for the first time, or that was empty, has nothing to delete.
        warnings.filterwarnings("ignore", message="Delete operation did not match any records")
        transaction.delete(month_filter(month), snapshot_properties=summary)
        if files:
            transaction.add_files(list(files), snapshot_properties=summary, check_duplicate_files=False)
        else:  # a version without rows is a version all the same
            transaction.append(iceberg.schema().as_arrow().empty_table(), snapshot_properties=summary)
        transaction.set_properties(live_property(month, record_of(transaction.table_metadata), versions))
