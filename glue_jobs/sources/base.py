"""What every source can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Progress = Callable[[int, int], None]
"""Called with bytes so far and bytes in all (0 if unknown)."""


@dataclass(frozen=True)
class Fetched:
    """Where a file came from, and the tag that the source gives its content (empty if it gives none)."""

    url: str
    etag: str


class Source(Protocol):
    """A source of one trip file a month and of the zone lookup."""

    def fetch_trips(self, month: str, destination: Path, progress: Progress) -> Fetched:
        """Write the trip file of ``month`` to ``destination``.

        Raises NotPublishedYet if the source has none yet, InputError if it cannot be had.
        """
        ...

    def fetch_zones(self, destination: Path, progress: Progress) -> Fetched:
        """Write the zone lookup to ``destination``; InputError if it cannot be had."""
        ...
