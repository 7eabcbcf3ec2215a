"""Keeping the tables small: few files, few snapshots, no file that no snapshot needs.

Belongs here: what may go and what has to stay. Does not: when it is done (``schedules.maintain_tables``).

No query answers differently for it. Version folders of the monthly tables are not touched (``vacuum`` does).
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

from glue_jobs.contracts import LOGS, TABLES, Table
from taxi_assets.lake.catalog import LakeCatalog, reading
from taxi_assets.lake.files import below
from taxi_assets.lake.records import Record, known_versions, records, unrecorded

RETENTION = timedelta(days=30)
"""Age at which a snapshot may go, if nobody can want it any more."""
_VERSIONS_KEPT = 3
"""Of each month whatever their age: what is live, and the two versions before it."""
_MAY_BE_UNDER_WAY = timedelta(days=1)
"""A file younger than this may belong to a commit that has not landed yet."""


@dataclass(frozen=True)
class Maintained:
    """What was done to one table; ``files`` are the data files that readers see."""

    table: str
    files_before: int
    files_after: int
    snapshots_before: int
    snapshots_after: int
    files_deleted: int
    seconds: float


def maintain(catalog: LakeCatalog, now: datetime, retention: timedelta = RETENTION) -> Iterator[Maintained]:
    """Maintain every table that exists, one after the other.

    TableBusy if others commit to a table all the time; CatalogUnavailable if AWS refuses, or metadata is damaged. What
    was done until then stays, and the rest is done by the next call.
    """
    for table in TABLES.values():
        begun = time.monotonic()
        before = catalog.find(table)
        if before is None:
            continue
        with reading(table):
            files_before = _live_files(before)
        if table.full_name in LOGS:
            compact(catalog, table)
        expire(catalog, table, now - retention)
        deleted = delete_unreferenced(catalog, table, now) if table.full_name in LOGS else 0
        after = catalog.open(table)
        yield Maintained(
            table.full_name,
            files_before=files_before,
            files_after=_live_files(after),
            snapshots_before=len(before.metadata.snapshots),
            snapshots_after=len(after.metadata.snapshots),
            files_deleted=deleted,
            seconds=round(time.monotonic() - begun, 2),
        )


def time_by_commits(catalog: LakeCatalog, now: datetime) -> datetime:
    """``now``, but no later than the newest commit to any table: by a clock that is ahead, nothing has become old."""
    tables = [found for table in TABLES.values() if (found := catalog.find(table)) is not None]
    newest = max((found.metadata.last_updated_ms for found in tables), default=None)
    return now if newest is None else min(now, datetime.fromtimestamp(newest / 1000, timezone.utc))


def compact(catalog: LakeCatalog, table: Table) -> None:
    """Make one file of the files of each month; the months that have one already stay as they are.

    Rows that somebody appends meanwhile are kept: the commit then fails and is computed again, with them.
    """

    def rewrite(iceberg: IcebergTable) -> None:
        files = Counter(task.file.partition[0] for task in iceberg.scan().plan_files())
        if scattered := [month for month, count in files.items() if count > 1]:
            _rewrite(iceberg, scattered)

    catalog.commit(table, rewrite)


def _rewrite(iceberg: IcebergTable, months: list[str]) -> None:
    of_months = f"month in ({', '.join(map(repr, months))})"
    iceberg.overwrite(iceberg.scan(row_filter=of_months).to_arrow(), overwrite_filter=of_months)


def expire(catalog: LakeCatalog, table: Table, before: datetime) -> None:
    """Take the snapshots of before that time out of the table, but for those that somebody can still want.

    These are: the current one, those that a tag or a branch names, of each month those of what is live, of the two
    versions before it, and of versions that were live after that time.
    """

    def remove(iceberg: IcebergTable) -> None:
        if missing := unrecorded(iceberg):  # before the snapshots go that alone say what is live
            with iceberg.transaction() as transaction:
                transaction.set_properties(missing)
        kept = _kept(iceberg, int(before.timestamp() * 1000))
        if expired := [one.snapshot_id for one in iceberg.metadata.snapshots if one.snapshot_id not in kept]:
            try:
                iceberg.maintenance.expire_snapshots().by_ids(expired).commit()
            except ValueError as error:  # PyIceberg's word for a snapshot expired meanwhile, said by the commit
                raise CommitFailedException(str(error)) from error

    catalog.commit(table, remove)


def _kept(iceberg: IcebergTable, since: int) -> set[int]:
    """Ids of the snapshots that stay; ``since`` is in milliseconds since 1970."""
    by_month: dict[str, list[Record]] = {}
    for record in records(iceberg):
        by_month.setdefault(record.month, []).append(record)
    kept = {reference.snapshot_id for reference in iceberg.metadata.refs.values()}  # the current one is the branch main
    kept |= {one.snapshot_id for one in iceberg.metadata.snapshots if one.timestamp_ms >= since}
    for month, newest_first in by_month.items():
        versions = known_versions(iceberg, month)
        live = versions.index(newest_first[0].version)
        wanted = set(versions[live : live + _VERSIONS_KEPT])
        replaced = itertools.pairwise(newest_first)
        wanted |= {older.version for newer, older in replaced if newer.timestamp_ms >= since}
        kept |= {one.snapshot_id for one in newest_first if one.version in wanted}
    return kept


def delete_unreferenced(catalog: LakeCatalog, table: Table, now: datetime) -> int:
    """Delete a log's files, of data and of metadata, that are a day old and that no snapshot needs; their number.

    ValueError for a table that is published in versions.
    """
    if table.full_name not in LOGS:
        raise ValueError(f"{table.full_name} is published in versions, whose files stay")
    # First the listing: what is committed after it is not in it.
    location = catalog.open(table).location()
    old = {
        entry.path: entry.changed < now - _MAY_BE_UNDER_WAY
        for folder in ("data", "metadata")
        for entry in below(f"{location}/{folder}")
        if not entry.is_folder
    }
    iceberg = catalog.open(table)
    with reading(table):
        needed = needed_files(iceberg)
    if not needed & old.keys():
        return 0  # the listing names files in another way than the table does: nothing can be told from it
    gone = [path for path, is_old in old.items() if is_old and path not in needed]
    for path in gone:
        with contextlib.suppress(FileNotFoundError):  # somebody else maintains the table too
            iceberg.io.delete(path)
    return len(gone)


def needed_files(iceberg: IcebergTable) -> set[str]:
    """URIs of all files that the table's metadata or any of its snapshots names; on a disk without ``file://``."""
    metadata = iceberg.metadata
    needed = {iceberg.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
    needed |= {one.statistics_path for one in (*metadata.statistics, *metadata.partition_statistics)}
    return _without_scheme(needed) | _named_by(iceberg, metadata.snapshots)


def live_files(iceberg: IcebergTable) -> set[str]:
    """Those of them without which nobody could read what is published."""
    current = iceberg.metadata.current_snapshot()
    return _without_scheme([iceberg.metadata_location]) | _named_by(iceberg, [current] if current else [])


def _named_by(iceberg: IcebergTable, snapshots: Iterable[Snapshot]) -> set[str]:
    named, manifests = set(), set()
    for snapshot in snapshots:
        named.add(snapshot.manifest_list)
        manifests |= set(snapshot.manifests(iceberg.io))
    for manifest in manifests:
        named.add(manifest.manifest_path)
        named |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(iceberg.io)}
    return _without_scheme(named)


def _without_scheme(uris: Iterable[str]) -> set[str]:
    """Spark writes paths of a disk as ``file:///…``, and a listing gives them without."""
    return {uri.removeprefix("file://") for uri in uris}


def _live_files(iceberg: IcebergTable) -> int:
    return sum(1 for _ in iceberg.scan().plan_files())
