"""Files without an engine, on a local disk or in S3: Parquet footers, and the zone lookup.

Belongs here: what the jobs need to know of files before and after Spark touches them. Does not: reading trips.
"""

from __future__ import annotations

import csv
import io

import pyarrow.parquet as pq
from pyarrow import fs

from glue_jobs.contracts import tlc
from glue_jobs.errors import InputError


def open_file_system(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of ``uri`` (``file:///…``, ``s3://…`` or an absolute path) and the path on it."""
    found, path = fs.FileSystem.from_uri(uri)
    return found, path


def parquet_files(uri: str) -> list[str]:
    """Paths, on their file system, of the Parquet files below the folder ``uri``, sorted; empty if there is none."""
    system, path = open_file_system(uri)
    found = system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    return sorted(
        info.path
        for info in found
        if info.type == fs.FileType.File
        and info.base_name.endswith(".parquet")
        and not info.base_name.startswith((".", "_"))
    )


def count_parquet_files(uri: str) -> int:
    """Number of Parquet files below the folder ``uri``."""
    return len(parquet_files(uri))


def parquet_rows(uri: str) -> int:
    """Rows in all Parquet files below the folder ``uri``, by their footers."""
    system, _ = open_file_system(uri)
    return sum(pq.read_metadata(path, filesystem=system).num_rows for path in parquet_files(uri))


def parquet_schema(uri: str) -> dict[str, str]:
    """Column name to Arrow type of one Parquet file, or of the Parquet files of a folder.

    InputError if there is no such file, if a name stands twice, or if the files of the folder differ.
    """
    system, path = open_file_system(uri)
    files = [path] if system.get_file_info(path).type == fs.FileType.File else parquet_files(uri)
    if not files:
        raise InputError(f"{uri} does not exist", "land the month again (asset raw/trips)")
    fields = [[(field.name, str(field.type)) for field in pq.read_schema(file, filesystem=system)] for file in files]
    schemas = [dict(found) for found in fields]
    if len(schemas[0]) < len(fields[0]):
        twice = sorted({name for name, _ in fields[0] if [other for other, _ in fields[0]].count(name) > 1})
        raise InputError(
            f"{uri} has columns that stand more than once: {', '.join(twice)}",
            "find out which of them holds the values; the TLC's files have each name once",
        )
    if different := [file for file, schema in zip(files, schemas, strict=True) if schema != schemas[0]]:
        raise InputError(f"{', '.join(different)} have other columns than {files[0]}", "make one file of them")
    return schemas[0]


def read_zones(uri: str) -> list[tuple[int, str, str, str]]:
    """Rows (LocationID, Borough, Zone, service_zone) of a zone lookup; "N/A" stays the text that it is.

    InputError if the file is not a zone lookup or lacks zones.
    """
    system, path = open_file_system(uri)
    with system.open_input_stream(path) as stream:
        return parse_zones(stream.read(), uri)


def parse_zones(content: bytes, file: str) -> list[tuple[int, str, str, str]]:
    """The rows of a zone lookup from its bytes; ``file`` is what an InputError calls it."""
    remedy = "fetch the TLC's taxi_zone_lookup.csv again"
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
        rows = [(int(row["LocationID"]), row["Borough"], row["Zone"], row["service_zone"]) for row in reader]
        if any(None in row for row in rows):
            raise ValueError("a row is cut off")
    except (UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{file} is not a zone lookup with columns {', '.join(tlc.ZONE_COLUMNS)}", remedy) from error
    if sorted(row[0] for row in rows) != list(range(1, tlc.ZONE_COUNT + 1)):
        raise InputError(f"{file} does not list zones 1 to {tlc.ZONE_COUNT} once each", remedy)
    return rows
