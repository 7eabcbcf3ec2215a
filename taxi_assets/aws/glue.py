"""Running the jobs as AWS Glue job runs.

Belongs here: starting, following and stopping a Glue run, what its end means, what it cost. Does not: the jobs
themselves, or putting their code where Glue finds it (``taxi_assets.aws.deploy``).
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import tenacity
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from glue_jobs.files import split_s3
from glue_jobs.reports import JOBS, Job, ReportT
from taxi_assets.aws.client import AwsError, client, error_code, explained, glue_job_name, glue_run_url, log_url
from taxi_assets.jobs.base import JobRun, Jobs, NoReport, as_options, report_of

if TYPE_CHECKING:
    from taxi_assets.aws.glue_messages import RunMessages

_ACTIVE = frozenset({"STARTING", "RUNNING", "STOPPING", "WAITING"})
_WAITED_FOR = frozenset(
    {"ConcurrentRunsExceededException", "ResourceNumberLimitExceededException", "ThrottlingException"}
)
_LINES_READ, _LINES_SHOWN = 200, 25
_STOP_SECONDS = 300
DPUS = {"G.1X": 1.0, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0}
"""DPUs of a worker (AWS Glue developer guide, worker types)."""
_LEAST_SECONDS_BILLED = 60
"""AWS Glue pricing: by the second, one minute at least."""
_DAGSTER_RUN, _WORKER, _ATTEMPT = "--dagster-run-id", "--dagster-worker", "--attempt"

_REMEDIES = {
    "FAILED": "read the log, repair the cause, then run the month again",
    "STOPPED": "somebody stopped the run; run the month again if that was not meant to be the end of it",
    "TIMEOUT": "look in the log where the time went; TAXI_GLUE_WORKERS and TAXI_GLUE_TIMEOUT_MINUTES give it more",
    "ERROR": "Glue itself failed; run the month again, and look at the AWS Health Dashboard if that fails too",
    "EXPIRED": "Glue found no capacity in time; run the month again, or ask for fewer workers (TAXI_GLUE_WORKERS)",
}
_LAUNCH = "if the message names scripts/, taxi-assets deploy, or let the job's role read them; else read the log"
_RETRIED = frozenset({"FAILED", "ERROR", "EXPIRED"})
"""Ends that another attempt may better. A STOPPED run was somebody's decision, a TIMEOUT would come again."""


_SHOWN_OF_AN_ERROR = 300
"""Characters of what Glue says of a run; it can be a traceback."""


@dataclass(frozen=True)
class FailedRun:
    """A Glue run that ended badly, and that no later one of its job and month has made good."""

    month: str
    said: str
    repair: str


def failed_runs(region: str, job_prefix: str, since: datetime) -> list[FailedRun]:
    """Those that began after ``since``; AwsError if they cannot be listed."""
    glue, found = client("glue", region), []
    for name in (glue_job_name(job_prefix, job) for job in JOBS):
        with explained(f"the runs of Glue job {name} could not be listed"):
            runs = glue.get_job_runs(JobName=name, MaxResults=100)["JobRuns"]  # the newest first
        settled: set[str] = set()
        for run in runs:
            month = run.get("Arguments", {}).get("--month", "")
            if run["StartedOn"] < since or month in settled:
                continue
            if run["JobRunState"] == "SUCCEEDED":
                settled.add(month)
            elif run["JobRunState"] in _REMEDIES.keys() - {"STOPPED"}:
                settled.add(month)  # one of several is enough
                said = _end_of(name, run)[:_SHOWN_OF_AN_ERROR]
                repair = f"{_REMEDIES[run['JobRunState']]}: {glue_run_url(region, name, run['Id'])}"
                found.append(FailedRun(month, said, repair))
    return found


