"""What a publication leaves in its Iceberg table, and reading it again.

Belongs here: the summary that a publication's snapshots have, the table property that says what is live of a month.
Does not: publishing (``publishing``), or which snapshots may go (``maintenance``).

Snapshots expire, and not only by our own maintenance: Athena's VACUUM, Glue's optimizer and Spark's expire_snapshots
know nothing of versions. So the commit that publishes a month also writes what is live of it into the table's
properties.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Operation, Snapshot

PREFIX = "taxi."
MONTH, VERSION, ROWS, ROLLBACK = "taxi.month", "taxi.version", "taxi.rows", "taxi.rollback"
_LIVE = "taxi.live."
"""What the name of the property of a month begins with. One for each month, and never removed: PyIceberg copies
properties into the Glue table's parameters and takes none away there."""


@dataclass(frozen=True)
class Record:
    """One publication: the summary (``taxi.…``) that it was committed with, and the snapshot that has its files.

    ``sequence_number`` is the order of commits; ``timestamp_ms`` is the snapshot's, in milliseconds since 1970.
    """

    summary: Mapping[str, str]
    snapshot_id: int
    sequence_number: int
    timestamp_ms: int

    @property
    def month(self) -> str:
        """The month that was published."""
        return self.summary[MONTH]

    @property
    def version(self) -> str:
        """The version that was published."""
        return self.summary[VERSION]


def records(iceberg: IcebergTable, month: str | None = None) -> list[Record]:
    """All known publications that led to what readers see, newest first: by snapshots, and what is live by property.

    A publication that was undone in Iceberg's own way (rollback_to_snapshot) is not among them.
    """
    snapshots = iceberg.metadata.snapshots
    known = {one.snapshot_id: one for one, _ in _recorded(iceberg.metadata).values()}
    known |= {one.snapshot_id: one for snapshot in snapshots if (one := _of_snapshot(snapshot)) is not None}
    chain = _ancestors(iceberg.metadata)
    beginning = min(chain.values(), default=0)
    # Where snapshots have expired the chain of parents ends, and what is older counts as having led here.
    found = [one for one in known.values() if one.snapshot_id in chain or one.sequence_number < beginning]
    newest_first = sorted(found, key=lambda one: one.sequence_number, reverse=True)
    return [one for one in newest_first if month is None or one.month == month]


def known_versions(iceberg: IcebergTable, month: str) -> list[str]:
    """The versions of a month by first publication, newest first; also those whose snapshots have expired."""
    by_snapshots = list(dict.fromkeys(one.version for one in reversed(records(iceberg, month))))[::-1]
    recorded = _recorded(iceberg.metadata)
    earlier = recorded[month][1] if month in recorded else []
    return [version for version in by_snapshots if version not in earlier] + earlier


def live_property(month: str, record: Record, versions: Sequence[str]) -> dict[str, str]:
    """The table property that says what is live of a month; ``versions`` are all of the month, newest first."""
    return {f"{_LIVE}{month}": json.dumps({**asdict(record), "versions": list(versions)}, separators=(",", ":"))}


def others_have_committed(iceberg: IcebergTable) -> bool:
    """Whether a snapshot that led to what readers see is of another program than this project."""
    chain = _ancestors(iceberg.metadata)
    summaries = [one.summary for one in iceberg.metadata.snapshots if one.snapshot_id in chain]
    return any(MONTH not in summary.additional_properties for summary in summaries if summary is not None)


def unrecorded(iceberg: IcebergTable) -> dict[str, str]:
    """The properties of months whose live version no property names: they were published before there were any."""
    live: dict[str, Record] = {}
    for record in records(iceberg):
        live.setdefault(record.month, record)
    recorded = _recorded(iceberg.metadata)
    missing: dict[str, str] = {}
    for month, record in live.items():
        if month not in recorded or recorded[month][0] != record:
            missing |= live_property(month, record, known_versions(iceberg, month))
    return missing


def record_of(metadata: TableMetadata) -> Record:
    """The publication that the newest snapshot is of."""
    snapshot = metadata.current_snapshot()
    found = _of_snapshot(snapshot) if snapshot else None
    assert found is not None  # the caller has just made it
    return found


def _of_snapshot(snapshot: Snapshot) -> Record | None:
    """None for a snapshot that publishes nothing; of the two of a publication, the first one takes files away."""
    if snapshot.summary is None or snapshot.summary.operation == Operation.DELETE:
        return None
    summary = {name: text for name, text in snapshot.summary.additional_properties.items() if name.startswith(PREFIX)}
    if MONTH not in summary:
        return None
    return Record(summary, snapshot.snapshot_id, snapshot.sequence_number or 0, snapshot.timestamp_ms)


def _recorded(metadata: TableMetadata) -> dict[str, tuple[Record, list[str]]]:
    """Month to what its property says: what is live, and all versions of the month, newest first."""
    found = {}
    for name, text in metadata.properties.items():
        if name.startswith(_LIVE):
            content = json.loads(text)
            versions = content.pop("versions")
            found[name.removeprefix(_LIVE)] = (Record(**content), versions)
    return found


def _ancestors(metadata: TableMetadata) -> dict[int, int]:
    """Snapshot id to sequence number, from the current snapshot back to the first one or to where one has expired."""
    by_id = {snapshot.snapshot_id: snapshot for snapshot in metadata.snapshots}
    chain: dict[int, int] = {}
    snapshot = metadata.current_snapshot()
    while snapshot is not None:
        chain[snapshot.snapshot_id] = snapshot.sequence_number or 0
        snapshot = by_id.get(snapshot.parent_snapshot_id) if snapshot.parent_snapshot_id is not None else None
    return chain
