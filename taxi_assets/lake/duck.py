"""DuckDB connections that read the lake, in a folder or in S3.

Belongs here: how DuckDB gets at S3. Does not: which files are read, or the views over them (``reading``).

DuckDB's own S3 reader is an extension that it downloads when it is first used, from a server that not every
network reaches. PyArrow's, which the jobs use as well, is registered instead.
"""

from __future__ import annotations

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


def connect(copies: bool = False) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection in memory that also reads ``s3://`` paths; nothing is opened before one is read.

    With ``copies``, each file is fetched whole when it is first opened, and kept until ``forget_copies``: for checks,
    which read the 116 to 124 files of a month some twenty times, a few columns at a time. Without, only the ranges
    that a query needs are read.
    """
    # DuckDB draws a bar on standard output for what takes over two seconds, in the midst of a command's JSON.
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.register_filesystem(_copied_files() if copies else FilesInS3())
    return connection


def forget_copies() -> None:
    """Delete the copies of files that checks have read."""
    if _copied_files.cache_info().currsize:
        _copied_files().close()
        _copied_files.cache_clear()


@cache
def _copied_files() -> CopiedFiles:
    """Shared by the connections of this process."""
    return CopiedFiles()


class FilesInS3(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files in S3, read-only. Files of the lake never change under their name, so what is known of one stays true."""

    protocol = "s3"
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self._infos: dict[str, dict[str, Any]] = {}

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return path

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name, size and time of a file; FileNotFoundError if there is none. DuckDB asks before each use of it."""
        if path not in self._infos:
            system, key = _in_s3(path)
            found = system.get_file_info(key)
            if not found.is_file:
                raise FileNotFoundError(path)
            self._infos[path] = {"name": path, "size": found.size, "type": "file", "mtime": found.mtime}
        return self._infos[path]

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is such a file. fsspec's own takes any error, as of expired credentials, for a no."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def modified(self, path: str) -> datetime:
        """When the file was written."""
        written: datetime = self.info(path)["mtime"]
        return written

    def glob(self, path: str, **_: Any) -> list[str]:
        """The files that a pattern ``folder/**/*.ending`` matches, or the one file that ``path`` names."""
        folder, wild, ending = path.partition("/**/*")
        if not wild:
            return [path] if self.exists(path) else []
        from pyarrow import fs  # as in ``_in_s3``

        system, root = _in_s3(folder)
        found = system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
        return sorted(f"s3://{one.path}" for one in found if one.is_file and one.path.endswith(ending))

    def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        if mode != "rb":
            raise PermissionError(f"{path}: files of the lake are only read here")
        return _OfManyThreads(self._read(path))

    def _read(self, path: str) -> Any:
        system, key = _in_s3(path)
        return system.open_input_file(key)


class _OfManyThreads:
    """A file in which each thread has a place of its own.

    DuckDB's threads share it, and one seeks between another's seek and read: of a file of thirty row groups 17 of 20
    queries failed, and nothing says that wrong bytes are always noticed.
    """

    def __init__(self, file: Any) -> None:
        self._file, self._place = file, threading.local()

    def seek(self, to: int) -> int:
        """DuckDB counts from the beginning alone."""
        self._place.at = to
        return to

    def tell(self) -> int:
        """Where this thread reads next."""
        return getattr(self._place, "at", 0)

    def read(self, size: int) -> bytes:
        """At most so many bytes from there."""
        read: bytes = self._file.read_at(size, self.tell())
        self.seek(self.tell() + len(read))
        return read

    def close(self) -> None:
        """For all threads."""
        self._file.close()


class CopiedFiles(FilesInS3):
    """The same, each fetched whole when it is first opened."""

    def __init__(self) -> None:
        super().__init__()
        self._copies = tempfile.TemporaryDirectory(prefix="taxi-lake-")
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def close(self) -> None:
        """Delete the copies."""
        self._copies.cleanup()

    def _read(self, path: str) -> Any:
        copy = Path(self._copies.name, sha256(path.encode()).hexdigest())
        with self._locks[path]:
            if not copy.exists():
                part = copy.with_suffix(".part")
                with super()._read(path) as stream, part.open("wb") as file:
                    shutil.copyfileobj(stream, file, 1 << 20)
                part.replace(copy)
        from pyarrow import OSFile  # as in ``_in_s3``

        return OSFile(str(copy))


def _in_s3(path: str) -> tuple[Any, str]:
    """PyArrow's file system for a path, and the path in it."""
    from glue_jobs.files import open_file_system  # PyArrow: a tenth of a second that a lake in a folder does without

    return open_file_system(path)
