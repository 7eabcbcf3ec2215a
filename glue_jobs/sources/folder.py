"""A folder with the TLC's files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from glue_jobs.contracts import tlc
from glue_jobs.errors import NotPublishedYet, SourceUnavailable
from glue_jobs.sources.base import Fetched, Progress, Seen, Sighting

_FILE = "file:"
_TRIP_FOLDER, _TRIP_FILES = "trip-data", "yellow_tripdata_*.parquet"


class FolderSource:
    """Files below the folder ``spec``, a path (also with ``~``) or ``file://`` URI: laid out like the TLC's site, with
    ``trip-data/yellow_tripdata_YYYY-MM.parquet`` and ``misc/taxi_zone_lookup.csv``, or with both files directly in it.

    The site's ``trip-data`` itself is understood as well.
    """

    def __init__(self, spec: str) -> None:
        try:
            path = unquote(urlsplit(spec).path) if spec.startswith(_FILE) else spec
            given = Path(path).expanduser().resolve()
            given.exists()  # an OSError for a name that is too long
            is_part = given.name == _TRIP_FOLDER and (given.parent / tlc.ZONE_FILE_PATH).is_file()
        except (
            RuntimeError,
            OSError,
            ValueError,
        ) as error:  # ~somebody, a name that is too long, a file://[ that is none
            raise SourceUnavailable(f"{spec[:200]} is no folder ({error})", "give the whole path") from error
        self._root = given.parent if is_part else given

    def require(self) -> None:
        """SourceUnavailable if the folder is not one that months can be landed from."""
        if self._root.is_file():
            raise SourceUnavailable(f"{self._root} is a file", f"give the folder that it is in: {self._root.parent}")
        if not self._root.is_dir():
            raise SourceUnavailable(f"{self._root} does not exist", "check the path, or mount what it is on")
        if not any(self._trips_folder.glob(_TRIP_FILES)):
            raise SourceUnavailable(
                f"{self._root} has no trip files",
                f"put them there, called {_TRIP_FILES.replace('*', 'YYYY-MM')}, or give another folder",
            )
        if not self._zones.is_file():
            raise SourceUnavailable(
                f"{self._zones} does not exist", f"put the TLC's zone lookup there, or into {self._root}"
            )

    @property
    def _trips_folder(self) -> Path:
        as_on_site = self._root / _TRIP_FOLDER
        is_flat = not as_on_site.is_dir() and any(self._root.glob(_TRIP_FILES))
        return self._root if is_flat else as_on_site

    @property
    def _zones(self) -> Path:
        return self._beside(tlc.ZONE_FILE_NAME, tlc.ZONE_FILE_PATH)

    def _beside(self, flat: str, as_on_site: str) -> Path:
        """Where a file lies that is not of a month: in the folder itself, or where the TLC has it."""
        return self._root / flat if (self._root / flat).is_file() else self._root / as_on_site

    def fetch_trips(self, month: str, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``."""
        path = self._trips_folder / tlc.trip_file_name(month)
        if not path.is_file():
            there = sorted(found.name for found in self._trips_folder.glob(_TRIP_FILES))
            raise NotPublishedYet(
                f"{path} does not exist; the folder has {', '.join(there) or 'no trip files'}",
                f"put the file of {month} there, or choose another month or source",
            )
        return copy_file(path, destination, progress)

    def fetch_zones(self, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``."""
        if not self._zones.is_file():
            raise SourceUnavailable(
                f"{self._zones} does not exist", f"put the TLC's zone lookup there, or into {self._root}"
            )
        return copy_file(self._zones, destination, progress)

    def fetch_shapes(self, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``."""
        path = self._beside(tlc.SHAPES_FILE_NAME, tlc.SHAPES_FILE_PATH)
        if not path.is_file():
            raise SourceUnavailable(f"{path} does not exist", f"put the TLC's {tlc.SHAPES_FILE_NAME} there, for maps")
        return copy_file(path, destination, progress)

    def look(self, months: Sequence[str], deadline_seconds: float) -> dict[str, Sighting]:  # noqa: ARG002 -- it is quick
        """See ``Source``. A folder that is not there, as one that is not mounted, is out of reach."""
        seen: dict[str, Sighting] = {}
        for month in months:
            path = self._trips_folder / tlc.trip_file_name(month)
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
