"""Reading Dagster's event log for alerts: failed runs, checks, materializations.

Belongs here: what an event means as news. Does not: what becomes of the news (``problems``), its words (``wording``).

A sensor for failed runs would not hear of a failed check: one that does not block does not fail its run. So the log is
read by its ids, in order. ``get_logs_for_all_runs_by_log_id`` reads the one log of a Postgres instance, and of SQLite,
which keeps a file for each run, the index, which has a copy of every event that is read here (Dagster 1.13).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg
from dagster import DagsterEvent, DagsterEventType, EventLogEntry

from taxi_assets.alerts import wording
from taxi_assets.alerts.problems import ERROR, WARN, Cleared, Kind, Problem
from taxi_assets.asset_keys import QUARANTINE_KEY
from taxi_assets.checks.freshness import IS_FRESH
from taxi_assets.errors import why_failed

QUARANTINE_CHECKS = frozenset({"is_small", "reject_rates_are_usual"})
"""The checks of the quarantine that say that its rate has jumped."""
SETTLES_AFTER = timedelta(seconds=5)
"""In a log that is written to by several connections at once an event may appear after one with a higher id."""

_TYPES = (
    DagsterEventType.RUN_FAILURE,
    DagsterEventType.RUN_SUCCESS,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.ASSET_MATERIALIZATION,
)
_OF_FAILED_RUN = {
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_CHECK_EVALUATION,
}
_PARTITION = "dagster/partition"
_CAUSE_CHARACTERS = 120


def read_news(
    instance: dg.DagsterInstance, after: int, limit: int, now: datetime
) -> tuple[list[Problem | Cleared], int]:
    """What happened after the event ``after``, in order, and the last event read; at most ``limit`` of each type."""
    storage = instance.event_log_storage
    # Asked before the types are, one after the other: what comes in between has a higher id and waits.
    last = storage.get_maximum_record_id() or -1
    entries: dict[int, EventLogEntry] = {}
    for of_type in _TYPES:
        read = storage.get_logs_for_all_runs_by_log_id(after, of_type, limit)
        if len(read) == limit:
            last = min(last, max(read))
        entries.update(read)
    # SQLite takes one writer at a time, and so hands ids out in the order of the commits.
    settled = None if storage.is_run_sharded else (now - SETTLES_AFTER).timestamp()
    reader = _Reader(instance)
    found: list[Problem | Cleared] = []
    for number in sorted(number for number in entries if number <= last):
        if settled is not None and entries[number].timestamp > settled:
            break
        found.extend(reader.news_of(number, entries[number]))
        after = number
    return found, after


class _Reader:
    """What events mean. Remembers the months of runs."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._months: dict[str, str] = {}

    def news_of(self, number: int, entry: EventLogEntry) -> Iterator[Problem | Cleared]:
        event = entry.get_dagster_event()
        at = datetime.fromtimestamp(entry.timestamp, timezone.utc)
        if event.event_type == DagsterEventType.RUN_FAILURE:
            yield from self._failed_run(number, at, entry, event)
        elif event.event_type == DagsterEventType.RUN_SUCCESS:
            yield Cleared(self._month_of(entry.run_id), f"job {event.job_name}", at, event=number)
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            if event.asset_check_evaluation_data.check_name != IS_FRESH:  # told as overdue months
                yield self._check(number, at, entry, event)
        else:
            assert event.asset_key is not None  # a materialization is of an asset
            yield Cleared(event.partition or "", event.asset_key.to_user_string(), at, event=number)

    def _month_of(self, run_id: str) -> str:
        if run_id not in self._months:
            run = self._instance.get_run_by_id(run_id) if run_id else None
            self._months[run_id] = run.tags.get(_PARTITION, "") if run else ""
        return self._months[run_id]

    def _check(self, number: int, at: datetime, entry: EventLogEntry, event: DagsterEvent) -> Problem | Cleared:
        check = event.asset_check_evaluation_data
        month, asset = check.partition or self._month_of(entry.run_id), check.asset_key.to_user_string()
        if check.passed:
            return Cleared(month, asset, at, check.check_name, number)
        is_warning = check.severity == dg.AssetCheckSeverity.WARN
        jumped = check.asset_key == QUARANTINE_KEY and check.check_name in QUARANTINE_CHECKS
        said, next_step = wording.of_check(check, month)
        return Problem(
            Kind.QUARANTINE_JUMP if jumped else Kind.WARNING if is_warning else Kind.FAILED_CHECK,
            month,
            asset,
            cause=check.check_name,
            last_at=at,
            severity=WARN if is_warning else ERROR,
            said=said,
            next_step=next_step,
            run_id=entry.run_id,
            ends_when_published=bool(check.blocking) and not is_warning,
            event=number,
        )

    def _failed_run(self, number: int, at: datetime, entry: EventLogEntry, event: DagsterEvent) -> Iterator[Problem]:
        """A problem for each asset that the failed steps, or the lost run, did not materialize.

        A step that failed because its own checks did is not one: each of those is told already.
        """
        failures: dict[str, DagsterEvent] = {}
        assets: dict[str, list[tuple[str, str]]] = {}
        done: set[tuple[str, str]] = set()
        told_by_checks: set[str] = set()
        for record in self._instance.get_records_for_run(entry.run_id, of_type=_OF_FAILED_RUN).records:
            of_run = record.event_log_entry.get_dagster_event()
            step = of_run.step_key or ""
            if of_run.event_type == DagsterEventType.STEP_FAILURE:
                failures[step] = of_run
            elif of_run.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
                check = of_run.asset_check_evaluation_data
                if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
                    told_by_checks.add(step)
            elif of_run.asset_key is not None:
                one = (of_run.asset_key.to_user_string(), of_run.partition or self._month_of(entry.run_id))
                if of_run.event_type == DagsterEventType.ASSET_MATERIALIZATION:
                    done.add(one)
                else:
                    assets.setdefault(step, []).append(one)
        planned = [one for of_step in assets.values() for one in of_step]
        if failures:
            told = [(step, why_failed(failure), assets.get(step, [])) for step, failure in failures.items()]
        else:
            told = [(f"run of {event.job_name}", why_failed(event), planned)]
        for step, error, wanted in told:
            if step in told_by_checks:
                continue
            missing = [one for one in wanted if one not in done] or wanted
            for asset, month in missing or [(f"job {event.job_name}", self._month_of(entry.run_id))]:
                what, next_step = wording.of_failed_run(error, month)
                yield Problem(
                    Kind.RUN_FAILURE,
                    month,
                    asset,
                    cause=f"{step}: {_alike(what)}"[:_CAUSE_CHARACTERS],
                    last_at=at,
                    said=what,
                    next_step=next_step,
                    run_id=entry.run_id,
                    ends_when_published=True,
                    event=number,
                )


def _alike(text: str) -> str:
    """The first sentence, with what differs from month to month left out: words that have a digit in them."""
    lines = text.strip().splitlines()
    words = lines[0].split() if lines else ["it failed"]
    return (
        " ".join("#" if any(letter.isdigit() for letter in word) else word for word in words)
        .partition(". ")[0]
        .rstrip(".")
    )