class GlueRunFailed(AwsError):
    """A Glue run ended badly. ``is_worth_another``: whether another attempt at once may end better."""

    def __init__(self, *args: Any, is_worth_another: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_worth_another = is_worth_another


class GlueJobs(Jobs):
    """Runs the jobs as Glue job runs named ``job_prefix`` + job, at ``workers`` workers of ``worker_type``.

    They log to ``log_group``/error and /output. ``lake`` is the lake's root in S3: messages, and Spark's event logs, go
    below its ``logs/``. The Glue jobs must run the code ``code_version`` (empty: whatever is deployed). A job that
    could not be started because Glue is busy is tried again for ``start_minutes``; an attempt that failed for a cause
    that may pass is repeated up to ``retries`` times, ``retry_seconds`` apart.
    """

    lake: str
    region: str
    job_prefix: str
    glue_version: str
    code_version: str
    worker_type: str
    workers: int
    log_group: str
    timeout_minutes: int
    usd_per_dpu_hour: float
    poll_seconds: float
    retries: int
    start_minutes: float = 30.0
    retry_seconds: float = 30.0

    def run(
        self, context: dg.AssetExecutionContext, job: Job[ReportT], arguments: Mapping[str, str]
    ) -> JobRun[ReportT]:
        """See ``Jobs``."""
        try:
            return self._run_once(context, job, arguments)
        except GlueRunFailed as error:
            if error.is_worth_another and context.retry_number < self.retries:
                raise dg.RetryRequested(self.retries, self.retry_seconds) from error
            raise

    def _run_once(
        self, context: dg.AssetExecutionContext, job: Job[ReportT], arguments: Mapping[str, str]
    ) -> JobRun[ReportT]:
        name = glue_job_name(self.job_prefix, job)
        glue = client("glue", self.region)
        self._check_code(glue, name)
        self._stop_orphans(glue, context, name, arguments["month"])
        attempt = uuid.uuid4().hex[:8]
        with self._messages(context, f"{context.run_id}/{job}-{attempt}") as reader:
            with dg.open_pipes_session(
                context=context.op_execution_context,
                context_injector=dg.PipesEnvContextInjector(),  # inline: the context is some kilobytes
                message_reader=reader,
            ) as session:
                options = as_options(arguments) | self._own_options(context, attempt)
                run = self._run_to_end(
                    glue, context, name, attempt, {**options, **session.get_bootstrap_cli_arguments()}
                )
            end = _end_of(name, run)
            context.log.info(f"{end}; {glue_run_url(self.region, name, run['Id'])}")
            if run["JobRunState"] != "SUCCEEDED":
                self._fail(job, session.get_custom_messages(), name, run)
            report = report_of(job, session.get_custom_messages(), end, self._last_lines(run["Id"]))
        return JobRun(job, report, _seconds_in_all(run), self._metadata(name, run), self._lineage(run))

    def stop_lost(self, has_ended: Callable[[str], bool]) -> Sequence[str]:
        """See ``Jobs``."""
        glue, s3 = client("glue", self.region), client("s3", self.region)
        stopped = []
        for name in (glue_job_name(self.job_prefix, job) for job in JOBS):
            with explained(f"the runs of Glue job {name} could not be listed"):
                runs = _active_runs(glue, name)
            for run in runs:
                dagster_run = run.get("Arguments", {}).get(_DAGSTER_RUN, "")
                if dagster_run and has_ended(dagster_run):
                    _stop(glue, self.region, name, run["Id"])
                    self._delete_messages(s3, dagster_run)
                    stopped.append(f"{name} {run['Id']} of run {dagster_run}")
        return stopped

    def _check_code(self, glue: Any, name: str) -> None:
        """AwsError unless the job runs this checkout's code: what it writes is published under this one's contracts."""
        with explained(f"Glue job {name} could not be read"):
            deployed = glue.get_job(JobName=name)["Job"].get("DefaultArguments", {}).get("--code-version", "none")
        if self.code_version not in ("", deployed):
            raise AwsError(
                f"Glue job {name} has code {deployed}, this process is of code {self.code_version}",
                "taxi-assets deploy, with the code that is to run",
            )

    def _own_options(self, context: dg.AssetExecutionContext, attempt: str) -> dict[str, str]:
        return {
            "--spark-conf": json.dumps(self.spark.spark_config),
            "--log-format": "json",
            _DAGSTER_RUN: context.run_id,
            _WORKER: _this_worker(),
            _ATTEMPT: attempt,
            # Glue's own
            "--enable-spark-ui": "true",
            "--spark-event-logs-path": f"{self.lake}/logs/spark-events/",
            "--enable-metrics": "true",
            "--enable-observability-metrics": "true",
        }

    @contextmanager
    def _messages(self, context: dg.AssetExecutionContext, folder: str) -> Iterator["RunMessages"]:
        """A reader of the messages of one Glue run, whose objects are deleted when they have been read."""
        from taxi_assets.aws.glue_messages import RunMessages  # and with it all of dagster-aws, for seconds

        s3 = client("s3", self.region)
        try:
            yield RunMessages(s3, *split_s3(f"{self.lake}/logs/pipes/{folder}"))
        finally:
            try:
                self._delete_messages(s3, folder)
            except (ClientError, BotoCoreError) as error:  # what the run came to does not hang on it
                context.log.warning(f"messages below {self.lake}/logs/pipes/{folder} could not be deleted: {error}")

    def _delete_messages(self, s3: Any, folder: str) -> None:
        bucket, root = split_s3(f"{self.lake}/logs/pipes/{folder}/")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=root):
            for found in page.get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=found["Key"])

    def _run_to_end(
        self, glue: Any, context: dg.AssetExecutionContext, name: str, attempt: str, options: Mapping[str, str]
    ) -> dict[str, Any]:
        """Start a run and follow it to its end. It is stopped if this process is interrupted, or loses sight of it."""
        run_id, state = "", ""
        try:
            run_id = self._start(glue, context, name, attempt, options)
            context.log.info(f"{name}: run {run_id} started; {glue_run_url(self.region, name, run_id)}")
            with explained(f"the state of run {run_id} of {name} is not known, so it is stopped"):
                while True:
                    run: dict[str, Any] = glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]
                    if run["JobRunState"] != state:
                        state = run["JobRunState"]
                        context.log.info(f"{name}: {state}")
                    if state not in _ACTIVE:
                        return run
                    time.sleep(self.poll_seconds)
        finally:
            if not state or state in _ACTIVE:
                for left in [run_id] if run_id else _runs_of_attempt(glue, name, attempt):
                    context.log.warning(f"{name}: stopping run {left}")
                    _stop(glue, self.region, name, left)

    def _start(
        self, glue: Any, context: dg.AssetExecutionContext, name: str, attempt: str, options: Mapping[str, str]
    ) -> str:
        """Start a run, waiting for others to end where Glue allows no more of them; returns its id.

        A request whose answer was lost may have started one, and a second would write to the same folders: so the
        client repeats nothing by itself, and before each further try the attempt's run is looked for.
        """
        once = client("glue", self.region, attempts=1)

        def try_it() -> str:
            if found := _runs_of_attempt(glue, name, attempt):
                return found[0]
            return str(
                once.start_job_run(
                    JobName=name,
                    Arguments=dict(options),
                    WorkerType=self.worker_type,
                    NumberOfWorkers=self.workers,
                    Timeout=self.timeout_minutes,
                )["JobRunId"]
            )

        def say(tried: tenacity.RetryCallState) -> None:
            error = tried.outcome.exception() if tried.outcome else None
            context.log.info(f"{name} could not be started yet ({error}); trying again")

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            wait=tenacity.wait_random_exponential(multiplier=max(self.poll_seconds, 0.1), max=60),
            stop=tenacity.stop_after_delay(self.start_minutes * 60),
            before_sleep=say,
            reraise=True,
        )
        with explained(f"Glue job {name} could not be started"):
            return attempts(try_it)

    def _stop_orphans(self, glue: Any, context: dg.AssetExecutionContext, name: str, month: str) -> None:
        """Stop what a worker that is gone has left running for this month, and wait for its end.

        It is not adopted: its messages went to the worker that is gone, and it writes to a folder of its own.
        """
        with explained(f"the runs of Glue job {name} could not be listed"):
            active = [run for run in _active_runs(glue, name) if run.get("Arguments", {}).get("--month") == month]
        orphans = {run["Id"]: run["Arguments"] for run in active if _is_orphan(context, run["Arguments"])}
        for run_id in orphans:
            context.log.warning(
                f"{name}: run {run_id} of {month} was left behind by a worker that is gone; stopping it"
            )
            _stop(glue, self.region, name, run_id)
        deadline = time.monotonic() + _STOP_SECONDS
        while left := orphans.keys() & {run["Id"] for run in _active_runs(glue, name)}:
            if time.monotonic() > deadline:
                raise GlueRunFailed(
                    f"{name}: {', '.join(sorted(left))} of {month} was left behind and does not stop",
                    f"stop it by hand, {glue_run_url(self.region, name, min(left))}, then run the month again",
                    is_worth_another=True,
                )
            time.sleep(self.poll_seconds)
        for arguments in orphans.values():
            if arguments.get(_DAGSTER_RUN):
                self._delete_messages(client("s3", self.region), arguments[_DAGSTER_RUN])

    def _fail(self, job: Job[Any], messages: Sequence[Any], name: str, run: Mapping[str, Any]) -> None:
        """Raise what a run's end other than SUCCEEDED means; bad input that the job reported itself comes first."""
        state, lines = run["JobRunState"], self._last_lines(run["Id"])
        told: Mapping[str, Any] = {}
        try:
            report_of(job, messages, _end_of(name, run), lines)
        except NoReport as silence:
            told = silence.facts
        could_not_launch = "LAUNCH ERROR" in run.get("ErrorMessage", "")
        remedy = _LAUNCH if could_not_launch else _REMEDIES.get(state, "look at the run in the Glue console")
        raise GlueRunFailed(
            f"{_end_of(name, run)}. Nothing was published",
            remedy,
            detail=lines,
            facts={**told, **self._metadata(name, run)},
            is_worth_another=state in _RETRIED and not could_not_launch,
        )

    def _last_lines(self, run_id: str) -> str:
        """What the job itself logged as errors, which are JSON lines among Spark's, and the last lines of all."""
        logs = client("logs", self.region)
        for group in (f"{self.log_group}/error", f"{self.log_group}/output"):
            try:
                events = logs.get_log_events(
                    logGroupName=group, logStreamName=run_id, limit=_LINES_READ, startFromHead=False
                )["events"]
            except (ClientError, BotoCoreError) as error:  # a run that never started has none; its end is told anyway
                dg.get_dagster_logger().debug("no log %s of %s: %s", group, run_id, error)
                continue
            if lines := [event["message"].rstrip() for event in events]:
                own_errors = [line for line in lines if line.startswith("{") and '"level": "ERROR"' in line]
                return "\n".join(dict.fromkeys([*own_errors, *lines[-_LINES_SHOWN:]]))
        return ""

    def _metadata(self, name: str, run: Mapping[str, Any]) -> dict[str, Any]:
        """What a materialization says of its run. Several tables may share one run, and then its cost."""
        run_id, running = run["Id"], float(run.get("ExecutionTime", 0))
        dpu_seconds = self._dpu_seconds(run)
        return {
            "engine": self._lineage(run)["engine"],
            "glue_job": name,
            "glue_run_id": run_id,
            "glue_run": dg.MetadataValue.url(glue_run_url(self.region, name, run_id)),
            "logs": dg.MetadataValue.url(log_url(self.region, f"{self.log_group}/error", run_id)),
            "worker_type": run.get("WorkerType", self.worker_type),
            "workers": run.get("NumberOfWorkers", self.workers),
            "dpu_seconds": dpu_seconds,
            "estimated_cost_usd": round(dpu_seconds / 3600 * self.usd_per_dpu_hour, 4),
            "seconds_queued": round(_seconds_in_all(run) - running, 1),
            "seconds_running": running,
        }

    def _dpu_seconds(self, run: Mapping[str, Any]) -> float:
        """Glue's own figure where it gives one (auto-scaling), else workers by their DPUs by the time billed."""
        if run.get("DPUSeconds"):
            return float(run["DPUSeconds"])
        seconds = float(run.get("ExecutionTime", 0))
        billed = max(seconds, _LEAST_SECONDS_BILLED) if seconds or run["JobRunState"] == "SUCCEEDED" else 0.0
        dpus: float = run.get("NumberOfWorkers", self.workers) * DPUS.get(
            run.get("WorkerType", ""), DPUS[self.worker_type]
        )
        return round(dpus * billed, 1)

    def _lineage(self, run: Mapping[str, Any]) -> dict[str, str]:
        return {
            "engine": f"glue {run.get('GlueVersion', self.glue_version)}",
            "glue_run_id": run["Id"],
            **({"code_version": self.code_version} if self.code_version else {}),
        }


