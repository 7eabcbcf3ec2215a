"""Running the month's job from a program, and what came of it.

Belongs here: executing the Dagster job for one partition, its progress, its result as data. Does not: printing
(``cli``), or anything that the Dagster UI would not do as well.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import dagster as dg
from dagster import DagsterEventType, EventLogEntry

from glue_jobs.contracts import CURATED_TABLES
from glue_jobs.errors import Cause
from taxi_assets.asset_keys import (
    CALENDAR_KEY,
    QUARANTINE_KEY,
    RAW_TRIPS,
    RAW_ZONES,
    REFERENCE_KEYS,
    REPORT,
    STAGING_TRIPS,
    asset_key,
)
from taxi_assets.definitions import MONTH_JOB, build_definitions
from taxi_assets.errors import why_failed
from taxi_assets.lost_runs import report_lost
from taxi_assets.operations.dagster_instance import dagster_home, open_instance
from taxi_assets.settings import Settings

STEPS = ("ingest_raw", "stage_trips", "build_curated", "write_report")
_TAGS = {".dagster/repository": "__repository__@nyc-taxi-lakehouse", "taxi/started_by": "command line"}
"""The first is what the pages ask for (``dagster._core.storage.tags.REPOSITORY_LABEL_TAG``, name and location as in
``workspace.yaml``): a run without it is on none of the pages of its job."""

Listener = Callable[[str, str], None]
"""Called with a step's name and what it just said."""


@dataclass(frozen=True)
class PublishedTable:
    """What a run published of one table: ``path`` is the folder of the month's files."""

    rows: int
    version: str
    snapshot_id: int
    path: str


