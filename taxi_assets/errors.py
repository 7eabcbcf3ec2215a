"""The project's error on its way through Dagster: into a step's failure, and out of the event log again.

Belongs here: the border between ``PipelineError`` and Dagster. Does not: the error itself (``glue_jobs.errors``), or
what an error of AWS or of the lake means (``aws.client``, ``lake.catalog``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
import duckdb
from dagster import DagsterEvent, DagsterEventType, DagsterExecutionInterruptedError
from dagster_shared.error import SerializableErrorInfo

from glue_jobs.errors import Cause, PipelineError
from taxi_assets.aws.client import AWS_ERRORS, AwsError, aws_error_in

_REPORT = ("problem", "remedy", "cause", "may_pass")
_READ_THE_LOG = "read the run's log, repair the cause, then run the month again"
_INTERRUPTED = frozenset({DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__})
_INTERRUPTED_QUERY = "RuntimeError: Query interrupted"
"""What DuckDB makes of an interrupt."""


def failure_of(error: PipelineError) -> dg.Failure:
    """The step failure that carries ``error``, for ``why_failed`` to find. A step never repeats itself for it."""
    report = error.as_report()
    metadata: dict[str, Any] = {**{name: report[name] for name in _REPORT}, **error.facts}
    if error.detail:
        metadata["detail"] = dg.MetadataValue.md(f"```\n{error.detail}\n```")
    return dg.Failure(str(error), metadata=metadata, allow_retries=False)


@contextmanager
def failing_the_step(then: str = "run the month again") -> Iterator[None]:
    """The body of an asset or op: a PipelineError, or an error of AWS, fails the step as ``why_failed`` reads it."""
    try:
        yield
    except PipelineError as error:
        raise failure_of(error) from error
    except (*AWS_ERRORS, duckdb.Error) as error:  # DuckDB repeats what S3 said to PyArrow
        if (of_aws := aws_error_in(error)) is None:
            raise
        problem, remedy = (
            f"{of_aws.problem}. Readers see what they saw before",
            f"{of_aws.remedy}, then {then}",
        )
        raise failure_of(AwsError(problem, remedy)) from error


def why_failed(event: DagsterEvent) -> PipelineError:
    """Why a step or a run failed, from its STEP_FAILURE or RUN_FAILURE event.

    What was not raised as a PipelineError is told by its first cause, with the traceback as the detail.
    """
    if event.event_type == DagsterEventType.STEP_FAILURE:
        step = event.step_failure_data
        failure = step.user_failure_data
        if failure is not None:
            return _from_failure(failure.description or "it failed", {n: v.value for n, v in failure.metadata.items()})
        error = step.error
    else:
        # Without data if it was reported from outside, as by Dagster's run monitoring of a lost worker.
        error = event.job_failure_data.error if event.event_specific_data else None
    if error is None:
        return PipelineError(event.message or "it ended without saying why", _READ_THE_LOG)
    return _unforeseen(error)


def _from_failure(text: str, metadata: Mapping[str, Any]) -> PipelineError:
    """From what a dagster.Failure carries; one that is not ours, or of an earlier version, has only its text."""
    problem, *rest = re.split(r"\s+What to do: ", text, maxsplit=1)
    remedy, _, detail = (rest or [_READ_THE_LOG])[0].partition("\n")
    known = {name: metadata[name] for name in _REPORT if name in metadata}
    return PipelineError.from_report({"problem": problem, "remedy": remedy, "detail": detail, **known})


def _unforeseen(error: SerializableErrorInfo) -> PipelineError:
    chain = [error]
    while chain[-1].cause is not None:
        chain.append(chain[-1].cause)
    # DuckDB makes a RuntimeError of an interrupt.
    if any(
        link.cls_name in _INTERRUPTED or link.message.strip() == "RuntimeError: Query interrupted" for link in chain
    ):
        return PipelineError(
            "interrupted; nothing more is published, readers see what they saw",
            "run the month again",
            cause=Cause.INTERRUPTED,
        )
    first = next((link for link in chain if not (link.cls_name or "").startswith("Dagster")), chain[-1])
    said = re.sub(r"^(?:\w+\.)+(?=\w+: )", "", first.message.strip())  # the class without its module
    return PipelineError(said, _READ_THE_LOG, detail=chain[-1].to_string())
