"""Publishing reference data: tables that are replaced whole.

Belongs here: one commit for a new content, none for the same, and when its source was asked. Does not: rows
(``taxi_assets.reference``), or monthly tables (``publishing``).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import Table
from taxi_assets.lake.catalog import LakeCatalog
from taxi_assets.lake.records import PREFIX

_CONTENT = f"{PREFIX}content"
"""What the summary of a snapshot has the hash of its rows under."""

_ASKED_AT = f"{PREFIX}source-asked-at"
_MADE_OF = f"{PREFIX}made-of"


@dataclass(frozen=True)
class Asking:
    """When the source of a reference table was asked last (UTC, without a zone), and ``made_of``, the hash of what its
    rows were made of beside the source's answer."""

    at: datetime
    made_of: str


def content_of(rows: pa.Table) -> str:
    """SHA-256 of the rows, in their order, with the columns' names and types; hexadecimal."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema.remove_metadata()) as writer:
        writer.write_table(rows.replace_schema_metadata(None).combine_chunks())
    return sha256(sink.getvalue()).hexdigest()


def publish(catalog: LakeCatalog, table: Table, rows: pa.Table, again: bool = False) -> bool:
    """Make ``rows`` the content of the table, if it is another one; returns whether it was.

    With ``again``, also if it is the same: its file is gone or damaged. Readers see the old rows or the new ones.
    """
    content = content_of(rows)
    if published_content(catalog, table) == content and not again:
        return False

    def replace(iceberg: IcebergTable) -> None:
        with warnings.catch_warnings():
            # A new table has nothing to delete.
            warnings.filterwarnings("ignore", message="Delete operation did not match any records")
            iceberg.overwrite(rows, AlwaysTrue(), snapshot_properties={_CONTENT: content})

    catalog.commit(table, replace)
    return True


def published_content(catalog: LakeCatalog, table: Table) -> str | None:
    """The hash of the rows that readers see; None if nothing is published."""
    found = catalog.find(table)
    snapshot = found.current_snapshot() if found is not None else None
    return snapshot.summary.additional_properties.get(_CONTENT) if snapshot is not None and snapshot.summary else None


def asked(catalog: LakeCatalog, table: Table) -> Asking | None:
    """The last asking that was noted; None if there was none, or the table has no rows."""
    found = catalog.find(table)
    if found is None or found.current_snapshot() is None or _ASKED_AT not in found.properties:
        return None
    return Asking(datetime.fromisoformat(found.properties[_ASKED_AT]), found.properties.get(_MADE_OF, ""))


def note_asking(catalog: LakeCatalog, table: Table, asking: Asking) -> None:
    """Note that the source was asked: an answer like the one before leaves no other trace."""

    def note(iceberg: IcebergTable) -> None:
        with iceberg.transaction() as transaction:
            transaction.set_properties({_ASKED_AT: asking.at.isoformat(), _MADE_OF: asking.made_of})

    catalog.commit(table, note)
