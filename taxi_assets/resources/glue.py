"""Running the jobs as AWS Glue job runs.

Belongs here: starting, following and stopping a Glue run, what its end means, what it cost. Does not: the jobs
themselves, or putting their code where Glue finds it (``taxi_assets.deploy``).
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import tenacity
from botocore.exceptions import BotoCoreError, ClientError
from dagster_aws.pipes import PipesS3MessageReader

from glue_jobs.files import split_s3
from taxi_assets.aws import client, error_code, explained, glue_run_url, log_url
from taxi_assets.resources.jobs import JobRun, Jobs, as_options, facts_of

_ACTIVE = frozenset({"STARTING", "RUNNING", "STOPPING", "WAITING"})
_WAITED_FOR = frozenset(
    {"ConcurrentRunsExceededException", "ResourceNumberLimitExceededException", "ThrottlingException"}
)
_OUTPUT_LOGS, _ERROR_LOGS = "/aws-glue/jobs/output", "/aws-glue/jobs/error"
_LAST_LINES = 25
_DPU = {"G.1X": 1.0, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0}
"""DPUs of a worker (AWS Glue developer guide, worker types)."""
_LEAST_SECONDS_BILLED = 60
"""AWS Glue pricing: by the second, one minute at least."""
_DAGSTER_RUN, _WORKER = "--dagster-run-id", "--dagster-worker"

_REMEDIES = {
    "FAILED": "read the log, mend the cause, then run the month again",
    "STOPPED": "somebody stopped the run; run the month again if that was not meant to be the end of it",
    "TIMEOUT": "look in the log where the time went; TAXI_GLUE_WORKERS and TAXI_GLUE_TIMEOUT_MINUTES give it more",
    "ERROR": "Glue itself failed; run the month again, and look at the AWS Health Dashboard if that fails too",
    "EXPIRED": "Glue found no capacity in time; run the month again, or ask for fewer workers (TAXI_GLUE_WORKERS)",
}
_DEPLOY = "the job's code is not where Glue looks for it: taxi-assets deploy"
_RETRIED = frozenset({"FAILED", "ERROR", "EXPIRED"})
"""Ends that another attempt may better. A STOPPED run was somebody's decision, a TIMEOUT would come again."""


