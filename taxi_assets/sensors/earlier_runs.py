"""What became of the runs that sensors asked for.

Belongs here: the tags that such a run has, how it ended and why, when it may be asked for again. Does not: what is to
be run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from itertools import takewhile

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus

from glue_jobs.errors import PipelineError
from taxi_assets.errors import why_failed

MONTH_TAG, CONTENT_TAG, ATTEMPT_TAG, CODE_TAG = "taxi/month", "taxi/content", "taxi/attempt", "taxi/code"
"""The month, what tells its file's content from another, the number of the attempt, and the code
(``jobs.code.Code.version``) that judges it."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=30), timedelta(days=1)
"""Between a run that failed for a cause that may pass and the next; it doubles with each."""
_RUN_KEY_TAG = "dagster/run_key"
_FOUND_AT_MOST = 500
"""Runs of a month: decades of republishing."""


class Outcome(str, Enum):
    """How a run ended, if it did."""

    NOT_LAUNCHED = "not launched"
    """The daemon made it and was stopped before it launched it. Asked for with the same run key, it is launched."""
    ACTIVE = "on its way"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    """The file was judged and found bad."""
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True)
class EarlierRun:
    """One run. ``ended`` is when its state was last changed; ``tags`` are all that it has."""

    run_id: str
    outcome: Outcome
    ended: datetime
    tags: dict[str, str]

    @property
    def content(self) -> str:
        """The content that it was asked for."""
        return self.tags.get(CONTENT_TAG, "")

    @property
    def attempt(self) -> int:
        """Its number among the runs of that content, from 1."""
        return int(self.tags.get(ATTEMPT_TAG, "1"))

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"run {self.run_id[:8]}"


@dataclass(frozen=True)
class Again:
    """Whether a run is to be asked for, with which number of attempt, and why or why not."""

    request: bool
    attempt: int
    why: str


def earlier_runs(instance: dg.DagsterInstance, month: str) -> list[EarlierRun]:
    """The runs that sensors asked for of ``month``, the newest first."""
    return runs_with(instance, dg.RunsFilter(tags={MONTH_TAG: month}))


def runs_with(instance: dg.DagsterInstance, wanted: dg.RunsFilter) -> list[EarlierRun]:
    """The runs that ``wanted`` lets through, the newest first."""
    return [
        EarlierRun(
            record.dagster_run.run_id,
            _outcome(instance, record.dagster_run),
            _aware(record.update_timestamp)
            if record.end_time is None
            else datetime.fromtimestamp(record.end_time, timezone.utc),
            dict(record.dagster_run.tags),
        )
        for record in instance.get_run_records(wanted, limit=_FOUND_AT_MOST)
    ]


def again(runs: Sequence[EarlierRun], code: str, now: datetime, undone: Sequence[EarlierRun] = ()) -> Again:
    """Whether a content is to be run, given the ``runs`` that there were of it, the newest first.

    Those that are ``undone`` besides only count for the number of the attempt.
    """
    following = max((run.attempt for run in (*runs, *undone)), default=0) + 1
    if not runs:
        return Again(True, following, "it has come back" if undone else "it was not run yet")
    latest = runs[0]
    if latest.outcome is Outcome.NOT_LAUNCHED:
        return Again(True, latest.attempt, f"{latest.name} was never launched")
    if latest.outcome is Outcome.REFUSED:
        if latest.tags.get(CODE_TAG) == code:
            return Again(False, following, f"{latest.name} refused it, and the code that did is still the same")
        return Again(True, following, f"{latest.name} refused it, but with other code")
    if latest.outcome is Outcome.FAILED:
        failures = len(list(takewhile(lambda run: run.outcome is Outcome.FAILED, runs)))
        wait = min(FIRST_WAIT * 2 ** min(failures - 1, 10), LONGEST_WAIT)
        told = f"{latest.name} failed at {latest.ended:%Y-%m-%d %H:%M} UTC"
        if now < latest.ended + wait:
            return Again(False, following, f"{told}; again from {latest.ended + wait:%Y-%m-%d %H:%M} UTC on")
        return Again(True, following, f"{told}; it is time for another attempt")
    ends = {Outcome.CANCELED: "was canceled by somebody", Outcome.SUCCEEDED: "has succeeded"}
    return Again(False, following, f"{latest.name} {ends.get(latest.outcome, 'is on its way')}")


def undone_by(moment: datetime, runs: Sequence[EarlierRun]) -> list[EarlierRun]:
    """Those that had landed a content before ``moment`` (UTC without a zone), when it was replaced or refused."""
    at = moment.replace(tzinfo=timezone.utc)
    return [run for run in runs if run.outcome is Outcome.SUCCEEDED and run.ended < at]


def _outcome(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Outcome:
    if run.status is DagsterRunStatus.FAILURE:
        return Outcome.FAILED if all(error.may_pass for error in _failures(instance, run.run_id)) else Outcome.REFUSED
    # Without a run key, nobody but who made it can launch it.
    if run.status is DagsterRunStatus.NOT_STARTED and _RUN_KEY_TAG in run.tags:
        return Outcome.NOT_LAUNCHED
    ended = {DagsterRunStatus.SUCCESS: Outcome.SUCCEEDED, DagsterRunStatus.CANCELED: Outcome.CANCELED}
    return ended.get(run.status, Outcome.ACTIVE)


def _failures(instance: dg.DagsterInstance, run_id: str) -> list[PipelineError]:
    """Why each failed step of a run failed; none if it ended otherwise."""
    records = instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_FAILURE).records
    events = [record.event_log_entry.dagster_event for record in records]
    return [why_failed(event) for event in events if event is not None]


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
