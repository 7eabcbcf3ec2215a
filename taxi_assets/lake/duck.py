"""DuckDB connections that read the lake, in a folder or in S3.

Belongs here: how DuckDB gets at S3. Does not: which files are read, or the views over them (``reading``).

DuckDB's own S3 reader is an extension that it downloads when it is first used, from a server that not every
network reaches. PyArrow's, which the jobs use as well, is registered instead.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
from collections import defaultdict
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
from fsspec import AbstractFileSystem
from pyarrow import fs

from glue_jobs.files import open_file_system


def connect() -> duckdb.DuckDBPyConnection:
    """A DuckDB connection in memory that also reads ``s3://`` paths; nothing is opened before one is read."""
    connection = duckdb.connect()
    connection.register_filesystem(files_in_s3())
    return connection


@cache
def files_in_s3() -> AbstractFileSystem:
    """The one of this process: connections share the copies of files that it keeps."""
    return FilesInS3()


class FilesInS3(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Read-only files in S3, each fetched whole when it is first opened, and kept for the life of the process.

    Files of the lake never change under their name. The audits of a month read its 116 to 124 files some twenty
    times, a few columns at a time: by ranges that would be tens of thousands of requests.
    """

    protocol = "s3"
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self._folder: Path | None = None
        self._infos: dict[str, dict[str, Any]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return path

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name, size and time of a file; FileNotFoundError if there is none. DuckDB asks before each use of it."""
        if path not in self._infos:
            system, key = open_file_system(path)
            found = system.get_file_info(key)
            if not found.is_file:
                raise FileNotFoundError(path)
            self._infos[path] = {"name": path, "size": found.size, "type": "file", "mtime": found.mtime}
        return self._infos[path]

    def modified(self, path: str) -> datetime:
        """When the file was written."""
        written: datetime = self.info(path)["mtime"]
        return written

    def glob(self, path: str, **_: Any) -> list[str]:
        """The files that a pattern ``folder/**/*.ending`` matches, or the one file that ``path`` names."""
        folder, wild, ending = path.partition("/**/*")
        if not wild:
            return [path] if self.exists(path) else []
        system, root = open_file_system(folder)
        found = system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
        return sorted(f"s3://{one.path}" for one in found if one.is_file and one.path.endswith(ending))

    def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        if mode != "rb":
            raise PermissionError(f"{path}: files of the lake are only read here")
        return self._local(path).open("rb")

    def _local(self, path: str) -> Path:
        with self._locks[path]:
            copy = self._copies() / sha256(path.encode()).hexdigest()
            if not copy.exists():
                part = copy.with_suffix(".part")
                system, key = open_file_system(path)
                with system.open_input_stream(key) as stream, part.open("wb") as file:
                    shutil.copyfileobj(stream, file, 1 << 20)
                part.replace(copy)
            return copy

    def _copies(self) -> Path:
        with self._locks[""]:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="taxi-lake-"))
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder
