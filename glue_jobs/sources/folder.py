"""A folder laid out like the TLC's site."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from glue_jobs.contracts import tlc
from glue_jobs.errors import NotPublishedYet, SourceUnavailable
from glue_jobs.sources.base import Fetched, Progress, Seen, Sighting


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
        return copy_file(path, destination, progress)

    def fetch_zones(self, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``."""
        path = self._root / tlc.ZONE_FILE_PATH
        if not path.is_file():
            raise SourceUnavailable(f"{path} does not exist", "put the TLC's zone lookup there")
        return copy_file(path, destination, progress)

    def look(self, months: Sequence[str], deadline_seconds: float) -> dict[str, Sighting]:  # noqa: ARG002 -- it is quick
        """See ``Source``. A folder that is not there, as one that is not mounted, is out of reach."""
        seen: dict[str, Sighting] = {}
        for month in months:
            path = self._root / tlc.trip_file_path(month)
            url = path.as_uri()
            try:
                found = path.stat()
                seen[month] = Sighting(Seen.THERE, url, tag_of(found), found.st_size)
            except OSError as error:
                if isinstance(error, FileNotFoundError) and self._root.is_dir():
                    seen[month] = Sighting(Seen.NOT_PUBLISHED, url, why=f"{path} does not exist")
                    continue
                seen[month] = Sighting(Seen.UNREACHABLE, url, why=f"{self._root} cannot be read ({error.strerror})")
                break
        return seen


def tag_of(found: os.stat_result) -> str:
    """What tells one content of a file from another: its size, and when it was written."""
    return f"{found.st_size}-{found.st_mtime_ns}"


def copy_file(path: Path, destination: Path, progress: Progress) -> Fetched:
    """Copy a file as a whole; SourceUnavailable if somebody writes to it meanwhile."""
    try:
        before = path.stat()
        shutil.copyfile(path, destination)
        after = path.stat()
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read ({error.strerror})", "put it in its place again") from error
    if tag_of(before) != tag_of(after) or destination.stat().st_size != after.st_size:
        raise SourceUnavailable(f"{path} changed while it was read", "run the month again when it is there whole")
    progress(after.st_size, after.st_size)
    return Fetched(url=path.as_uri(), etag=tag_of(after))
