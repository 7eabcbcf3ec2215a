"""A folder laid out like the TLC's site."""

from __future__ import annotations

import shutil
from pathlib import Path

from glue_jobs.contracts import tlc
from glue_jobs.errors import InputError, NotPublishedYet
from glue_jobs.sources.base import Fetched, Progress


class FolderSource:
    """Files below ``root``: ``trip-data/yellow_tripdata_YYYY-MM.parquet`` and ``misc/taxi_zone_lookup.csv``."""

    def __init__(self, root: str) -> None:
        self._root = Path(root.removeprefix("file://")).resolve()

    def fetch_trips(self, month: str, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``."""
        path = self._root / tlc.trip_file_path(month)
        if not path.is_file():
            there = sorted(found.name for found in path.parent.glob("yellow_tripdata_*.parquet"))
            raise NotPublishedYet(
                f"{path} does not exist; the folder has {', '.join(there) or 'no trip files'}",
                f"put the file of {month} there, or choose another month or source",
            )
        return _copy(path, destination, progress)

    def fetch_zones(self, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``."""
        path = self._root / tlc.ZONE_FILE_PATH
        if not path.is_file():
            raise InputError(f"{path} does not exist", "put the TLC's zone lookup there")
        return _copy(path, destination, progress)


def _copy(path: Path, destination: Path, progress: Progress) -> Fetched:
    shutil.copyfile(path, destination)
    size = destination.stat().st_size
    progress(size, size)
    return Fetched(url=path.as_uri(), etag="")
