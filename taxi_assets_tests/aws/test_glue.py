"""Glue job runs as the assets see them: small scripts that really run, on every end that Glue knows."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import dagster as dg
import pytest
from dagster._core.pipes import utils
from dagster_pyspark import LazyPySparkResource

from glue_jobs.reports import JOBS, Job
from taxi_assets.aws.client import AwsError
from taxi_assets.aws.glue import GlueJobs, _this_machine
from taxi_assets.errors import failing_the_step
from taxi_assets.jobs.base import JobRun
from taxi_assets.jobs.code import build
from taxi_assets.sensors.lost_jobs import stop_lost_jobs
from taxi_assets_tests.emulators.aws import REGION, AwsEmulator
from taxi_assets_tests.emulators.glue_runs import ENDED
from taxi_assets_tests.support.waiting import wait_until

pytestmark = pytest.mark.emulator

BUCKET, MONTH, JOB = "glue-tests", "2024-02", "taxi-probe"
PROBE = """
import argparse, os, sys, time
from glue_jobs.errors import InputError
from glue_jobs.reporting import argument_parser, run_job

def body(arguments, reporter):
    with reporter.phase("first"):
        pass
{body}

parser = argument_parser("a probe")
run_job("probe", parser, body)
"""
SLEEPS = "    time.sleep(3600)"
RETURNS = "    return {'rows': 3}"


@pytest.fixture(scope="module")
def glue(aws: AwsEmulator) -> AwsEmulator:
    """The emulator with one job, ``taxi-probe``, whose code is the archive that a deployment makes."""
    aws.provision(BUCKET, [JOB, "taxi-other"], max_concurrent_runs=1)
    aws.client("s3").put_object(Bucket=BUCKET, Key="scripts/glue_jobs.zip", Body=build().archive)
    return aws


@pytest.fixture(scope="module", autouse=True)
def _no_wait_for_messages_that_nobody_wrote() -> Iterator[None]:
    """Dagster looks for late messages of a run that is over for ten seconds; the emulator's S3 has none that late.

    However short, it reads once all that is there when the run has ended.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)
        yield


@pytest.fixture(autouse=True)
def _nothing_goes_wrong_of_itself(glue: AwsEmulator) -> Iterator[None]:
    yield
    glue.faults.clear()
    for run in glue.runs(JOB):
        run.stop()
    wait_until(lambda: all(run.state in ENDED for run in glue.runs(JOB)))
    for entry in pipes_objects(glue):  # a job that was being stopped may have written once more
        glue.client("s3").delete_object(Bucket=BUCKET, Key=entry["Key"])


def jobs(**changes: Any) -> GlueJobs:
    given: dict[str, Any] = {
        "spark": LazyPySparkResource(spark_config={}),
        "lake": f"s3://{BUCKET}/lake",
        "region": REGION,
        "job_prefix": "taxi-",
        "glue_version": "5.1",
        "code_version": "",
        "worker_type": "G.2X",
        "workers": 3,
        "log_group": "/aws-glue/jobs",
        "timeout_minutes": 60,
        "usd_per_dpu_hour": 0.44,
        "poll_seconds": 0.2,
        "retries": 0,
    }
    return GlueJobs(**{**given, **changes})


@dataclass
class Probed:
    """What came of materializing an asset that runs the probe."""

    success: bool
    said: str = ""
    logs: list[str] = field(default_factory=list)
    run: JobRun[Any] | None = None
    failure_metadata: dict[str, Any] = field(default_factory=dict)
    retries: int = 0
    run_id: str = ""


PROBED = Job[Any]("probe")


def probe(
    aws: AwsEmulator, body: str, resource: GlueJobs | None = None, instance: dg.DagsterInstance | None = None
) -> Probed:
    """Deploy a probe with this body and run it from an asset."""
    aws.client("s3").put_object(Bucket=BUCKET, Key="scripts/not-deployed.py", Body=PROBE.format(body=body).encode())
    return run_probe(resource or jobs(), instance or dg.DagsterInstance.ephemeral())


