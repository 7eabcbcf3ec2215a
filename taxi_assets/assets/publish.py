"""The promise, in one function: nothing is published that was not checked, whatever becomes of it is recorded.

Belongs here: run a job, ask the checks, record and measure, refuse or publish. Does not: what is particular to a layer
(``raw``, ``staging``, ``curated``), what checks ask (``checks``), how a commit works (``lake.publishing``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Generic

import dagster as dg
import duckdb

from glue_jobs.contracts.rules import RULES_VERSION
from glue_jobs.errors import Cause, PipelineError
from glue_jobs.reports import Job, ReportT
from taxi_assets.asset_keys import CHECK_HISTORY_KEY, QUARANTINE_KEY, RUN_METRICS_KEY, STAGING_TRIPS
from taxi_assets.assets.phases import Phases
from taxi_assets.checks.check import Answer, Check, Subject, ask_all
from taxi_assets.errors import failing_the_step
from taxi_assets.jobs.base import JobRun, Jobs
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.lake.status import freshness
from taxi_assets.metrics.names import (
    CHECKS_FAILED,
    CHECKS_WARNED,
    ESTIMATED_COST,
    JOB_SECONDS,
    QUARANTINED_SHARE,
    ROWS_PUBLISHED,
    ROWS_QUARANTINED,
    Point,
)
from taxi_assets.metrics.recorder import Metrics, NotTaken, freshness_points

Context = dg.AssetExecutionContext | dg.OpExecutionContext
Result = dg.MaterializeResult[Any] | dg.AssetCheckResult


@dataclass(frozen=True)
class Published:
    """What readers see since: ``rows`` of an asset's month (None: not measured), and what its materialization says.

    ``facts`` are known when it is committed. What is read ``for_people``, to stand before them, is asked for when it is
    shown: it may not be readable.
    """

    key: dg.AssetKey
    rows: int | None
    facts: Mapping[str, Any]
    for_people: Callable[[], Mapping[str, Any]] = dict
    data_version: str | None = None


@dataclass(frozen=True)
class Work(Generic[ReportT, Subject]):
    """What is particular to a step. ``version``, ``subject`` and ``publish`` are asked when the job is done.

    ``folders`` and ``readers_see`` say for each asset, or for the first of those that go together, where its files are
    and what readers see of the month if it is refused. With ``together``, one asset that is refused holds back all.
    ``publish`` commits the assets that it is given, one right after the other, and gives each when it is committed.
    ``refused`` hears why, if what the job
    was given is refused, by the job or by checks. ``found`` and ``look`` say of a refused version what is in it, and
    how to look at it.
    """

    job: Job[ReportT]
    arguments: Mapping[str, str]
    checks: Sequence[Check[Subject]]
    version: Callable[[ReportT], str]
    subject: Callable[[ReportT], Subject]
    publish: Callable[[JobRun[ReportT], Collection[dg.AssetKey]], Iterator[Published]]
    folders: Callable[[ReportT], Mapping[dg.AssetKey, str]]
    readers_see: Mapping[dg.AssetKey, str]
    together: bool = True
    cause: Cause = Cause.DATA
    refused: Callable[[str], None] = lambda _: None
    found: Callable[[ReportT], str] = lambda _: ""
    look: str = ""


def run_and_publish(
    context: dg.AssetExecutionContext,
    jobs: Jobs,
    resource: LakeResource,
    metrics: Metrics,
    prepare: Callable[[Lake], Work[ReportT, Subject]],
) -> Iterator[Result]:
    """Run the job of the work that ``prepare`` describes, check what it wrote, and publish what passes.

    A step failure says what was refused. Answers are recorded before anything is published; metrics are put once, at
    the end. Whatever happens after the checks were asked, what they answered and what was committed by then is shown:
    Dagster takes a check without an answer for one that failed.
    """
    selected = set(context.selected_asset_keys)
    phases = Phases()
    with failing_the_step():
        lake = resource.open()
        work = prepare(lake)
        try:
            job_run = jobs.run(context, work.job, work.arguments)
        except PipelineError as error:
            if error.cause is Cause.DATA:
                work.refused(error.problem)
            raise
        phases.take_in(job_run)
        with phases.phase("ask the checks"):
            answers = ask_all(work.checks, work.subject(job_run.report), selected)
        published: list[Published] = []
        try:
            with phases.phase("record what the checks found"):
                record_answers(context, lake, answers, work.version(job_run.report))
            blamed = {answer.asset for answer in answers if answer.holds_back}
            refused = selected if work.together and blamed else blamed
            try:
                with phases.phase("publish"):
                    _publish(work, job_run, selected - refused, published)
            finally:
                with phases.phase("record metrics"):
                    put(context, metrics, [*points_of(answers, job_run), *_points_published(context, lake, published)])
            if refused:
                work.refused(f"checks failed: {_failed(answers)}")
                raise _refusal(context.partition_key, answers, work, job_run, refused, published)
        finally:
            yield from _shown(context, published, answers, phases)


def _publish(
    work: Work[ReportT, Subject], job_run: JobRun[ReportT], passed: Collection[dg.AssetKey], published: list[Published]
) -> None:
    """Commit the assets that ``passed``, and add each to ``published`` as soon as readers see it."""
    if not passed:
        return
    try:
        for one in work.publish(job_run, passed):
            published.append(one)
    except PipelineError as error:
        if published:
            error.problem += f". Published before that: {_names(published)}"
        raise


def _shown(
    context: Context, published: Sequence[Published], answers: Sequence[Answer], phases: Phases
) -> Iterator[Result]:
    """What was published with what its checks answered and what took how long, then the answers of what was not.

    What cannot be read for people is named in the log, and hides neither that the asset is published nor the others.
    """
    if not published:
        yield from (answer.result for answer in answers)
        return
    one, *others = published
    for_people: Mapping[str, Any] = {}
    try:
        with phases.phase("read what people are shown"):
            for_people = one.for_people()
    except (PipelineError, OSError, duckdb.Error) as error:
        context.log.warning(f"{one.key.to_user_string()} is published; more about it could not be told: {error}")
    finally:
        yield dg.MaterializeResult(
            asset_key=one.key,
            metadata={**for_people, **phases.metadata, **one.facts},
            check_results=[answer.result for answer in answers if answer.asset == one.key],
            data_version=dg.DataVersion(one.data_version) if one.data_version else None,
        )
        yield from _shown(context, others, [answer for answer in answers if answer.asset != one.key], phases)


def record_answers(context: Context, lake: Lake, answers: Sequence[Answer], version: str) -> None:
    """Append the answers to the history of checks, and say so as that asset's materialization."""
    rows = [row for answer in answers for row in answer.rows]
    month = context.partition_key
    lake.checks.record(month, rows, version=version, rules_version=RULES_VERSION, run_id=context.run_id)
    _report_appended(context, CHECK_HISTORY_KEY, len(rows))


