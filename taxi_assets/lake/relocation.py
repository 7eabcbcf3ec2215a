"""A lake whose files lie elsewhere than its catalog says: a folder that was copied or moved, a prefix in S3.

Belongs here: writing the tables' metadata again for where the lake is now. Does not: when that is asked for
(``lake.in_folder`` does it by itself, ``taxi-assets catalog relocate`` in S3), or the rows, which stay as they are.

Iceberg's metadata names every file by its whole path. Without this, a run on a copy would write into the original, and
PyIceberg's clean-up after a commit would delete the original's metadata.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

from pyiceberg.avro.file import AvroFile, AvroOutputFile
from pyiceberg.io import FileIO, load_file_io
from pyiceberg.serializers import FromInputFile, ToOutputFile
from pyiceberg.table.metadata import TableMetadataUtil
from pyiceberg.types import StructType

from glue_jobs.errors import Cause, PipelineError
from taxi_assets.lake.paths import is_below

_SECONDS_IN_SILENCE = 2
"""That SQLite waits for another process, before the caller says what is waited for."""
_AVRO_OF_PYICEBERG = ("avro.schema", "avro.codec")
"""Entries of a file's header that its writer makes itself."""


class NotHere(PipelineError):
    """The catalog speaks of another place, and cannot be made to speak of this one."""

    cause = Cause.LAKE


class DamagedThere(NotHere):
    """Metadata that came with the lake, and cannot be read."""


def relocate_folder(root: str) -> str | None:
    """Have the catalog of the lake in the folder ``root`` speak of that folder; returns where the lake lay before.

    None if there was nothing to do. All tables change in one transaction of ``catalog.db``, which other processes that
    open the lake wait for; the files of the place where it lay before are neither read nor written. NotHere if the
    tables' files were not copied with the catalog, or the folder cannot be written; sqlite3.OperationalError while
    another program holds the catalog, after which it may be called again.
    """
    database = Path(root, "catalog.db")
    if not database.is_file():
        return None
    try:
        return _relocate(database, root)
    except (sqlite3.Error, OSError) as error:
        if "locked" in str(error):
            raise
        raise NotHere(
            f"whether the lake {root} was copied or moved cannot be settled in its catalog.db: {error}",
            "make the folder writable for this once, and try again",
        ) from error


def _relocate(database: Path, root: str) -> str | None:
    with closing(sqlite3.connect(database, timeout=_SECONDS_IN_SILENCE, isolation_level=None)) as connection:
        if not _strays(connection, root):
            return None
        connection.execute("BEGIN IMMEDIATE")
        before = None
        for row, namespace, name, location, previous in _strays(connection, root):
            before = location.partition(f"/{namespace}/{name}/")[0]
            moved = write_again(load_file_io({}, location), location, before, root)
            values = (moved, _moved(previous, before, root) if previous else None, row)
            connection.execute(
                "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ? WHERE rowid = ?",
                values,
            )
        connection.execute("COMMIT")
        return before


def _strays(connection: sqlite3.Connection, root: str) -> list[tuple[int, str, str, str, str | None]]:
    """Tables whose metadata lies elsewhere."""
    try:
        rows = connection.execute(
            "SELECT rowid, table_namespace, table_name, metadata_location, previous_metadata_location"
            " FROM iceberg_tables"
        ).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # another process is making the catalog
            return []
        raise
    return [row for row in rows if not is_below(row[3], root)]


def write_again(io: FileIO, metadata_location: str, before: str, root: str) -> str:
    """Write a table's metadata, of a lake that lay at ``before``, for the root ``root``; returns its new location.

    All snapshots are kept. New files lie beside the old ones, which are read from below ``root``. NotHere if they are
    not there, DamagedThere if they cannot be read.
    """
    # Names that follow from the place: begun again after a crash, the same files are written once more.
    tag = sha256(root.encode()).hexdigest()[:8]

    def here(uri: str) -> str:
        return _moved(uri, before, root)

    try:
        metadata = FromInputFile.table_metadata(io.new_input(here(metadata_location)))
        written: dict[str, tuple[str, int]] = {}

        def rewritten(uri: str, change: Callable[[Any, Callable[[str], int]], None]) -> tuple[str, int]:
            """Where the Avro file at ``uri`` now lies, and its bytes; written once, however many snapshots share it."""
            if uri not in written:
                stem, _, ending = here(uri).rpartition(".")
                target = f"{stem}-{tag}.{ending}"
                written[uri] = (target, _rewrite_avro(io, here(uri), target, change))
            return written[uri]

        def of_manifest(entry: Any, position: Callable[[str], int]) -> None:
            data_file = entry[position("data_file")]
            data_file[position("data_file.file_path")] = here(data_file[position("data_file.file_path")])

        def of_list(entry: Any, position: Callable[[str], int]) -> None:
            uri, length = rewritten(entry[position("manifest_path")], of_manifest)
            entry[position("manifest_path")], entry[position("manifest_length")] = uri, length

        lists = {one.manifest_list: rewritten(one.manifest_list, of_list)[0] for one in metadata.snapshots}
    except FileNotFoundError as error:
        raise NotHere(
            f"the catalog of the lake {root} speaks of {before}, and its files are not in {root} either: {error}",
            "copy or move the whole folder of a lake, not only parts of it",
        ) from error
    except OSError:
        raise
    except Exception as error:  # of damaged files come as many kinds as ``catalog.reading`` meets
        raise DamagedThere(
            f"the catalog of the lake {root} speaks of {before}, and metadata that came from there is damaged: {error}",
            "copy the lake once more; or have the tables made again of the raw files: taxi-assets rebuild --yes",
        ) from error

    content = _mapped(json.loads(metadata.model_dump_json()), lambda text: lists.get(text) or here(text))
    content["metadata-log"].append({"metadata-file": here(metadata_location), "timestamp-ms": metadata.last_updated_ms})
    number = int(Path(metadata_location).name.partition("-")[0]) + 1
    target = f"{here(metadata.location)}/metadata/{number:05d}-{uuid.uuid4()}.metadata.json"
    ToOutputFile.table_metadata(TableMetadataUtil.parse_obj(content), io.new_output(target))
    return target


def _moved(uri: str, before: str, root: str) -> str:
    return root + uri.removeprefix(before) if is_below(uri, before) else uri


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with each of its texts changed."""
    if isinstance(value, dict):
        return {name: _mapped(one, change) for name, one in value.items()}
    if isinstance(value, list):
        return [_mapped(one, change) for one in value]
    return change(value) if isinstance(value, str) else value


def _rewrite_avro(io: FileIO, source: str, target: str, change: Callable[[Any, Callable[[str], int]], None]) -> int:
    """Write a file of Avro records again, each of them changed; returns the new file's bytes."""
    file: AvroFile[Any] = AvroFile(io.new_input(source))
    with file:
        records = list(file)
        positions: dict[str, int] = {}
        for at, field in enumerate(file.schema.fields):
            positions[field.name] = at
            if isinstance(field.field_type, StructType):
                positions |= {f"{field.name}.{one.name}": i for i, one in enumerate(field.field_type.fields)}
        for record in records:
            change(record, positions.__getitem__)
        header = {name: text for name, text in file.header.meta.items() if name not in _AVRO_OF_PYICEBERG}
        name = json.loads(file.header.meta["avro.schema"])["name"]
        output: AvroOutputFile[Any] = AvroOutputFile(io.new_output(target), file.schema, name, metadata=header)
    with output:
        output.write_block(records)
    return len(io.new_input(target))
