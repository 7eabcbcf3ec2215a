"""What the time of a step went into, as its materializations show it.

Belongs here: timing the parts of a step, and those that its job reports. Does not: what Dagster takes for events around
them, which is the rest of the step's own duration.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from glue_jobs.reports import ReportT
from taxi_assets.assets.previews import seconds_table
from taxi_assets.jobs.base import ENGINE_START, JobRun

TOTAL = "total"
"""Of a job's own report: the sum of its phases and what lies between them."""


class Phases:
    """Phase to ``seconds``, in the order in which a step comes to them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add what the enclosed block takes, however it ends."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - begun, 3)

    def take_in(self, run: JobRun[ReportT]) -> None:
        """Add the phases of a job: the start of its engine, if it waited for one, what it reports, and its process."""
        engine = float(run.metadata.get(ENGINE_START, 0.0))
        reported = {name: seconds for name, seconds in run.report["seconds"].items() if name != TOTAL}
        self.seconds |= {"start the engine": engine} if engine else {}
        self.seconds |= reported
        # Python, its imports, a session with the engine; on AWS the wait for workers. Each of the numbers is rounded.
        self.seconds["job's process"] = max(0.0, round(run.seconds - engine - sum(reported.values()), 3))

    @property
    def metadata(self) -> dict[str, Any]:
        """For a materialization: a table for people, and the same numbers for programs."""
        return {"seconds": seconds_table(self.seconds), "phases": dg.MetadataValue.json(dict(self.seconds))}