def run_probe(resource: GlueJobs, instance: dg.DagsterInstance) -> Probed:
    runs: list[JobRun[Any]] = []

    @dg.asset
    def probed(context: dg.AssetExecutionContext, jobs: dg.ResourceParam[GlueJobs]) -> dg.MaterializeResult:  # type: ignore[type-arg]
        arguments = {"month": MONTH, "extra_py_files": f"s3://{BUCKET}/scripts/glue_jobs.zip"}
        with failing_the_step():
            runs.append(jobs.run(context, PROBED, arguments))
        return dg.MaterializeResult()

    done = dg.materialize([probed], instance=instance, resources={"jobs": resource}, raise_on_error=False)
    entries = instance.all_logs(done.run_id)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    failures = [event.step_failure_data for event in events if event.is_step_failure]
    data = failures[-1].user_failure_data if failures else None
    return Probed(
        success=done.success,
        said=str(data.description) if data else str(failures[-1].error) if failures else "",
        logs=[entry.user_message for entry in entries],
        run=runs[-1] if runs else None,
        failure_metadata={name: value.value for name, value in data.metadata.items()} if data else {},
        retries=sum(event.is_step_up_for_retry for event in events),
        run_id=done.run_id,
    )


def pipes_objects(aws: AwsEmulator) -> Sequence[Any]:
    listed = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="lake/logs/pipes/")
    contents: list[Any] = listed.get("Contents", [])
    return contents


def has_told_its_first_phase(aws: AwsEmulator) -> bool:
    """Whether the probe that is at work has, after which it says nothing more until its body ends."""
    s3 = aws.client("s3")
    bodies = (s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in pipes_objects(aws))
    return any(b'"phase": "first"' in body for body in bodies)


@contextmanager
def beside(does: Callable[[], None]) -> Iterator[None]:
    """Have ``does`` happen in another thread during the block."""
    thread = threading.Thread(target=does)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_a_job_that_completes_gives_its_facts_and_what_its_run_cost(glue: AwsEmulator) -> None:
    done = probe(glue, RETURNS)
    assert done.success, done.said
    assert done.run is not None
    assert done.run.report["rows"] == 3
    metadata = done.run.metadata
    run_id = glue.runs(JOB)[0].id
    assert metadata["glue_run_id"] == run_id
    assert f"us-east-1.console.aws.amazon.com/gluestudio/home?region=us-east-1#/job/{JOB}/run/{run_id}" in str(
        metadata["glue_run"].value
    )
    assert f"log-group/$252Faws-glue$252Fjobs$252Ferror/log-events/{run_id}" in str(metadata["logs"].value)
    assert (metadata["worker_type"], metadata["workers"]) == ("G.2X", 3)
    assert metadata["dpu_seconds"] == 3 * 2 * 60  # a minute is billed at least
    assert metadata["estimated_cost_usd"] == pytest.approx(3 * 2 / 60 * 0.44, abs=1e-4)
    assert metadata["seconds_running"] + metadata["seconds_queued"] >= 0
    assert done.run.lineage == {"engine": "glue 5.1", "glue_run_id": run_id}


def test_what_a_job_says_is_in_the_run_and_as_json_lines_in_cloudwatch(glue: AwsEmulator) -> None:
    done = probe(glue, RETURNS)
    assert "first …" in done.logs
    run_id = glue.runs(JOB)[0].id
    events = glue.client("logs").get_log_events(logGroupName="/aws-glue/jobs/error", logStreamName=run_id)["events"]
    lines = [event["message"] for event in events]
    assert any('"message": "first' in line and f'"month": "{MONTH}"' in line for line in lines)
    assert all(f'"run": "{run_id}"' in line and f'"dagster_run": "{done.run_id}"' in line for line in lines)


def test_the_messages_of_a_run_are_deleted_when_they_have_been_read(glue: AwsEmulator) -> None:
    assert probe(glue, RETURNS).success
    assert not probe(glue, "    raise ValueError('no')").success
    assert pipes_objects(glue) == []
    assert any(call.action == "PutObject" and "/logs/pipes/" in call.resource for call in glue.calls.entries)


def test_a_job_that_fails_keeps_what_it_reported_before(glue: AwsEmulator) -> None:
    done = probe(glue, "    raise ValueError('the disk is full')")
    assert not done.success
    assert "FAILED: ValueError: the disk is full" in done.said
    assert "What to do: read the log" in done.said
    assert list(done.failure_metadata["seconds_of_finished_phases"]) == ["first"]
    assert done.failure_metadata["glue_run_id"] == glue.runs(JOB)[0].id


