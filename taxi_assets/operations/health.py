"""Whether all is well: checks that each answer ok, warn or fail, what they found, and how to repair it.

Belongs here: asking the lake, Dagster and AWS, now and by itself. Does not: printing (``cli``), repairing, telling
people (``alerts``), or looking into rows (``checks.verify``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from pathlib import Path

import dagster as dg
import duckdb
from dagster import DagsterEventType, DagsterRunStatus
from dagster_shared.check import CheckError

from glue_jobs.contracts import CURATED_TABLES
from glue_jobs.errors import Cause, PipelineError
from taxi_assets.asset_keys import STAGING_TRIPS
from taxi_assets.aws.client import AWS_ERRORS, alarm_url, aws_error_in
from taxi_assets.aws.cloudwatch import alarms_of
from taxi_assets.aws.deploy import deployed
from taxi_assets.aws.glue import failed_runs
from taxi_assets.errors import why_failed
from taxi_assets.jobs.code import build
from taxi_assets.lake.catalog_check import check_catalog
from taxi_assets.lake.catalog_file import refuse_what_is_no_catalog
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.lake.status import freshness, lake_status
from taxi_assets.lost_runs import ACTIVE, KILLED, is_lost
from taxi_assets.metrics.names import ALARM_PREFIX
from taxi_assets.operations.dagster_instance import (
    InstanceUnavailable,
    asking_dagster,
    dagster_home,
    open_instance,
)
from taxi_assets.schedules.verify_published import VERIFY_JOB
from taxi_assets.sensors.heartbeat import SECONDS_BETWEEN_BEATS, last_heartbeat
from taxi_assets.settings import Profile, Settings

RUNS_READ = 2_000
"""Of Dagster's, the newest: 15 years of months, ten times over."""
LONGEST_SILENCE = timedelta(seconds=3 * SECONDS_BETWEEN_BEATS)
LONGEST_RUN = timedelta(hours=12)
"""As ``max_runtime_seconds`` of the instance files."""
GLUE_RUNS_SINCE = timedelta(days=1)
_PARTITION_TAG = "dagster/partition"
_SHOWN_OF_AN_ERROR = 300


class Level(str, Enum):
    """How a check answers. Only ``FAIL`` is for somebody to be woken up."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing that a check found, and how to repair it if it is not ok."""

    level: Level
    found: str
    repair: str = ""


@dataclass(frozen=True)
class Line:
    """A finding with the name of its check."""

    check: str
    level: Level
    found: str
    repair: str


class NoLake(PipelineError):
    """There is no lake where the settings say."""

    cause = Cause.LAKE


@dataclass
class Subject:
    """What is examined. Lake and instance are opened when a check asks for them, and fail it alone."""

    settings: Settings
    now: datetime
    until_the_end: ExitStack = field(default_factory=ExitStack)

    @property
    def is_watched(self) -> bool:
        """Whether months are to come by themselves: if not, nobody misses a daemon that does not run."""
        return self.settings.watches_by_itself

    @cached_property
    def lake(self) -> Lake:
        """The lake; NoLake if there is none."""
        self._look_for_a_lake()
        if isinstance(self._opened_lake, PipelineError):
            raise self._opened_lake
        return self._opened_lake

    @cached_property
    def _opened_lake(self) -> Lake | PipelineError:
        # Once: a catalog.db that another program holds is waited for.
        try:
            return LakeResource.of(self.settings).open()
        except PipelineError as error:
            return error

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The Dagster instance; a lake that does not exist gets none."""
        self._look_for_a_lake()
        if isinstance(self._opened, InstanceUnavailable):
            raise self._opened
        return self._opened

    @cached_property
    def _opened(self) -> dg.DagsterInstance | InstanceUnavailable:
        # Once: a Postgres that does not answer is asked again and again for ten seconds.
        try:
            return self.until_the_end.enter_context(open_instance(self.settings))
        except InstanceUnavailable as error:
            return error

    def asking_dagster(self) -> AbstractContextManager[None]:
        """For the block in which the instance is asked: its database may go at any time."""
        return asking_dagster(dagster_home(self.settings))

    def _look_for_a_lake(self) -> None:
        root = self.settings.lake
        if self.settings.profile is Profile.LOCAL and not Path(root, "catalog.db").is_file():
            refuse_what_is_no_catalog(Path(root))
            raise NoLake(f"there is no lake in {root}", "check TAXI_LAKE, or make one: taxi-assets demo")


Ask = Callable[[Subject], Sequence[Finding]]


def examine(settings: Settings, now: datetime) -> list[Line]:
    """All that the checks of the profile find. One that cannot be asked has failed, and says why."""
    with ExitStack() as until_the_end:
        subject = Subject(settings, now, until_the_end)
        checks = [*CHECKS, *(AWS_CHECKS if settings.profile is Profile.AWS else ())]
        return [
            Line(name, finding.level, finding.found, finding.repair)
            for name, ask in checks
            for finding in answer(ask, subject)
        ]


def answer(ask: Ask, subject: Subject) -> Sequence[Finding]:
    """What a check finds, or why it cannot be asked."""
    try:
        return ask(subject)
    except PipelineError as error:
        return [_cannot_answer(error)]
    except (dg.DagsterError, CheckError) as error:
        return [_cannot_answer(PipelineError(str(error), "see to Dagster's dagster.yaml and database in DAGSTER_HOME"))]
    except (*AWS_ERRORS, ValueError) as error:  # ValueError: a file is no JSON, or no Parquet
        remedy = "see to the disk; bring a file that is gone or damaged back from a backup"
        return [_cannot_answer(aws_error_in(error) or PipelineError(str(error) or type(error).__name__, remedy))]


def _cannot_answer(error: PipelineError) -> Finding:
    return Finding(Level.FAIL, f"cannot be told: {_short(error.problem)}", error.remedy)


def lake_answers(subject: Subject) -> list[Finding]:
    """The lake is there and has a month that every table has."""
    fresh = freshness(subject.lake, subject.now)
    if fresh is None:
        return [
            Finding(Level.WARN, f"{subject.settings.lake} has no whole month yet", "taxi-assets run --month YYYY-MM")
        ]
    return [Finding(Level.OK, f"{subject.settings.lake} answers; newest whole month {fresh.newest}")]


def months_fit_together(subject: Subject) -> list[Finding]:
    """Each month's tables come from its staging, which comes from its source file."""
    months = lake_status(subject.lake)
    wrong = [(month.month, remark.partition(":")[0]) for month in months for remark in month.remarks]
    on_purpose = [
        Finding(
            Level.WARN,
            f"{month.month}: {said.partition(';')[0]}",
            f"if it is not wanted any more: taxi-assets run --month {month.month}",
        )
        for month in months
        for said in month.put_back
    ]
    if not wrong:
        return on_purpose or [Finding(Level.OK, f"each of {len(months)} is of one source file and one staging")]
    try:
        instance = subject.instance
        with subject.asking_dagster():
            active = _months_on_their_way(instance, subject.now)
    except PipelineError:  # said by the checks that are about Dagster
        active = set()
    return on_purpose + [
        Finding(Level.WARN, f"{month}: {remark}; a run is on its way", "wait for it")
        if month in active
        else Finding(Level.FAIL, f"{month}: {remark}", f"taxi-assets run --month {month}")
        for month, remark in wrong
    ]


