"""Which snapshot of each table readers saw at a moment.

Belongs here: finding it in the tables' metadata. Does not: reading rows (``reading``), or versions of a month
(``publishing``).

A publication is one commit of two snapshots, one that takes the month's files away and one that adds the new ones. No
reader ever saw the first alone, but a time between the two (some 25 ms) lies in the metadata: whoever asks as of then
gets what was there before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Operation

from glue_jobs.contracts import TABLES
from glue_jobs.errors import Cause, PipelineError
from taxi_assets.lake.catalog import LakeCatalog
from taxi_assets.lake.records import PREFIX

_SNAPSHOT_ID = re.compile(r"\d{9,19}")
_TICK = timedelta(milliseconds=1)
"""Iceberg keeps times to the millisecond."""


class NoSuchMoment(PipelineError):
    """Nothing was published yet at the moment, no table has the snapshot, or the text is neither."""

    cause = Cause.ORDER


@dataclass(frozen=True)
class Snapshot:
    """One snapshot of a table; ``rows`` are those that it shows, None if its writer did not say."""

    snapshot_id: int
    committed_at: datetime
    rows: int | None


@dataclass(frozen=True)
class Moment:
    """What readers saw ``at`` a time, UTC: ``snapshots`` by ``layer.table``, without tables that had none."""

    at: datetime
    snapshots: Mapping[str, Snapshot]


def newest(catalog: LakeCatalog, names: Iterable[str] = TABLES) -> dict[str, Snapshot]:
    """The snapshot that readers see now, of each of the tables ``layer.table`` that has one. Reads a file a table."""
    found = {name: _shown(catalog.find(TABLES[name]), None) for name in names}
    return {name: snapshot for name, snapshot in found.items() if snapshot is not None}


def moment(catalog: LakeCatalog, when: str) -> Moment:
    """The moment that somebody calls ``when``: a date, a date and time, or the id of a snapshot of any table.

    A date is its end, a time without a zone is UTC; the snapshots are those that readers saw then. NoSuchMoment if
    nothing was published yet.
    """
    tables = {name: found for name, table in TABLES.items() if (found := catalog.find(table)) is not None}
    at = _committed(tables, int(when)) if _SNAPSHOT_ID.fullmatch(when) else _time(when)
    seen = {name: snapshot for name, table in tables.items() if (snapshot := _shown(table, at)) is not None}
    if not seen:
        first = min((snapshot.committed_at for table in tables.values() for snapshot in _all(table)), default=None)
        since = f"the first publication that is still known is of {first:%Y-%m-%dT%H:%M:%S}Z" if first else ""
        raise NoSuchMoment(f"Nothing was published yet as of {when}", since or "publish a month first")
    return Moment(at, seen)


def _time(when: str) -> datetime:
    try:
        if len(when) == len("2024-02-29"):
            day = date.fromisoformat(when)
            return datetime(day.year, day.month, day.day, tzinfo=timezone.utc) + timedelta(days=1) - _TICK
        parsed = datetime.fromisoformat(when.replace("Z", "+00:00"))
        return parsed.replace(tzinfo=parsed.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise NoSuchMoment(
            f"{when} is no moment: {error}",
            "give a date (2024-03-01), a time (2024-03-01T12:00:00, UTC unless it has a zone) or the id of a snapshot",
        ) from error


def _committed(tables: Mapping[str, IcebergTable], snapshot_id: int) -> datetime:
    for table in tables.values():
        if (snapshot := table.snapshot_by_id(snapshot_id)) is not None:
            return _utc(snapshot.timestamp_ms)
    raise NoSuchMoment(
        f"No table has a snapshot {snapshot_id}", "choose from those that taxi-assets status lists; others expire"
    )


def _shown(table: IcebergTable | None, at: datetime | None) -> Snapshot | None:
    """What readers saw of the table at a time, or see now."""
    if table is None:
        return None
    shown = [snapshot for snapshot in _all(table) if at is None or snapshot.committed_at <= at]
    return shown[-1] if shown else None


def _all(table: IcebergTable) -> list[Snapshot]:
    """All that readers ever saw and that is still known, in order."""
    found = []
    for entry in table.metadata.snapshot_log:
        snapshot = table.snapshot_by_id(entry.snapshot_id)
        if snapshot is None or snapshot.summary is None:  # expired
            continue
        said = snapshot.summary.additional_properties
        if snapshot.summary.operation == Operation.DELETE and any(name.startswith(PREFIX) for name in said):
            continue  # the first of the two of a publication
        rows = said.get("total-records")
        found.append(Snapshot(snapshot.snapshot_id, _utc(entry.timestamp_ms), int(rows) if rows is not None else None))
    return found


def _utc(timestamp_ms: int) -> datetime:
    return datetime.fromtimestamp(timestamp_ms / 1000, timezone.utc)