def test_a_job_that_refuses_its_input_says_so_in_its_own_words_and_is_not_repeated(glue: AwsEmulator) -> None:
    done = probe(
        glue, "    raise InputError('f.parquet is cut off', 'fetch it again')", jobs(retries=2, retry_seconds=0)
    )
    assert done.said == "f.parquet is cut off. What to do: fetch it again."
    assert done.retries == 0


def test_a_job_that_succeeds_in_silence_has_failed(glue: AwsEmulator) -> None:
    glue.client("s3").put_object(Bucket=BUCKET, Key="scripts/not-deployed.py", Body=b"print('done')")
    done = run_probe(jobs(), dg.DagsterInstance.ephemeral())
    assert not done.success
    assert "ended without a completion report" in done.said
    assert "SUCCEEDED" in done.said


def test_a_job_without_code_says_that_it_is_to_be_deployed_and_is_not_repeated(glue: AwsEmulator) -> None:
    glue.client("s3").delete_object(Bucket=BUCKET, Key="scripts/not-deployed.py")
    done = run_probe(jobs(retries=2, retry_seconds=0), dg.DagsterInstance.ephemeral())
    assert "LAUNCH ERROR" in done.said
    assert "taxi-assets deploy" in done.said
    assert done.retries == 0


def test_a_job_that_does_not_exist_is_to_be_made_by_terraform(glue: AwsEmulator) -> None:
    done = run_probe(jobs(job_prefix="nobody-"), dg.DagsterInstance.ephemeral())
    assert "EntityNotFoundException" in done.said
    assert "make it with Terraform, or check TAXI_GLUE_JOB_PREFIX" in done.said