def contracts_catalog_and_files_agree(subject: Subject) -> list[Finding]:
    """What contracts, catalog and the footers of all live files say is the same."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for fault in check_catalog(subject.lake):
        grouped.setdefault((fault.table, fault.repair), []).append(fault.problem)
    return [
        Finding(Level.FAIL, f"{table}: {problems[0]}{_more(len(problems) - 1)}", repair)
        for (table, repair), problems in grouped.items()
    ] or [Finding(Level.OK, "contracts, catalog and files say the same")]


def warehouse_answers(subject: Subject) -> list[Finding]:
    """SQL over each curated table gives as many rows as were published."""
    lake, findings = subject.lake, []
    for table in CURATED_TABLES.values():
        published = sum(publication.rows for publication in lake.publisher.months(table).values())
        sql = f"SELECT count(*) FROM {table.full_name}"
        try:
            with lake.connect(sql) as connection:
                [(rows,)] = connection.execute(sql).fetchall()
            wrong = "" if rows == published else f"{rows} rows, published are {published}"
        except duckdb.Error as error:
            wrong = _short(str(error))
        if wrong:
            repair = "see the line catalog and files; taxi-assets catalog check names all files"
            findings.append(Finding(Level.FAIL, f"{table.full_name}: {wrong}", repair))
    return findings or [Finding(Level.OK, f"SQL reads all {len(CURATED_TABLES)} curated tables")]


def runs_succeeded(subject: Subject) -> list[Finding]:
    """What a run failed to make was made since by another one, for each month."""
    instance, ui, findings = subject.instance, subject.settings.ui_url.rstrip("/"), []
    with subject.asking_dagster():
        active = _months_on_their_way(instance, subject.now)
        failed = [(month, run, _why(instance, run)) for month, run in _failures(instance)]
    for month, failure, error in failed:
        said = f"{month or 'run of no month'}: run {failure.run_id[:8]} ({failure.job_name}) failed"
        why = _short(error)
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


def data_is_fresh(subject: Subject) -> list[Finding]:
    """No month is missing that the TLC should have published."""
    fresh = freshness(subject.lake, subject.now)
    if fresh is None:
        return [Finding(Level.WARN, "no whole month is published", "taxi-assets run --month YYYY-MM")]
    age = f"newest whole month {fresh.newest}, ended {fresh.age.days} days ago"
    if not fresh.missing:
        return [Finding(Level.OK, f"{age}; none after it is due")]
    first, last = fresh.missing[0], fresh.missing[-1]
    due = first if first == last else f"{first} to {last}"
    return [
        Finding(
            Level.FAIL if subject.is_watched else Level.WARN,
            f"{age}; due since: {due}",
            f"see what the sensor watch_source says; taxi-assets backfill --from {first} --to {last}",
        )
    ]


def daemon_beats(subject: Subject) -> list[Finding]:
    """Every part of Dagster's daemon that the instance needs has told that it lives."""
    instance = subject.instance
    with subject.asking_dagster():
        statuses = instance.get_daemon_statuses()
    silent = sorted(name for name, status in statuses.items() if status.required and not status.healthy)
    if not silent:
        return [Finding(Level.OK, f"{len(statuses)} parts of the daemon are alive")]
    beats = [status.last_heartbeat.timestamp for status in statuses.values() if status.last_heartbeat]
    last = f"the last sign was {datetime.fromtimestamp(max(beats), subject.now.tzinfo):%Y-%m-%d %H:%M}" if beats else ""
    found = f"silent: {', '.join(silent)}; {last}" if last else "the daemon has never run on this instance"
    level = Level.FAIL if subject.is_watched else Level.WARN
    return [Finding(level, found, "start it (dagster-daemon run; make ui runs it too), or check DAGSTER_HOME")]


