"""What every source can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

Progress = Callable[[int, int], None]
"""Called with bytes so far and bytes in all (0 if unknown)."""


@dataclass(frozen=True)
class Fetched:
    """Where a file came from, and the tag that tells its content from another, the same as in a ``Sighting``."""

    url: str
    etag: str


class Seen(str, Enum):
    """What a look at a month's file came to."""

    THERE = "there"
    NOT_PUBLISHED = "not published"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Sighting:
    """A look at a month's file, of which nothing was read. ``url`` is where it lies, or would.

    ``tag``, if it is there, tells its content from another: the source's ETag, or size and time of change. ``why`` says
    in words what a state other than ``THERE`` rests on.
    """

    state: Seen
    url: str
    tag: str = ""
    bytes: int = 0
    why: str = ""


class TripSource(Protocol):
    """A source of one trip file a month."""

    def fetch_trips(self, month: str, destination: Path, progress: Progress) -> Fetched:
        """Write the trip file of ``month`` to ``destination``.

        Raises NotPublishedYet if the source has none yet, SourceUnavailable if it cannot be had.
        """
        ...


class Source(TripSource, Protocol):
    """A source of trip files and of the zone lookup, which can be looked at without reading a file."""

    def fetch_zones(self, destination: Path, progress: Progress) -> Fetched:
        """Write the zone lookup to ``destination``; SourceUnavailable if it cannot be had."""
        ...

    def fetch_shapes(self, destination: Path, progress: Progress) -> Fetched:
        """Write the shapes of the zones, a zipped shapefile, to ``destination``; SourceUnavailable as above."""
        ...

    def look(self, months: Sequence[str], deadline_seconds: float) -> dict[str, Sighting]:
        """What is there of ``months``, in their order, as far as ``deadline_seconds`` suffice.

        A source that throttles or is out of reach is not asked further: that month's sighting is the last.
        """
        ...