class GlueJobs(Jobs):
    """Runs the jobs as Glue job runs named ``job_prefix`` + job, at ``workers`` workers of ``worker_type``.

    ``lake`` is the lake's root in S3: messages, and Spark's event logs, go below its ``logs/``. A job that could not be
    started because Glue is busy is tried again for ``start_minutes``; an attempt that failed for a cause that may pass
    is repeated up to ``retries`` times, ``retry_seconds`` apart (Glue's own MaxRetries is 0: it would write to the same
    folders again).
    """

    lake: str
    region: str
    job_prefix: str
    glue_version: str
    worker_type: str
    workers: int
    timeout_minutes: int
    usd_per_dpu_hour: float
    poll_seconds: float
    retries: int
    start_minutes: float = 30.0
    retry_seconds: float = 30.0

    def run(self, context: dg.AssetExecutionContext, job: str, arguments: Mapping[str, str]) -> JobRun:
        """See ``Jobs``."""
        try:
            return self._run_once(context, job, arguments)
        except dg.Failure as failure:
            if failure.allow_retries and context.retry_number < self.retries:
                raise dg.RetryRequested(self.retries, self.retry_seconds) from failure
            raise

    def _run_once(self, context: dg.AssetExecutionContext, job: str, arguments: Mapping[str, str]) -> JobRun:
        name = self._name(job)
        glue = client("glue", self.region)
        self._stop_orphans(glue, context, name, arguments["month"])
        with self._messages(context.run_id, job) as reader:
            with dg.open_pipes_session(
                context=context.op_execution_context,
                context_injector=dg.PipesEnvContextInjector(),  # inline: the context is some kilobytes
                message_reader=reader,
            ) as session:
                options = as_options(arguments) | self._own_options(context)
                run_id = self._start(glue, context, name, {**options, **session.get_bootstrap_cli_arguments()})
                run = self._follow(glue, context, name, run_id)
            state = run["JobRunState"]
            url = glue_run_url(self.region, name, run_id)
            said = f": {run['ErrorMessage']}" if run.get("ErrorMessage") else ""
            end = f"Glue job {name}, run {run_id}, {state}{said}"
            context.log.info(f"{end}; {url}")
            if state != "SUCCEEDED":
                self._fail(job, session.get_custom_messages(), run, end)
            facts = facts_of(job, session.get_custom_messages(), end, self._last_lines(run_id))
        return JobRun(facts, self._metadata(name, run), self._lineage(run))

    def stop_runs_of(self, dagster_run_id: str) -> Sequence[str]:
        """See ``Jobs``."""
        glue = client("glue", self.region)
        stopped = []
        with explained(f"Glue runs of the ended Dagster run {dagster_run_id} could not be stopped"):
            for name in self._all_names(glue):
                for run in _active_runs(glue, name):
                    if run.get("Arguments", {}).get(_DAGSTER_RUN) == dagster_run_id:
                        glue.batch_stop_job_run(JobName=name, JobRunIds=[run["Id"]])
                        stopped.append(f"{name} {run['Id']}")
        return stopped

    def _name(self, job: str) -> str:
        return f"{self.job_prefix}{job.replace('_', '-')}"

    def _all_names(self, glue: Any) -> list[str]:
        pages = glue.get_paginator("list_jobs").paginate()
        return [name for page in pages for name in page["JobNames"] if name.startswith(self.job_prefix)]

    def _own_options(self, context: dg.AssetExecutionContext) -> dict[str, str]:
        return {
            "--spark-conf": json.dumps(self.spark.spark_config),
            "--log-format": "json",
            _DAGSTER_RUN: context.run_id,
            _WORKER: _this_worker(),
            # Glue's own
            "--enable-spark-ui": "true",
            "--spark-event-logs-path": f"{self.lake}/logs/spark-events/",
            "--enable-metrics": "true",
            "--enable-observability-metrics": "true",
        }

    @contextmanager
    def _messages(self, run_id: str, job: str) -> Iterator["_RunMessages"]:
        """A reader of the messages of one Glue run, whose objects are deleted when they have been read."""
        s3 = client("s3", self.region)
        bucket, root = split_s3(f"{self.lake}/logs/pipes/{run_id}/{job}-{uuid.uuid4().hex[:8]}")
        try:
            yield _RunMessages(s3, bucket, root)
        finally:
            with explained(f"the messages below s3://{bucket}/{root} could not be deleted"):
                pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{root}/")
                for key in [found["Key"] for page in pages for found in page.get("Contents", [])]:
                    s3.delete_object(Bucket=bucket, Key=key)

    def _start(self, glue: Any, context: dg.AssetExecutionContext, name: str, options: Mapping[str, str]) -> str:
        """Start a run, waiting for others to end where Glue allows no more of them; returns its id."""

        def say(attempt: tenacity.RetryCallState) -> None:
            error = attempt.outcome.exception() if attempt.outcome else None
            context.log.info(f"{name} could not be started yet ({error}); trying again")

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, ClientError) and error_code(error) in _WAITED_FOR
            ),
            wait=tenacity.wait_random_exponential(multiplier=max(self.poll_seconds, 0.1), max=60),
            stop=tenacity.stop_after_delay(self.start_minutes * 60),
            before_sleep=say,
            reraise=True,
        )
        with explained(f"Glue job {name} could not be started"):
            run_id: str = attempts(
                glue.start_job_run,
                JobName=name,
                Arguments=dict(options),
                WorkerType=self.worker_type,
                NumberOfWorkers=self.workers,
                Timeout=self.timeout_minutes,
            )["JobRunId"]
        context.log.info(f"{name}: run {run_id} started; {glue_run_url(self.region, name, run_id)}")
        return run_id

    def _follow(self, glue: Any, context: dg.AssetExecutionContext, name: str, run_id: str) -> dict[str, Any]:
        """The run at its end. It is stopped if this process is interrupted, or loses sight of it."""
        state, ended = "", False
        try:
            with explained(f"the state of run {run_id} of {name} is not known, so it is stopped"):
                while True:
                    run: dict[str, Any] = glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]
                    if run["JobRunState"] != state:
                        state = run["JobRunState"]
                        context.log.info(f"{name}: {state}")
                    if state not in _ACTIVE:
                        ended = True
                        return run
                    time.sleep(self.poll_seconds)
        finally:
            if not ended:
                context.log.warning(f"{name}: stopping run {run_id}")
                glue.batch_stop_job_run(JobName=name, JobRunIds=[run_id])

    def _stop_orphans(self, glue: Any, context: dg.AssetExecutionContext, name: str, month: str) -> None:
        """Stop what a worker that is gone has left running for this month, and wait for its end.

        It is not adopted: its messages went to the worker that is gone, and it writes to a folder of its own.
        """
        with explained(f"the runs of Glue job {name} could not be listed"):
            orphans = [
                run["Id"]
                for run in _active_runs(glue, name)
                if run.get("Arguments", {}).get("--month") == month and _is_orphan(context, run["Arguments"])
            ]
            for run_id in orphans:
                context.log.warning(
                    f"{name}: run {run_id} of {month} was left behind by a worker that is gone; stopping it"
                )
                glue.batch_stop_job_run(JobName=name, JobRunIds=[run_id])
            while set(orphans) & {run["Id"] for run in _active_runs(glue, name)}:
                time.sleep(self.poll_seconds)

    def _fail(self, job: str, messages: Sequence[Any], run: Mapping[str, Any], end: str) -> None:
        """Raise what a run's end other than SUCCEEDED means; a failure that the job reported itself comes first."""
        state, lines = run["JobRunState"], self._last_lines(run["Id"])
        told: Mapping[str, Any] = {}
        try:
            facts_of(job, messages, end, lines)
        except dg.Failure as failure:
            if failure.allow_retries is False:
                raise
            told = failure.metadata
        has_no_code = run.get("ErrorMessage", "").startswith("LAUNCH ERROR")
        remedy = _DEPLOY if has_no_code else _REMEDIES.get(state, "look at the run in the Glue console")
        raise dg.Failure(
            f"{end}. Nothing was published. What to do: {remedy}.\n{lines}",
            metadata={**told, **self._metadata(self._name(job), run)},
            allow_retries=state in _RETRIED and not has_no_code,
        )

    def _last_lines(self, run_id: str) -> str:
        """The end of what a run wrote to standard error, else to standard output; empty if there is no log."""
        logs = client("logs", self.region)
        for group in (_ERROR_LOGS, _OUTPUT_LOGS):
            try:
                events = logs.get_log_events(
                    logGroupName=group, logStreamName=run_id, limit=_LAST_LINES, startFromHead=False
                )["events"]
            except (
                ClientError,
                BotoCoreError,
            ) as error:  # a run that never started has none; the failure is told anyway
                dg.get_dagster_logger().debug("no log %s of %s: %s", group, run_id, error)
                continue
            if events:
                return "\n".join(event["message"] for event in events)
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
            "logs": dg.MetadataValue.url(log_url(self.region, _ERROR_LOGS, run_id)),
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
        dpus: float = run.get("NumberOfWorkers", self.workers) * _DPU.get(
            run.get("WorkerType", ""), _DPU[self.worker_type]
        )
        return round(dpus * max(float(run.get("ExecutionTime", 0)), _LEAST_SECONDS_BILLED), 1)

    def _lineage(self, run: Mapping[str, Any]) -> dict[str, str]:
        code = run.get("Arguments", {}).get("--code-version")
        return {
            "engine": f"glue {run.get('GlueVersion', self.glue_version)}",
            "glue_run_id": run["Id"],
            **({"code_version": code} if code else {}),
        }