def heart_beats(subject: Subject) -> list[Finding]:
    """The lake has a sign of life, whichever instance the daemon has, and it is of this checkout's code."""
    beat, code = last_heartbeat(subject.lake), build().version
    if beat is None or subject.now - beat.at > LONGEST_SILENCE:
        found = f"the last sign of life is of {beat.at:%Y-%m-%d %H:%M} UTC" if beat else "there was never one"
        repair = "start the daemon, see that its sensor heartbeat is on, and read that sensor's last tick"
        return [Finding(Level.FAIL if subject.is_watched else Level.WARN, found, repair)]
    if beat.code_version != code:
        found = f"the daemon has code {beat.code_version}, this checkout is {code}"
        return [Finding(Level.WARN, found, "restart the daemon with the code that is to run")]
    return [Finding(Level.OK, f"the last sign of life is of {beat.at:%Y-%m-%d %H:%M} UTC")]


def glue_jobs_have_this_code(subject: Subject) -> list[Finding]:
    """The Glue jobs exist and run the code of this checkout."""
    code, findings = build().version, []
    for name, version in deployed(subject.settings).items():
        if version is None:
            repair = "make it with Terraform, or check TAXI_GLUE_JOB_PREFIX, TAXI_REGION and the account"
            findings.append(Finding(Level.FAIL, f"{name} does not exist", repair))
        elif version != code:
            found = f"{name} has code {version or 'of nobody'}, this checkout is {code}"
            findings.append(Finding(Level.FAIL, found, "taxi-assets deploy, with the code that is to run"))
    return findings or [Finding(Level.OK, f"all have code {code}")]


def glue_runs_ended_well(subject: Subject) -> list[Finding]:
    """No Glue run of the last day failed without a good one after it."""
    since = subject.now - GLUE_RUNS_SINCE
    failed = failed_runs(subject.settings.region, subject.settings.glue_job_prefix, since)
    return [Finding(Level.FAIL, f"{run.month}: {run.said}", run.repair) for run in failed] or [
        Finding(Level.OK, "none of the last day failed, or a good one followed")
    ]


def no_alarm_rings(subject: Subject) -> list[Finding]:
    """None of the CloudWatch alarms of this project is in ALARM."""
    region = subject.settings.region
    alarms = alarms_of(region)
    if not alarms:
        return [Finding(Level.WARN, f"there is no alarm called {ALARM_PREFIX}…", "make them with Terraform")]
    ringing = [alarm for alarm in alarms if alarm["StateValue"] == "ALARM"]
    return [
        Finding(
            Level.FAIL,
            f"{alarm['AlarmName']}: {_short(alarm.get('StateReason', ''))}",
            alarm.get("AlarmDescription") or alarm_url(region, alarm["AlarmName"]),
        )
        for alarm in ringing
    ] or [Finding(Level.OK, f"{len(alarms)} alarms, none rings")]


CHECKS: tuple[tuple[str, Ask], ...] = (
    ("lake", lake_answers),
    ("months", months_fit_together),
    ("catalog and files", contracts_catalog_and_files_agree),
    ("warehouse", warehouse_answers),
    ("runs", runs_succeeded),
    ("freshness", data_is_fresh),
    ("daemon", daemon_beats),
    ("heartbeat", heart_beats),
)
"""What is asked everywhere."""

AWS_CHECKS: tuple[tuple[str, Ask], ...] = (
    ("Glue jobs", glue_jobs_have_this_code),
    ("Glue runs", glue_runs_ended_well),
    ("alarms", no_alarm_rings),
)
"""What is asked on AWS besides."""


def _months_on_their_way(instance: dg.DagsterInstance, now: datetime) -> set[str]:
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


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_OF_AN_ERROR else f"{line[:_SHOWN_OF_AN_ERROR]}…"


def _more(count: int) -> str:
    return f" (and {count} more)" if count else ""
