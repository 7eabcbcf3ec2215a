"""What running a job of ``glue_jobs`` means, wherever it runs.

Belongs here: the interface, a job's report. Does not: any way of running (``local``, ``aws.glue``).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import dagster as dg
from dagster_pyspark import LazyPySparkResource

from glue_jobs.errors import PipelineError
from glue_jobs.reporting import COMPLETED, FAILED, PHASE
from glue_jobs.reports import Job, ReportT

ENGINE_START = "engine_start_seconds"
"""In a run's metadata: how long it waited for the engine to start; not there if the engine ran already."""


@dataclass(frozen=True)
class JobRun(Generic[ReportT]):
    """What a job reported, and how it was run: in how many ``seconds`` from the request to the end, waiting included.

    ``metadata`` is for the materializations that come of it, ``lineage`` for the snapshots.
    """

    job: Job[ReportT]
    report: ReportT
    seconds: float
    metadata: Mapping[str, Any]
    lineage: Mapping[str, str]


class NoReport(PipelineError):
    """A job ended without a completion report, whatever its exit code."""


class Jobs(dg.ConfigurableResource["Jobs"], ABC):
    """Runs the jobs of ``glue_jobs``. ``spark`` supplies the Spark settings that every job gets."""

    spark: LazyPySparkResource

    @abstractmethod
    def run(
        self, context: dg.AssetExecutionContext, job: Job[ReportT], arguments: Mapping[str, str]
    ) -> JobRun[ReportT]:
        """Run ``job`` to its end. ``arguments`` are its options without dashes; ``month`` is among them.

        PipelineError if the job failed or ended without a completion report.
        """

    @abstractmethod
    def stop_lost(self, has_ended: Callable[[str], bool]) -> Sequence[str]:
        """Stop the jobs whose Dagster run, by its id, ``has_ended``; returns what was stopped."""


def report_of(job: Job[ReportT], messages: Sequence[Any], end: str, last_lines: str) -> ReportT:
    """The completion report of a job; NoReport if there is none, what the job refused if it did.

    ``end`` says how its process ended, ``last_lines`` what it printed last.
    """
    said = [message for message in messages if isinstance(message, dict) and message.get("job") == job]
    for message in said:
        if message["kind"] == FAILED:
            raise PipelineError.from_report(message)
    completed: list[ReportT] = [message["facts"] for message in said if message["kind"] == COMPLETED]
    if not completed:
        phases = {one["phase"]: one["seconds"] for one in said if one["kind"] == PHASE}
        raise NoReport(
            f"{job} ended without a completion report ({end}); nothing was published",
            "read its last lines below, then run the month again",
            detail=last_lines,
            facts={"seconds_of_finished_phases": phases},
        )
    return completed[-1]


def as_options(arguments: Mapping[str, str]) -> dict[str, str]:
    """``{"a_b": "c"}`` as ``{"--a-b": "c"}``."""
    return {f"--{name.replace('_', '-')}": value for name, value in arguments.items()}