def test_a_job_that_runs_too_long_is_ended_by_glue(glue: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def end_when_its_first_phase_is_told() -> None:
        wait_until(lambda: has_told_its_first_phase(glue))
        monkeypatch.setattr(glue, "minute", 0.0)

    with beside(end_when_its_first_phase_is_told):
        done = probe(glue, SLEEPS, jobs(timeout_minutes=1, retries=2, retry_seconds=0))
    assert "TIMEOUT" in done.said
    assert "TAXI_GLUE_WORKERS and TAXI_GLUE_TIMEOUT_MINUTES" in done.said
    assert list(done.failure_metadata["seconds_of_finished_phases"]) == ["first"]
    assert done.retries == 0  # it would run too long again


@pytest.mark.parametrize(
    ("state", "remedy", "attempts"),
    [
        ("EXPIRED", "Glue found no capacity in time", 2),
        ("ERROR", "Glue itself failed", 2),
        ("STOPPED", "somebody stopped the run", 1),
    ],
)
def test_every_bad_end_of_glue_is_told_and_repeated_if_that_may_help(
    glue: AwsEmulator, state: str, remedy: str, attempts: int
) -> None:
    before = len(glue.runs(JOB))
    for _ in range(attempts):
        glue.faults.end_run(JOB, state)
    done = probe(glue, RETURNS, jobs(retries=attempts - 1 or 1, retry_seconds=0))
    assert not done.success
    assert state in done.said
    assert remedy in done.said
    assert len(glue.runs(JOB)) - before == attempts


def test_an_attempt_that_failed_for_a_passing_cause_is_repeated(glue: AwsEmulator) -> None:
    glue.faults.end_run(JOB, "EXPIRED")
    done = probe(glue, RETURNS, jobs(retries=1, retry_seconds=0))
    assert done.success, done.said
    assert done.retries == 1


def test_throttling_is_waited_out(glue: AwsEmulator) -> None:
    glue.faults.throttle("glue", "StartJobRun", times=3)
    glue.faults.throttle("glue", "GetJobRun", times=2)
    done = probe(glue, RETURNS)
    assert done.success, done.said


def others_use_the_job(aws: AwsEmulator) -> str:
    """Have a long run of the job that has begun, so that the probe's script does not take its place; its id."""
    aws.client("s3").put_object(Bucket=BUCKET, Key="scripts/not-deployed.py", Body=b"import time; time.sleep(3600)")
    run_id: str = aws.client("glue").start_job_run(JobName=JOB, Arguments={"--month": "2019-01"})["JobRunId"]
    wait_until(lambda: aws.runs(JOB)[0].state == "RUNNING")
    return run_id


def test_a_job_that_others_use_is_waited_for(glue: AwsEmulator) -> None:
    others = others_use_the_job(glue)
    asked: list[None] = []

    def make_room_for_the_second_request() -> None:
        asked.append(None)
        if len(asked) == 2:
            glue.client("glue").batch_stop_job_run(JobName=JOB, JobRunIds=[others])

    glue.faults.before("glue", "StartJobRun", make_room_for_the_second_request, times=2)
    done = probe(glue, RETURNS)
    assert done.success, done.said
    assert any("ConcurrentRunsExceededException" in line and "trying again" in line for line in done.logs)


def test_a_job_that_others_use_for_too_long_is_given_up(glue: AwsEmulator) -> None:
    others_use_the_job(glue)
    done = probe(glue, RETURNS, jobs(start_minutes=0.03))
    assert "could not be started" in done.said
    assert "ConcurrentRunsExceededException" in done.said


def test_a_run_without_permission_says_which_action_is_missing(glue: AwsEmulator) -> None:
    glue.faults.fail("glue", "StartJobRun", "AccessDeniedException", "not authorized to perform: glue:StartJobRun")
    done = probe(glue, RETURNS)
    assert "glue:StartJobRun" in done.said
    assert "give the role the action" in done.said


@pytest.mark.usefixtures("interruptible")
def test_a_run_that_is_interrupted_stops_its_glue_run(glue: AwsEmulator) -> None:
    before = len(glue.runs(JOB))

    def interrupt_when_it_runs() -> None:
        wait_until(lambda: len(glue.runs(JOB)) > before and has_told_its_first_phase(glue))
        os.kill(os.getpid(), signal.SIGINT)

    with beside(interrupt_when_it_runs):
        done = probe(glue, SLEEPS)
    assert not done.success
    wait_until(lambda: glue.runs(JOB)[0].state == "STOPPED")
    assert pipes_objects(glue) == []


def test_a_run_that_loses_sight_of_its_glue_run_stops_it(glue: AwsEmulator) -> None:
    glue.faults.fail("glue", "GetJobRun", "AccessDeniedException", "not authorized to perform: glue:GetJobRun")
    done = probe(glue, SLEEPS)
    assert "is not known, so it is stopped" in done.said
    wait_until(lambda: glue.runs(JOB)[0].state == "STOPPED")


def left_behind(aws: AwsEmulator, dagster_run: str, worker: str, month: str = MONTH) -> str:
    """A run that sleeps, as a worker would have left it."""
    script = PROBE.format(body=SLEEPS).encode()
    aws.client("s3").put_object(Bucket=BUCKET, Key="scripts/not-deployed.py", Body=script)
    arguments = {
        "--month": month,
        "--extra-py-files": f"s3://{BUCKET}/scripts/glue_jobs.zip",
        "--dagster-run-id": dagster_run,
        "--dagster-worker": worker,
    }
    run_id: str = aws.client("glue").start_job_run(JobName=JOB, Arguments=arguments)["JobRunId"]
    wait_until(lambda: aws.runs(JOB)[0].state == "RUNNING")
    return run_id


def state_of(aws: AwsEmulator, run_id: str) -> str:
    return next(run.state for run in aws.runs(JOB) if run.id == run_id)


def test_a_glue_run_of_a_dagster_run_that_has_ended_is_stopped_before_the_month_is_run_again(glue: AwsEmulator) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        ended = dg.materialize([_nothing], instance=instance)
        orphan = left_behind(glue, ended.run_id, "elsewhere:1")
        done = probe(glue, RETURNS, instance=instance)
    assert done.success, done.said
    assert state_of(glue, orphan) == "STOPPED"
    assert any(f"run {orphan} of {MONTH} was left behind" in line for line in done.logs)


@dg.asset
def _nothing() -> None:
    pass


def test_a_glue_run_of_a_process_of_this_machine_that_is_gone_is_stopped(glue: AwsEmulator) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    orphan = left_behind(glue, "of another instance", f"{_this_machine()}:{gone.pid}")
    assert probe(glue, RETURNS).success
    assert state_of(glue, orphan) == "STOPPED"


@pytest.mark.parametrize(
    ("month", "worker"), [(MONTH, "another-machine:1"), ("2019-01", "another-machine:1")], ids=["same", "other month"]
)
def test_a_glue_run_that_somebody_may_follow_is_left_alone(glue: AwsEmulator, month: str, worker: str) -> None:
    run_id = left_behind(glue, "of another instance", worker, month)
    done = probe(glue, RETURNS, jobs(start_minutes=0.02))  # one run at a time is allowed
    assert "ConcurrentRunsExceededException" in done.said
    assert state_of(glue, run_id) == "RUNNING"


def test_when_a_dagster_run_was_lost_the_sensor_stops_its_glue_run_and_no_other(glue: AwsEmulator) -> None:
    glue.client("glue").create_job(
        Name="taxi-ingest-raw",
        Role="arn:aws:iam::123456789012:role/taxi",
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/scripts/sleeps.py"},
        ExecutionProperty={"MaxConcurrentRuns": 3},
    )
    for job in JOBS[1:]:
        glue.client("glue").create_job(
            Name=f"taxi-{job.replace('_', '-')}",
            Role="arn:aws:iam::123456789012:role/taxi",
            Command={"Name": "glueetl"},
        )
    glue.client("s3").put_object(Bucket=BUCKET, Key="scripts/sleeps.py", Body=b"import time; time.sleep(3600)")
    with dg.DagsterInstance.ephemeral() as instance:
        lost = dg.materialize([_fails], instance=instance, raise_on_error=False).run_id
        runs = {
            dagster_run: glue.client("glue").start_job_run(
                JobName="taxi-ingest-raw", Arguments={"--dagster-run-id": dagster_run}
            )["JobRunId"]
            for dagster_run in (lost, "of another instance")
        }
        key = f"lake/logs/pipes/{lost}/ingest_raw-1/1.json"
        glue.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"{}")
        look(instance, glue, fails=True)  # AWS is out of reach: the next look makes it good
        said = look(instance, glue)
        assert f"stopped taxi-ingest-raw {runs[lost]} of run {lost}" in said
        states = {run.id: run for run in glue.runs("taxi-ingest-raw")}
        wait_until(lambda: states[runs[lost]].state == "STOPPED")
        assert states[runs["of another instance"]].state in ("STARTING", "RUNNING")
        assert pipes_objects(glue) == []
        assert look(instance, glue) == "no job is lost"
    states[runs["of another instance"]].stop()