def _end_of(name: str, run: Mapping[str, Any]) -> str:
    said = f": {run['ErrorMessage']}" if run.get("ErrorMessage") else ""
    return f"Glue job {name}, run {run['Id']}, {run['JobRunState']}{said}"


def _may_pass(error: BaseException) -> bool:
    """Whether starting a run failed for a cause that time may cure, a lost answer among them."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error_code(error) in _WAITED_FOR or status >= 500
    return isinstance(error, HTTPClientError)


def _active_runs(glue: Any, name: str) -> list[dict[str, Any]]:
    """Runs that have not ended. Glue lists the newest first, and allows a job far fewer at once than one page holds."""
    runs = glue.get_job_runs(JobName=name, MaxResults=100)["JobRuns"]
    return [run for run in runs if run["JobRunState"] in _ACTIVE]


def _runs_of_attempt(glue: Any, name: str, attempt: str) -> list[str]:
    return [run["Id"] for run in _active_runs(glue, name) if run.get("Arguments", {}).get(_ATTEMPT) == attempt]


def _stop(glue: Any, region: str, name: str, run_id: str) -> None:
    """Stop a run; AwsError that says to do it by hand if Glue does not. One that has ended already is fine."""
    by_hand = (
        f"run {run_id} of {name} could not be stopped and may still cost money; {glue_run_url(region, name, run_id)}"
    )
    with explained(by_hand):
        errors = glue.batch_stop_job_run(JobName=name, JobRunIds=[run_id]).get("Errors", [])
        if errors and glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]["JobRunState"] in _ACTIVE - {"STOPPING"}:
            detail = errors[0].get("ErrorDetail", {}).get("ErrorMessage", "")
            raise AwsError(f"{by_hand}: {detail}", "stop it by hand")


def _is_orphan(context: dg.AssetExecutionContext, arguments: Mapping[str, str]) -> bool:
    """Whether nobody follows a Glue run any more.

    That is so of an earlier attempt of this step, if its Dagster run has ended, and if its worker was a process of
    this machine that is gone. A run of an instance that is not ours, or of a worker elsewhere, is left alone: if it
    lives, the checks and the publication of whoever comes second see to the rest.
    """
    run_id, worker = arguments.get(_DAGSTER_RUN, ""), arguments.get(_WORKER, "")
    if run_id == context.run_id:
        return True
    run = context.instance.get_run_by_id(run_id) if run_id else None
    if run is not None and run.is_finished:
        return True
    machine, _, pid = worker.rpartition(":")
    return machine != "" and machine == _this_machine() and pid.isdigit() and not Path(f"/proc/{pid}").exists()


def _this_worker() -> str:
    return f"{_this_machine()}:{os.getpid()}"


def _this_machine() -> str:
    """This boot of this machine and its process numbers, which containers have of their own; empty if not Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _seconds_in_all(run: Mapping[str, Any]) -> float:
    ended = run.get("CompletedOn") or run.get("LastModifiedOn") or run["StartedOn"]
    return float((ended - run["StartedOn"]).total_seconds())
