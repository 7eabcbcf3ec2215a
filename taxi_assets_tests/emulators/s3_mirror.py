"""A local copy of the emulated S3 that stock PySpark reads and writes as ``s3://``: it has no S3 file system.

Belongs here: the copy, and the Spark settings that put ``s3://bucket/`` on it. Does not: when to copy (``job_engine``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any

from glue_jobs.files import split_s3
from taxi_assets.jobs.engine import spark_conf
from taxi_assets.settings import SPARK

_THREADS = 8
_UNFINISHED = "_temporary"
"""The folder in which Spark writes files before it renames them."""


class S3Mirror:
    """Every bucket as a folder of ``root``."""

    def __init__(self, client: Any, root: Path) -> None:
        self._client = client
        self._root = root
        self._known: dict[Path, tuple[int, int]] = {}  # time and size of what S3 has as well
        self._lock = threading.Lock()
        root.mkdir()

    def download(self) -> None:
        """Fetch every object of every bucket."""
        for bucket in self._client.list_buckets()["Buckets"]:
            (self._root / bucket["Name"]).mkdir()
        with ThreadPoolExecutor(_THREADS) as pool:
            files = list(pool.map(self._fetch, self._objects()))
        self._known = {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in files}

    def upload(self, at_end: bool = False) -> None:
        """Put what has changed; at the end, delete what was deleted as well."""
        with self._lock:
            present = self._present()
            changed = [file for file, version in present.items() if self._known.get(file) != version]
            for file in changed:
                bucket, key = self._address(file)
                self._client.upload_file(str(file), bucket, key)
            if at_end:
                for file in self._known.keys() - present.keys():
                    bucket, key = self._address(file)
                    self._client.delete_object(Bucket=bucket, Key=key)
            self._known |= present

    def write_spark_settings(self, folder: Path, event_logs: str) -> Path:
        """A SPARK_CONF_DIR that maps ``s3://`` on the mirror, with an event log at the URI ``event_logs`` if given."""
        # Without progress bars, the last of which would be a failed job's last words.
        settings = {**spark_conf(SPARK), "spark.ui.showConsoleProgress": "false"}
        view = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
        plain = "org.apache.hadoop.fs.RawLocalFileSystem"  # the other local file system adds .crc files
        settings["spark.hadoop.fs.file.impl"] = plain
        for scheme in ("s3", "s3a"):
            settings[f"spark.hadoop.fs.{scheme}.impl"] = view
            settings[f"spark.hadoop.fs.viewfs.overload.scheme.target.{scheme}.impl"] = plain
        for bucket in self._root.iterdir():
            settings[f"spark.hadoop.fs.viewfs.mounttable.{bucket.name}.linkFallback"] = bucket.as_uri()
        if event_logs:
            bucket_name, prefix = split_s3(event_logs)
            (self._root / bucket_name / prefix).mkdir(parents=True, exist_ok=True)  # Spark wants it to exist
            settings |= {"spark.eventLog.enabled": "true", "spark.eventLog.dir": event_logs}
        folder.mkdir()
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        (folder / "spark-defaults.conf").write_text(lines)
        return folder

    def _objects(self) -> Iterator[tuple[str, str]]:
        for bucket in self._root.iterdir():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name):
                for found in page.get("Contents", []):
                    if not found["Key"].endswith("/"):  # a console's idea of a folder
                        yield bucket.name, found["Key"]

    def _fetch(self, address: tuple[str, str]) -> Path:
        bucket, key = address
        file = self._root / bucket / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(self._client.get_object(Bucket=bucket, Key=key)["Body"].read())
        return file

    def _present(self) -> dict[Path, tuple[int, int]]:
        found = {}
        for file in self._root.rglob("*"):
            if _UNFINISHED in file.parts or file.suffix == ".inprogress":
                continue
            with suppress(FileNotFoundError):  # Spark at work, which renames
                stat = file.stat()
                if S_ISREG(stat.st_mode):
                    found[file] = (stat.st_mtime_ns, stat.st_size)
        return found

    def _address(self, file: Path) -> tuple[str, str]:
        bucket, _, key = file.relative_to(self._root).as_posix().partition("/")
        return bucket, key