def _report_appended(context: Context, key: dg.AssetKey, rows: int) -> None:
    op = context if isinstance(context, dg.OpExecutionContext) else context.op_execution_context
    said = dg.AssetMaterialization(
        key, partition=context.partition_key, metadata={"rows_appended": rows, "step": op.op.name}
    )
    context.log_event(said)


def points_of(answers: Sequence[Answer], job_run: JobRun[Any] | None = None) -> list[Point]:
    """What checks found and what the job took, whatever became of the version."""
    points = []
    for asset in dict.fromkeys(answer.asset for answer in answers):
        failed = [answer.blocking for answer in answers if answer.asset == asset and not answer.outcome.passed]
        name = asset.to_user_string()
        points += [Point(CHECKS_FAILED, sum(failed), name), Point(CHECKS_WARNED, len(failed) - sum(failed), name)]
    if job_run is not None:
        points.append(Point(JOB_SECONDS, job_run.seconds, job_run.job))
        if (cost := job_run.metadata.get("estimated_cost_usd")) is not None:
            points.append(Point(ESTIMATED_COST, cost, job_run.job))
    return points


def put(context: Context, metrics: Metrics, points: Sequence[Point]) -> None:
    """Hand points over, and say so as their asset's materialization; a run does not fail for a number about it."""
    try:
        metrics.put(points, context.partition_key, context.run_id)
    except NotTaken as error:  # what was measured stands
        context.log.warning(str(error))
    else:
        _report_appended(context, RUN_METRICS_KEY, len(points))


def _points_published(context: Context, lake: Lake, published: Sequence[Published]) -> list[Point]:
    """How many rows were published of each asset, and how fresh the lake is by it."""
    rows = {one.key: one.rows for one in published if one.rows is not None}
    points = [
        Point(ROWS_PUBLISHED, count, key.to_user_string()) for key, count in rows.items() if key != QUARANTINE_KEY
    ]
    if QUARANTINE_KEY in rows and STAGING_TRIPS in rows:  # a commit that failed may have left one alone
        quarantined = rows[QUARANTINE_KEY]
        points.append(Point(ROWS_QUARANTINED, quarantined))
        points.append(Point(QUARANTINED_SHARE, 100 * quarantined / max(1, quarantined + rows[STAGING_TRIPS])))
    if any(key.path[0] == "curated" for key in rows):  # the last step of a month: only it can complete one
        try:
            points += freshness_points(freshness(lake, datetime.now(timezone.utc)))
        except (PipelineError, OSError) as error:
            context.log.warning(f"The tables are published; how fresh the lake is could not be told. {error}")
    return points


def _refusal(
    month: str,
    answers: Sequence[Answer],
    work: Work[ReportT, Subject],
    job_run: JobRun[ReportT],
    refused: Collection[dg.AssetKey],
    published: Sequence[Published],
) -> PipelineError:
    """Which checks failed, what readers see meanwhile, and where to look."""
    found = work.found(job_run.report)
    seen = "; ".join(text for key, text in work.readers_see.items() if key in refused)
    folders = ", ".join(folder for key, folder in work.folders(job_run.report).items() if key in refused)
    others = f". Published: {_names(published)}" if published else ""
    return PipelineError(
        f"{month} was not published, because checks failed: {_failed(answers)}{found}. "
        f"Readers still see {seen}{others}",
        f"look at the checks' metadata and at {work.look or f'the files in {folders}'}, repair the cause, "
        "then run the month again",
        cause=work.cause,
        facts=job_run.metadata,
    )


def _names(published: Sequence[Published]) -> str:
    return ", ".join(one.key.path[-1] for one in published)


def _failed(answers: Sequence[Answer]) -> str:
    """The blocking checks that failed, with what they found."""
    return "; ".join(answer.in_words for answer in answers if answer.holds_back)
