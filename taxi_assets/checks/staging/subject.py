"""A month as a job staged it: what the checks of staging are asked of.

Belongs here: the files and facts of such a month, and what several checks derive from them. Does not: any question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from glue_jobs.contracts import QUARANTINE, TRIPS
from glue_jobs.contracts.months import days_of
from glue_jobs.files import index_columns, parquet_schema
from glue_jobs.transforms.normalise import FileLayout, layout_of
from taxi_assets.checks.session import Session
from taxi_assets.checks.staging.profile import profile_of
from taxi_assets.lake.reading import parquet_scan

SAMPLE = "LIMIT 20"
"""How many rows are shown of those that are at fault."""


@dataclass(frozen=True)
class StagedMonth:
    """A month as a job wrote it.

    ``facts`` is the job's report, ``source`` the raw file's path, ``zones`` that of the zone lookup; ``published``
    holds measures of the months that are published: measure to month to value. ``live`` is the folder of the trips that
    the month replaces, empty if there are none; ``accepted_smaller`` says who wants it although it is smaller, and why.
    """

    month: str
    source: str
    zones: str
    trips: str
    quarantine: str
    facts: Mapping[str, Any]
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    live: str = ""
    accepted_smaller: str = ""

    @cached_property
    def session(self) -> Session:
        """Views ``source``, ``trips``, ``quarantine`` and ``live``."""
        return Session(
            {"trips": (TRIPS, self.trips), "quarantine": (QUARANTINE, self.quarantine), "live": (TRIPS, self.live)},
            {"source": f"SELECT * FROM {parquet_scan([self.source])}"},
        )

    @cached_property
    def layout(self) -> FileLayout:
        """How the source file maps to the contract."""
        return layout_of(parquet_schema(self.source), self.source, index_columns(self.source))

    @cached_property
    def profile(self) -> dict[str, float]:
        """The month's measures."""
        return profile_of(self.session, days_of(self.month))
