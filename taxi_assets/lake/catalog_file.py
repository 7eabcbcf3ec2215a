"""``catalog.db``, the SQLite file in which a lake in a folder keeps its catalog.

Belongs here: whether the file is a catalog at all, waiting for it, and where it says that tables are, asked of it
without SQLAlchemy, which takes longer to import than all that. Does not: changing it (``catalog``).
"""

from __future__ import annotations

import logging
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from glue_jobs.errors import Cause, PipelineError

LOCKED_SECONDS = 60.0
"""For another program to let go of ``catalog.db``; runs hold it for milliseconds."""
SECONDS_IN_SILENCE = 2
"""That SQLite waits by itself, before it is said what is waited for."""
_SECONDS_BETWEEN_WORDS = 10
_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")
_OF_A_CATALOG = {"iceberg_tables", "iceberg_namespace_properties"}
"""PyIceberg makes them one after the other when it first opens a catalog."""
_ANEW = "make it anew, of the tables' own metadata and of the raw files: taxi-assets rebuild"
_OF_ITS_OWN = ("", "-journal", "-wal", "-shm")
"""What SQLite adds to the name of a database for the files beside it. A journal left alone spoils the next database."""


class CatalogUnavailable(PipelineError):
    """The catalog, or a table's metadata, cannot be read or written; readers see what they saw before."""

    cause = Cause.LAKE


class CatalogLost(CatalogUnavailable):
    """``catalog.db`` is gone, empty or damaged, and tables are there that only it can name."""


def refuse_what_is_no_catalog(folder: Path) -> bool:
    """Whether the lake in ``folder`` has a catalog, False if it is new; CatalogUnavailable if it is neither.

    CatalogLost if there was one, and it is gone or damaged.

    Without it, PyIceberg makes an empty catalog of a file that is gone, empty or another program's, and the tables
    beside it read as never published.
    """
    file = folder / "catalog.db"
    # Asked before the file is: a catalog is made before its first table, by another run at this very moment perhaps.
    has_tables = any(folder.glob("*/*/metadata/*.metadata.json"))
    try:
        found = when_unlocked(str(folder), lambda: _tables_in(file)) if file.exists() else set()
    except sqlite3.OperationalError as error:  # it cannot be opened
        raise CatalogUnavailable(
            f"{file} cannot be read: {error}", "see that this user may read and write it"
        ) from error
    except sqlite3.Error as error:  # it is damaged
        raise CatalogLost(f"{file} cannot be read: {error}", f"see to the disk, then {_ANEW}") from error
    if found & _OF_A_CATALOG:
        return found >= _OF_A_CATALOG
    if found:
        names = ", ".join(sorted(found)[:3])
        raise CatalogUnavailable(f"{file} is another program's database, with the tables {names}", "check TAXI_LAKE")
    if has_tables:
        is_ = "empty" if file.exists() else "gone"
        raise CatalogLost(f"{file} is {is_}, and {folder} has tables that only it can name", _ANEW)
    return False


def _tables_in(file: Path) -> set[str]:
    with closing(_opened(file)) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for name in found & _OF_A_CATALOG:  # a file that was cut off may still begin as one that is whole
            connection.execute(f"SELECT * FROM {name}").fetchall()
        return found


def put_in_place(new: Path, folder: Path, suffix: str) -> None:
    """Make the catalog ``new`` that of the lake in ``folder``; what was there stays, under a name with ``suffix``."""
    for ending in _OF_ITS_OWN:
        file = folder / f"catalog.db{ending}"
        if file.exists():
            file.rename(folder / f"catalog.db{suffix}{ending}")
    new.replace(folder / "catalog.db")


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
    with closing(_opened(file)) as connection:
        rows = connection.execute("SELECT metadata_location FROM iceberg_tables ORDER BY 1")
        return [location for (location,) in rows]


def metadata_location(folder: Path, namespace: str, name: str) -> str | None:
    """Where the newest metadata of a table of the lake in ``folder`` lies; None if there is no such table.

    sqlite3.Error as SQLite raises it, also while another program holds the file.
    """
    file = folder / "catalog.db"
    if not file.is_file():
        return None
    where = "table_namespace = ? AND table_name = ?"
    with closing(_opened(file)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'iceberg_tables'").fetchone():
            return None  # another process is making the catalog
        found = connection.execute(f"SELECT metadata_location FROM iceberg_tables WHERE {where}", (namespace, name))
        return next((location for (location,) in found), None)


def point_at_metadata(folder: Path, namespace: str, name: str, location: str) -> None:
    """Have the catalog of the lake in ``folder`` say that a table that it has lies at ``location``; sqlite3.Error."""
    change = "UPDATE iceberg_tables SET previous_metadata_location = NULL, metadata_location = ?"
    with closing(_opened(folder / "catalog.db")) as connection, connection:
        where = "table_namespace = ? AND table_name = ?"
        connection.execute(f"{change} WHERE {where}", (location, namespace, name))


def when_unlocked(root: str, action: Callable[[], _Result]) -> _Result:
    """What ``action`` returns, tried again while another program holds the ``catalog.db`` of the lake ``root``.

    CatalogUnavailable if it does so for ``LOCKED_SECONDS``. ``action`` must be one that may be done from its beginning.
    """
    begun = time.monotonic()
    last_said = begun - _SECONDS_BETWEEN_WORDS
    while True:
        try:
            return action()
        except database_errors() as error:
            if "locked" not in str(of_driver(error)):
                raise
            now = time.monotonic()
            waited = now - begun
            if waited >= LOCKED_SECONDS:
                raise CatalogUnavailable(
                    f"{root}/catalog.db has been locked by another program for {waited:.0f} s. Readers see what they "
                    "saw before",
                    "end that program, or its transaction, such as a database browser or a copy or backup of the file "
                    f"(lsof {root}/catalog.db names it), then try again",
                ) from error
            if now - last_said >= _SECONDS_BETWEEN_WORDS:
                last_said = now
                said = "%s/catalog.db is locked by another program: waiting, %.0f of at most %.0f s"
                _log.warning(said, root, waited, LOCKED_SECONDS)


def database_errors() -> tuple[type[Exception], ...]:
    """What SQLite raises, and SQLAlchemy once PyIceberg has imported it to write."""
    module = sys.modules.get("sqlalchemy.exc")
    return (sqlite3.Error, module.SQLAlchemyError) if module else (sqlite3.Error,)


def of_driver(error: Exception) -> object:
    """The driver's error in one of SQLAlchemy's, which adds the statement and a link; any other as it is."""
    return getattr(error, "orig", None) or error


def _opened(file: Path) -> sqlite3.Connection:
    # Not read-only: what a process that was killed began is taken back by the next that opens the file.
    return sqlite3.connect(f"file:{quote(str(file))}?mode=rw", timeout=SECONDS_IN_SILENCE, uri=True)
