"""Files without an engine, on a local disk or in S3: Parquet footers, the zone lookup, landing a file whole.

Belongs here: what the jobs need to know of files before and after Spark touches them. Does not: reading trips.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from glue_jobs.contracts import tlc
from glue_jobs.errors import InputError

Found = TypeVar("Found")

_S3 = "s3://"
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
_ONCE_AN_INDEX = re.compile(r"Unnamed: \d+(\.\d+)?|index|level_\d+")
_READERS = 16
"""Footers read at once: each is some 30 ms away in S3, and a month of trips has up to 124."""
_PART_BYTES = 16 << 20


def open_file_system(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of ``uri`` (``file:///…``, ``s3://…`` or an absolute path) and the path on it."""
    if uri.startswith(_S3):
        bucket, key = split_s3(uri)
        return s3_of(bucket), f"{bucket}/{key}"
    found, path = fs.FileSystem.from_uri(uri)
    return found, path


def s3_of(bucket: str) -> fs.FileSystem:
    """A client for a bucket, with the credentials that boto3 finds and, when they expire, refreshes.

    PyArrow's own search does not know profiles that assume a role. The endpoint is that of AWS_ENDPOINT_URL.
    """
    found = _session().get_credentials()
    return _s3_client(bucket, found.get_frozen_credentials() if found else None)


class S3Retries(fs.AwsDefaultS3RetryStrategy):  # type: ignore[misc]  # PyArrow has no types
    """How often a call of S3 is made that S3 is too busy or unwell for: ten times in thirteen seconds.

    PyArrow's own strategy, the "standard" one, repeats three times, and a hundred times in a client's whole life: each
    costs five of five hundred, which PyArrow never gives back. A daemon's client then fails at the first 503.
    """

    def __init__(self) -> None:
        super().__init__(max_attempts=10)


@cache
def _session() -> Any:
    import boto3  # a quarter of a second that only S3 needs

    return boto3.Session()


@lru_cache(maxsize=16)
def _s3_client(bucket: str, credentials: Any) -> fs.FileSystem:
    """One client for each bucket and credentials: finding the bucket's region is a request."""
    if credentials is None:
        return fs.FileSystem.from_uri(f"{_S3}{bucket}")[0]
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return fs.S3FileSystem(
        access_key=credentials.access_key,
        secret_key=credentials.secret_key,
        session_token=credentials.token,
        endpoint_override=endpoint,
        retry_strategy=S3Retries(),
        region=_session().region_name if endpoint else fs.resolve_s3_region(bucket),
    )


def forget_s3() -> None:
    """Look for credentials and regions again."""
    _session.cache_clear()
    _s3_client.cache_clear()


def split_s3(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``."""
    bucket, _, key = uri.removeprefix(_S3).partition("/")
    return bucket, key


def parquet_files(uri: str) -> list[str]:
    """The Parquet files below the folder ``uri``, ``s3://…`` or absolute paths, sorted; empty if there is none."""
    system, path = open_file_system(uri)
    scheme = _S3 if uri.startswith(_S3) else ""
    found = system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    return sorted(
        f"{scheme}{info.path}"
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
    return sum(each_footer(parquet_files(uri), lambda file: int(file.metadata.num_rows)))


def each_footer(files: Sequence[str], ask: Callable[[pq.ParquetFile], Found]) -> list[Found]:
    """What ``ask`` answers of each Parquet file, in order; the footers are read by several threads."""
    if not files:
        return []
    system, _ = open_file_system(files[0])

    def read(file: str) -> Found:
        with pq.ParquetFile(file.removeprefix(_S3).removeprefix("file://"), filesystem=system) as opened:
            return ask(opened)

    with ThreadPoolExecutor(min(_READERS, len(files))) as pool:
        return list(pool.map(read, files))


def parquet_schema(uri: str, called: str = "") -> dict[str, str]:
    """Column name to Arrow type of one Parquet file, or of the Parquet files of a folder; ``called`` is how an error
    calls it, if it has another name than ``uri`` for who reads that.

    InputError if there is no such file, if a name stands twice, or if the files of the folder differ.
    """
    files = _files_of(uri)
    fields = each_footer(files, lambda file: [(field.name, str(values_of(field.type))) for field in file.schema_arrow])
    schemas = [dict(found) for found in fields]
    if len(schemas[0]) < len(fields[0]):
        twice = sorted({name for name, _ in fields[0] if [other for other, _ in fields[0]].count(name) > 1})
        raise InputError(
            f"{called or uri} has columns that stand more than once: {', '.join(twice)}",
            "find out which of them holds the values; the TLC's files have each name once",
        )
    if different := [file for file, schema in zip(files, schemas, strict=True) if schema != schemas[0]]:
        raise InputError(f"{', '.join(different)} have other columns than {files[0]}", "make one file of them")
    return schemas[0]


def values_of(kind: pa.DataType) -> pa.DataType:
    """The type of the values: a dictionary (pandas' categorical) is Arrow's way to hold them, not Parquet's."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def index_columns(uri: str) -> frozenset[str]:
    """Columns of one Parquet file, or of all Parquet files of a folder, that are an index of pandas, by the footers.

    Those that pandas' own metadata names, those with the name that pandas gives an index without one, and, of names
    that an index gets on its way through CSV or ``reset_index``, those that count the rows from 0 on.
    """
    return frozenset.intersection(*each_footer(_files_of(uri), _index_of))


def _index_of(file: pq.ParquetFile) -> frozenset[str]:
    schema = file.schema_arrow
    named = _index_by_pandas((schema.metadata or {}).get(b"pandas", b"{}")) & set(schema.names)
    own = {name for name in schema.names if _PANDAS_INDEX.fullmatch(name)}
    others = {name for name in schema.names if _ONCE_AN_INDEX.fullmatch(name) and _counts_rows(file.metadata, name)}
    return frozenset(named | own | others)


def _index_by_pandas(told: bytes) -> set[str]:
    """The columns that pandas' metadata names as its index; none if somebody else wrote something there."""
    try:
        names = json.loads(told)["index_columns"]
        return {name for name in names if isinstance(name, str)}
    except (ValueError, KeyError, TypeError, RecursionError):
        return set()


def _files_of(uri: str) -> list[str]:
    """The Parquet file, or those of the folder; InputError if there is none."""
    system, path = open_file_system(uri)
    files = [uri] if system.get_file_info(path).type == fs.FileType.File else parquet_files(uri)
    if not files:
        raise InputError(f"{uri} does not exist", "land the month again (asset raw/trips)")
    return files


@contextmanager
def with_plain_columns(uri: str, beside: str) -> Iterator[str]:
    """``uri`` or, if it is a local file with categoricals of pandas, a copy without, beside the path ``beside``.

    Sail takes Arrow's dictionaries for types of Parquet. JVM Spark does not see them, and it alone reads ``s3://``.
    """
    is_local = not uri.startswith(_S3) and Path(uri).is_file()
    told = (pq.read_metadata(uri).metadata or {}).get(b"ARROW:schema") if is_local else None
    # Of categorical numbers, PyArrow tells only here that they are some.
    kinds = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(told))).types if told else []
    if not any(map(pa.types.is_dictionary, kinds)):
        yield uri
        return
    Path(beside).parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetFile(uri) as file, tempfile.TemporaryDirectory(prefix=".plain-", dir=Path(beside).parent) as folder:
        schema = pa.schema([field.with_type(values_of(field.type)) for field in file.schema_arrow])
        copy = f"{folder}/{Path(uri).name}"
        with pq.ParquetWriter(copy, schema, store_schema=False) as writer:
            for number in range(file.num_row_groups):
                writer.write_table(file.read_row_group(number).cast(schema))
        yield copy