def look(instance: dg.DagsterInstance, glue: AwsEmulator, fails: bool = False) -> str:
    """What the sensor says; empty if it failed as it should."""
    if fails:
        glue.faults.fail("glue", "GetJobRuns", "AccessDeniedException", "no")
    with dg.build_sensor_context(instance=instance, resources={"jobs": jobs()}) as context:
        if fails:
            with pytest.raises(AwsError, match="could not be listed"):
                stop_lost_jobs(context)
            return ""
        return str(cast("dg.SkipReason", stop_lost_jobs(context)).skip_message)


def test_code_that_is_not_this_checkouts_is_not_run(glue: AwsEmulator) -> None:
    before = len(glue.runs(JOB))
    done = probe(glue, RETURNS, jobs(code_version="1234"))
    assert "has code none, this process is of code 1234. What to do: taxi-assets deploy" in done.said
    assert len(glue.runs(JOB)) == before


def test_a_start_whose_answer_was_lost_does_not_start_a_second_run(glue: AwsEmulator) -> None:
    before = len(glue.runs(JOB))
    glue.faults.lose_answer("glue", "StartJobRun")
    done = probe(glue, RETURNS)
    assert done.success, done.said
    assert len(glue.runs(JOB)) == before + 1


def test_messages_that_cannot_be_deleted_do_not_undo_a_good_run(glue: AwsEmulator) -> None:
    glue.faults.fail("s3", "DeleteObject", "AccessDenied", "Access Denied", 403, 10)
    done = probe(glue, RETURNS)
    glue.faults.clear()
    assert done.success, done.said
    assert any("could not be deleted" in line for line in done.logs)


def test_a_run_that_glue_does_not_stop_is_to_be_stopped_by_hand(glue: AwsEmulator) -> None:
    glue.faults.fail("glue", "GetJobRun", "AccessDeniedException", "no")
    glue.faults.fail("glue", "BatchStopJobRun", "AccessDeniedException", "not authorized: glue:BatchStopJobRun")
    done = probe(glue, SLEEPS)
    assert "could not be stopped and may still cost money" in done.said
    assert f"/run/{glue.runs(JOB)[0].id}" in done.said


@dg.asset
def _fails() -> None:
    raise AwsError("lost", "look for it")
