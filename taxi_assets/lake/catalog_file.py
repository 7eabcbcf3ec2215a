"""``catalog.db``, the SQLite file in which a lake in a folder keeps its catalog.

Belongs here: whether the file is a catalog at all. Does not: what is in it (``catalog``).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from taxi_assets.lake.catalog import SECONDS_IN_SILENCE, CatalogUnavailable, when_unlocked

_OF_A_CATALOG = {"iceberg_tables", "iceberg_namespace_properties"}
"""PyIceberg makes them one after the other when it first opens a catalog."""
_BACKUP = "bring it back from a backup; without one, move the lake's folder away and run the months again"


def refuse_what_is_no_catalog(folder: Path) -> None:
    """Nothing if the lake in ``folder`` has a catalog, or is new; CatalogUnavailable otherwise.

    Without it, PyIceberg makes an empty catalog of a file that is gone, empty or another program's, and the tables
    beside it read as never published.
    """
    file = folder / "catalog.db"
    # Asked before the file is: a catalog is made before its first table, by another run at this very moment perhaps.
    has_tables = any(folder.glob("*/*/metadata/*.metadata.json"))
    try:
        found = when_unlocked(str(folder), lambda: _tables_in(file)) if file.exists() else set()
    except sqlite3.Error as error:
        # Operational: the file cannot be opened. Any other: it is damaged.
        may_be_whole = isinstance(error, sqlite3.OperationalError)
        remedy = "see that this user may read and write it" if may_be_whole else f"see to the disk; {_BACKUP}"
        raise CatalogUnavailable(f"{file} cannot be read: {error}", remedy) from error
    if found & _OF_A_CATALOG:
        return
    if found:
        names = ", ".join(sorted(found)[:3])
        raise CatalogUnavailable(f"{file} is another program's database, with the tables {names}", "check TAXI_LAKE")
    if has_tables:
        is_ = "empty" if file.exists() else "gone"
        raise CatalogUnavailable(f"{file} is {is_}, and {folder} has tables that only it can name", _BACKUP)


def _tables_in(file: Path) -> set[str]:
    # Not read-only: what a process that was killed began is taken back by the next that opens the file.
    address = f"file:{quote(str(file))}?mode=rw"
    with closing(sqlite3.connect(address, timeout=SECONDS_IN_SILENCE, uri=True)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def versions_of_tables(folder: Path) -> str:
    """Which metadata is the newest of each table of the lake in ``folder``; equal until one is committed to.

    Asked of the file alone, within a millisecond, so that readers can ask before each query. CatalogUnavailable if the
    file cannot be read.
    """
    file = folder / "catalog.db"
    try:
        rows = when_unlocked(str(folder), lambda: _metadata_locations(file))
    except sqlite3.Error as error:
        raise CatalogUnavailable(f"{file} cannot be read: {error}", "see that this user may read it") from error
    return "\n".join(rows)


def _metadata_locations(file: Path) -> list[str]:
    address = f"file:{quote(str(file))}?mode=rw"
    with closing(sqlite3.connect(address, timeout=SECONDS_IN_SILENCE, uri=True)) as connection:
        rows = connection.execute("SELECT metadata_location FROM iceberg_tables ORDER BY 1")
        return [location for (location,) in rows]