@dataclass
class MonthResult:
    """What became of one month. ``error`` is empty if the run succeeded; rows are None where it never got to.

    ``seconds`` are of the steps and in ``total``; ``phases`` are what they went into, of each step that runs a job;
    ``check_seconds`` are of the checks of raw, staging and curated, "layer/table: check".

    ``released_rows`` is for a replay: rows that left the quarantine. ``estimated_cost_usd`` is by Glue run. ``report``
    is where the month's page lies.
    """

    month: str
    source_rows: int | None = None
    published_rows: int | None = None
    quarantined_rows: int | None = None
    released_rows: int | None = None
    quarantine_reasons: dict[str, int] = field(default_factory=dict)
    tables: dict[str, PublishedTable] = field(default_factory=dict)
    checks: dict[str, int] = field(default_factory=lambda: {"passed": 0, "warned": 0, "failed": 0})
    failed_checks: list[str] = field(default_factory=list)
    warned_checks: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    phases: dict[str, dict[str, float]] = field(default_factory=dict)
    check_seconds: dict[str, float] = field(default_factory=dict)
    estimated_cost_usd: dict[str, float] = field(default_factory=dict)
    engine: str = ""
    run_id: str = ""
    report: str = ""
    error: str = ""
    interrupted: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether everything that was asked for is published."""
        return not self.error

    def as_json(self) -> dict[str, Any]:
        """The result as JSON types."""
        return asdict(self)


def run_month(
    settings: Settings,
    month: str,
    tables: Sequence[str] | None,
    listener: Listener,
    replay: bool = False,
    accept_smaller: str = "",
    begin_with: str = STEPS[0],
) -> MonthResult:
    """Run the month's job in this process, for all curated tables or for ``tables``.

    With ``replay``, nothing is fetched: the live quarantine is judged again, and the tables are built from the result.
    ``begin_with`` is another of ``STEPS``, if what those before it make is there: then nothing is fetched either.
    ``accept_smaller`` says who wants a month that lost much against the live one, and why.
    ``listener`` hears, also from other threads, what the steps say. A failed run is a result, not an exception.
    """
    run_id = str(uuid.uuid4())
    begun = time.monotonic()
    selection = _assets_of(tables, replay, begin_with)
    staging = {"replay": replay, "accept_smaller": accept_smaller}
    with open_instance(settings) as instance:
        report_lost(instance)
        instance.add_event_listener(run_id, _telling(listener))
        _job_for(settings, selection).execute_in_process(
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "ops": {"stage_trips": {"config": staging}} if STAGING_TRIPS in selection else {},
            },
            instance=instance,
            partition_key=month,
            run_id=run_id,
            tags=_TAGS,
            raise_on_error=False,
        )
        entries = instance.all_logs(run_id)
        run = instance.get_run_by_id(run_id)
    result = MonthResult(month, run_id=run_id)
    for entry in entries:
        _take_in(result, entry)
    if not (run and run.is_success) and not result.error:
        result.error = f"run {run_id} did not succeed; its log is in {dagster_home(settings)}"
    result.seconds["total"] = round(time.monotonic() - begun, 3)
    return result


def _assets_of(tables: Sequence[str] | None, replay: bool, begin_with: str) -> list[dg.AssetKey]:
    """What a run makes."""
    curated = [asset_key(CURATED_TABLES[name]) for name in tables or CURATED_TABLES]
    # The map of zones comes from the source, when it is due.
    reference = REFERENCE_KEYS if begin_with == STEPS[0] else [CALENDAR_KEY]
    of_steps = (
        [] if replay else [RAW_TRIPS, RAW_ZONES],
        [*reference, STAGING_TRIPS, QUARANTINE_KEY],
        curated,
        [] if tables else [REPORT],
    )
    return [key for keys in of_steps[STEPS.index(begin_with) :] for key in keys]


def _job_for(settings: Settings, selection: Sequence[dg.AssetKey]) -> dg.JobDefinition:
    """The month's job for some of its assets, with the checks of them that are its own.

    A selection of assets alone brings every check of them, whether the job has it or not.
    """
    job = build_definitions(settings).resolve_job_def(MONTH_JOB)
    checks = {key for key in job.asset_layer.asset_graph.asset_check_keys if key.asset_key in selection}
    return job.get_subset(asset_selection=set(selection), asset_check_selection=checks)


def _telling(listener: Listener) -> Callable[[EventLogEntry], None]:
    """What the instance calls with each event of the run as it stores it, for the listener.

    Reading the event log while it grew took 283 looks, 1.9 s of a run of 59.
    """

    def tell(entry: EventLogEntry) -> None:
        step = entry.step_key or ""
        if step not in STEPS:
            return
        with contextlib.suppress(OSError):  # whoever looked on has gone; the run goes on
            if not entry.is_dagster_event:
                listener(step, entry.user_message)
            elif entry.dagster_event_type in (DagsterEventType.STEP_START, DagsterEventType.STEP_SUCCESS):
                listener(step, "started" if entry.dagster_event_type == DagsterEventType.STEP_START else "done")

    return tell


def _take_in(result: MonthResult, entry: EventLogEntry) -> None:
    """Add what one event of the run says to the result."""
    event = entry.dagster_event
    if event is None:
        return
    if event.event_type == DagsterEventType.ASSET_MATERIALIZATION:
        _take_in_materialization(result, str(entry.step_key), event.step_materialization_data.materialization)
    elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        kind = "passed" if check.passed else "warned" if check.severity == dg.AssetCheckSeverity.WARN else "failed"
        result.checks[kind] += 1
        name = f"{check.asset_key.to_user_string()}: {check.check_name}"
        if "seconds" in check.metadata:
            result.check_seconds[name] = float(str(check.metadata["seconds"].value))
        if not check.passed:
            named = result.warned_checks if kind == "warned" else result.failed_checks
            named.append(name)
    elif event.event_type == DagsterEventType.STEP_SUCCESS:
        result.seconds[str(entry.step_key)] = round(event.step_success_data.duration_ms / 1000, 3)
    elif event.event_type == DagsterEventType.STEP_FAILURE or (
        event.event_type == DagsterEventType.RUN_FAILURE and not result.error
    ):
        why = why_failed(event)
        result.error, result.interrupted = str(why), why.cause is Cause.INTERRUPTED


def _take_in_materialization(result: MonthResult, step: str, materialization: dg.AssetMaterialization) -> None:
    facts: dict[str, Any] = {name: value.value for name, value in materialization.metadata.items()}
    key = materialization.asset_key
    result.engine = facts.get("engine", result.engine)
    if "phases" in facts:
        result.phases[step] = dict(facts["phases"])
    if "glue_run_id" in facts:  # several tables share the run that built them
        result.estimated_cost_usd[facts["glue_run_id"]] = facts["estimated_cost_usd"]
    if key == STAGING_TRIPS:
        result.source_rows = facts["source_rows"]
        result.published_rows = facts["published_rows"]
        result.quarantined_rows = facts["quarantined_rows"]
        result.released_rows = facts.get("released_rows")
    elif key == QUARANTINE_KEY:
        result.quarantine_reasons = dict(facts["quarantine_reasons"])
    elif key == REPORT:
        result.report = facts["dagster/uri"]
    elif key.path[0] == "curated":
        result.tables[key.path[-1]] = PublishedTable(
            rows=facts["dagster/row_count"],
            version=facts["version"],
            snapshot_id=int(facts["snapshot_id"]),
            path=facts["dagster/uri"],
        )
