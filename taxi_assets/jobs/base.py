"""What running a job of ``glue_jobs`` means, wherever it runs.

Belongs here: the interface, a job's report. Does not: any way of running (``local``, ``aws.glue``).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster_pyspark import LazyPySparkResource

from glue_jobs.reporting import COMPLETED, FAILED, PHASE


@dataclass(frozen=True)
class JobRun:
    """What a job reported, and how it was run: in how many ``seconds`` from the request to the end, waiting included.

    ``facts`` are those of its completion report, ``metadata`` is for the materializations that come of it, ``lineage``
    for the snapshots.
    """

    job: str
    facts: dict[str, Any]
    seconds: float
    metadata: Mapping[str, Any]
    lineage: Mapping[str, str]


class Jobs(dg.ConfigurableResource["Jobs"], ABC):
    """Runs the jobs of ``glue_jobs``. ``spark`` supplies the Spark settings that every job gets."""

    spark: LazyPySparkResource

    @abstractmethod
    def run(self, context: dg.AssetExecutionContext, job: str, arguments: Mapping[str, str]) -> JobRun:
        """Run ``job`` to its end. ``arguments`` are its options without dashes; ``month`` is among them.

        dagster.Failure, with what happened and what to do, if the job failed or ended without a completion report.
        """

    @abstractmethod
    def stop_lost(self, has_ended: Callable[[str], bool]) -> Sequence[str]:
        """Stop the jobs whose Dagster run, by its id, ``has_ended``; returns what was stopped."""


def facts_of(job: str, messages: Sequence[Any], end: str, last_lines: str) -> dict[str, Any]:
    """The facts of a job's completion report; dagster.Failure if there is none, whatever else it said."""
    reports = [message for message in messages if isinstance(message, dict) and message.get("job") == job]
    for report in reports:
        if report["kind"] == FAILED:
            raise dg.Failure(
                f"{report['problem']}. What to do: {report['remedy']}.",
                metadata={name: report[name] for name in ("problem", "remedy", "cause")},
                allow_retries=False,
            )
    completed = [report["facts"] for report in reports if report["kind"] == COMPLETED]
    if not completed:
        raise dg.Failure(
            f"{job} ended without a completion report ({end}); nothing was published. What to do: read its last "
            f"lines below, then run the month again.\n{last_lines}",
            allow_retries=False,  # whoever can tell that another attempt may help says so
            metadata={
                "last_lines": dg.MetadataValue.md(f"```\n{last_lines}\n```"),
                "seconds_of_finished_phases": {
                    report["phase"]: report["seconds"] for report in reports if report["kind"] == PHASE
                },
            },
        )
    facts: dict[str, Any] = completed[-1]
    return facts


def as_options(arguments: Mapping[str, str]) -> dict[str, str]:
    """``{"a_b": "c"}`` as ``{"--a-b": "c"}``."""
    return {f"--{name.replace('_', '-')}": value for name, value in arguments.items()}