def _counts_rows(footer: pq.FileMetaData, name: str) -> bool:
    """Whether the statistics of the whole-numbered column ``name`` are those of 0, 1, 2 …"""
    before = 0
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        columns = (group.column(position) for position in range(group.num_columns))
        found = next((column.statistics for column in columns if column.path_in_schema == name), None)
        if found is None or not found.has_min_max or found.null_count != 0 or not isinstance(found.min, int):
            return False
        if (found.min, found.max) != (before, before + group.num_rows - 1):
            return False
        before += group.num_rows
    return before > 0


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
    except (KeyError, ValueError, TypeError, csv.Error) as error:  # a ValueError for what is no UTF-8
        raise InputError(f"{file} is not a zone lookup with columns {', '.join(tlc.ZONE_COLUMNS)}", remedy) from error
    if sorted(row[0] for row in rows) != list(range(1, tlc.ZONE_COUNT + 1)):
        raise InputError(f"{file} does not list zones 1 to {tlc.ZONE_COUNT} once each", remedy)
    return rows


def error_page(head: bytes) -> str:
    """What a server says instead of a file, by its first bytes: "a web page", "a JSON answer"; empty if neither."""
    begins = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return {b"<": "a web page", b"{": "a JSON answer", b"[": "a JSON answer"}.get(begins, "")


def land_by_content(local: Path, folder: str) -> tuple[str, str]:
    """Land ``local`` below ``folder`` in a folder named after its content: its URI, and its SHA-256 in hexadecimal."""
    sha256 = _sha256(local)
    uri = f"{folder}/sha256={sha256[:16]}/{local.name}"
    _land(local, uri, sha256)
    return uri, sha256


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _land(local: Path, uri: str, sha256: str) -> None:
    """Put ``local`` at ``uri`` as a whole, unless that content is there already; its ``sha256`` is hexadecimal.

    Nobody sees part of it: a folder gets a file that was written beside it, S3 shows an upload when it is complete.
    S3 compares a SHA-256 of each part with what arrived and keeps ``sha256`` as the object's metadata.
    """
    if uri.startswith(_S3):
        _upload(local, uri, sha256)
        return
    target = Path(uri)
    if target.is_file() and _sha256(target) == sha256:  # of the same size it may be damaged all the same
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming = target.with_name(f"{target.name}.{uuid.uuid4().hex}.incoming")
    shutil.copyfile(local, incoming)
    incoming.replace(target)


def _upload(local: Path, uri: str, sha256: str) -> None:
    from boto3.s3.transfer import TransferConfig

    client = _session().client("s3")
    bucket, key = split_s3(uri)
    listed = client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    if listed and listed[0]["Key"] == key:
        there = client.head_object(Bucket=bucket, Key=key)
        if there["ContentLength"] == local.stat().st_size and there["Metadata"].get("sha256") == sha256:
            return
    client.upload_file(
        str(local),
        bucket,
        key,
        ExtraArgs={"ChecksumAlgorithm": "SHA256", "Metadata": {"sha256": sha256}},
        Config=TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=4),
    )
