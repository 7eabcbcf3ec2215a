"""Health of the runs that Dagster knows: what failed and was not made since, and what is under way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus

from taxi_assets.asset_keys import STAGING_TRIPS
from taxi_assets.errors import why_failed
from taxi_assets.lost_runs import ACTIVE, KILLED, is_lost
from taxi_assets.operations.health.finding import Finding, Level, short
from taxi_assets.operations.health.subject import Subject
from taxi_assets.schedules.verify_published import VERIFY_JOB

RUNS_READ = 2_000
"""Of Dagster's, the newest: 15 years of months, ten times over."""
LONGEST_RUN = timedelta(hours=12)
"""As ``max_runtime_seconds`` of the instance files."""
_PARTITION_TAG = "dagster/partition"


def runs_succeeded(subject: Subject) -> list[Finding]:
    """What a run failed to make was made since by another one, for each month."""
    instance, ui, findings = subject.instance, subject.settings.ui_url.rstrip("/"), []
    with subject.asking_dagster():
        active = months_on_their_way(instance, subject.now)
        failed = [(month, run, _why(instance, run)) for month, run in _failures(instance)]
    for month, failure, error in failed:
        said = f"{month or 'run of no month'}: run {failure.run_id[:8]} ({failure.job_name}) failed"
        why = short(error)
        again = f"taxi-assets run --month {month}" if month else "look at it in the UI"
        findings.append(
            Finding(Level.WARN, f"{said}; a run is on its way", "wait for it")
            if month in active
            else Finding(
                Level.FAIL,
                f"{said}{f': {why}' if why else ''}",
                f"{again}; if that is not wanted: delete {ui}/runs/{failure.run_id}",
            )
        )
    return findings or [Finding(Level.OK, "every run that failed was followed by a good one")]


def months_on_their_way(instance: dg.DagsterInstance, now: datetime) -> set[str]:
    """Those that a run is at work on. One whose process was killed says so for ever: where that cannot be told, as of
    another machine's, it is by its age."""
    runs = instance.get_runs(dg.RunsFilter(statuses=ACTIVE, updated_after=now - LONGEST_RUN))
    return {run.tags[_PARTITION_TAG] for run in runs if _PARTITION_TAG in run.tags and not is_lost(instance, run)}


def _failures(instance: dg.DagsterInstance) -> Iterator[tuple[str, dg.DagsterRun]]:
    """For each month the newest failed run of which something was not made since."""
    ended = dg.RunsFilter(statuses=[DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, *ACTIVE])
    made: dict[str, set[str]] = {}
    told: set[str] = set()
    for run in instance.get_runs(ended, limit=RUNS_READ):  # the newest first
        if not run.is_finished and not is_lost(instance, run):
            continue
        month = run.tags.get(_PARTITION_TAG, "")
        since = made.setdefault(month, set())
        if run.status is DagsterRunStatus.SUCCESS:
            since |= _asked_for(instance, run)
        elif month not in told:
            own = _keys(instance, run, DagsterEventType.ASSET_MATERIALIZATION)
            if _asked_for(instance, run) - own - since:
                told.add(month)
                yield month, run
            since |= own
        if STAGING_TRIPS.to_user_string() in since:
            since.add(VERIFY_JOB)  # what did not pass its checks any more is replaced


def _asked_for(instance: dg.DagsterInstance, run: dg.DagsterRun) -> set[str]:
    """The assets that a run was to make; for one that makes none, its job."""
    if run.asset_selection:
        return {key.to_user_string() for key in run.asset_selection}
    return _keys(instance, run, DagsterEventType.ASSET_MATERIALIZATION_PLANNED) or {run.job_name}


def _keys(instance: dg.DagsterInstance, run: dg.DagsterRun, kind: DagsterEventType) -> set[str]:
    records = instance.get_records_for_run(run.run_id, of_type=kind).records
    events = [record.event_log_entry.dagster_event for record in records]
    return {event.asset_key.to_user_string() for event in events if event and event.asset_key}


def _why(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """What the step that failed said, or that the process was killed; empty if the run ended otherwise."""
    if is_lost(instance, run):
        return KILLED
    for kind in (DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE):
        records = instance.get_records_for_run(run.run_id, of_type=kind).records
        for record in reversed(records):
            if (event := record.event_log_entry.dagster_event) is not None:
                return why_failed(event).sentence
    return ""