class _RunMessages(PipesS3MessageReader):
    """Reads a run's messages below a prefix of its own, each second. Single-use, as its base is.

    The base draws a prefix of thirty letters at the bucket's root, which no policy could name.
    """

    def __init__(self, s3: Any, bucket: str, key_prefix: str) -> None:
        super().__init__(client=s3, bucket=bucket, interval=0)
        self._key_prefix = key_prefix

    @contextmanager
    def get_params(self) -> Iterator[dict[str, Any]]:
        """See PipesS3MessageReader."""
        with super().get_params() as params:
            yield {**params, "key_prefix": self._key_prefix}


def _active_runs(glue: Any, name: str) -> list[dict[str, Any]]:
    """Runs that have not ended. Glue lists the newest first, and allows a job far fewer at once than one page holds."""
    runs = glue.get_job_runs(JobName=name, MaxResults=100)["JobRuns"]
    return [run for run in runs if run["JobRunState"] in _ACTIVE]


def _is_orphan(context: dg.AssetExecutionContext, arguments: Mapping[str, str]) -> bool:
    """Whether nobody follows a Glue run any more.

    That is so of an earlier attempt of this step, if its Dagster run has ended, and if its worker was a process of
    this machine that is gone. A run of an instance that is not ours, or of a worker elsewhere, is left alone: if it
    lives, the audits and the publication of whoever comes second see to the rest.
    """
    run_id, worker = arguments.get(_DAGSTER_RUN, ""), arguments.get(_WORKER, "")
    if run_id == context.run_id:
        return True
    run = context.instance.get_run_by_id(run_id) if run_id else None
    if run is not None and run.is_finished:
        return True
    host, _, pid = worker.rpartition(":")
    return host == socket.gethostname() and pid.isdigit() and not _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is there, and somebody else's
        return True
    return True


def _this_worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _seconds_in_all(run: Mapping[str, Any]) -> float:
    ended = run.get("CompletedOn") or run.get("LastModifiedOn") or run["StartedOn"]
    return float((ended - run["StartedOn"]).total_seconds())
