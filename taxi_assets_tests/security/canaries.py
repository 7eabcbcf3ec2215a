"""Secrets that can be recognised wherever they turn up.

Belongs here: a value for every secret there is, and looking for them in text, in files and in what files pack. Does
not: what is run with them (``test_canaries``).
"""

from __future__ import annotations

import base64
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import SecretStr

from taxi_assets.settings import Settings

MARK = "c4n4ry"
LOGIN = f"reader:{MARK}-of-a-login"
"""What would be in an address, or in ~/.netrc, and goes over the wire in base64."""
_TRACES = (MARK.encode(), base64.b64encode(LOGIN.encode()).rstrip(b"="))
_OTHERS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DAGSTER_PG_PASSWORD")
"""Secrets that are not settings of ours."""


def secrets() -> dict[str, str]:
    """Every secret variable with a value of its own; a secret setting that is added is among them by itself."""
    fields = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
    values = {f"TAXI_{name.upper()}": f"{MARK}-{name}-{'x' * 32}" for name in fields}
    # Nobody listens at port 9: whatever is sent there, or said of it, has failed.
    values |= {name: f"https://127.0.0.1:9/{value}" for name, value in values.items() if name.endswith("_URL")}
    return values | {name: f"{MARK}-{name}" for name in _OTHERS}


def found_in(content: bytes) -> bool:
    """Whether a secret is in it, whatever its case."""
    return any(trace in content or trace.lower() in content.lower() for trace in _TRACES)


def files_with_secrets(folder: Path) -> list[str]:
    """Every file below a folder in whose content, unpacked, or name a secret is."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(str(path) for path in files if found_in(str(path).encode()) or any(map(found_in, _contents(path))))


def _contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what it has compressed. Of Avro no more: its paths are names of other files."""
    content = path.read_bytes()
    yield content
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield str(table.to_pylist()).encode()
        yield str(pq.read_metadata(path).metadata).encode()
    elif content.startswith(b"SQLite format 3\0"):
        yield from _values_of(path)


def _values_of(database: Path) -> Iterator[bytes]:
    """All values of a SQLite database. Dagster compresses jobs and plans of execution."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    if isinstance(value, bytes):
                        yield _unpacked(value)
                    else:
                        yield str(value).encode()


def _unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value
