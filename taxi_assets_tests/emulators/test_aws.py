"""What the emulated AWS promises to the tests that rest on it. Few jobs here need Spark: they print, wait and fail."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from pyarrow import fs
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException

from taxi_assets_tests.emulators import job_process
from taxi_assets_tests.emulators.aws import REGION, ApiCall, AwsEmulator, Role, emulated_aws
from taxi_assets_tests.emulators.glue_runs import ENDED
from taxi_assets_tests.emulators.steps import (
    BUCKET,
    JOB,
    doubled,
    output,
    put_zip,
    run,
    run_doubling,
    start,
)
from taxi_assets_tests.security.test_listening import is_heard_beyond_loopback
from taxi_assets_tests.support.waiting import HANGS_AFTER, wait_until

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def shared() -> Iterator[AwsEmulator]:
    with pytest.MonkeyPatch.context() as patch, emulated_aws() as emulator:
        patch.setenv("TAXI_LAKE", "/of/whoever/runs/the/tests")
        patch.setenv("AWS_SESSION_TOKEN", "theirs")
        emulator.provision(BUCKET, [JOB], databases=["taxi"], max_concurrent_runs=2)
        yield emulator


@pytest.fixture
def aws(shared: AwsEmulator) -> Iterator[AwsEmulator]:
    """An emulator with a bucket and a job, in which nothing was called and nothing is to go wrong."""
    shared.faults.clear()
    shared.calls.clear()
    yield shared
    for left in shared.runs(JOB):
        left.stop()
    wait_until(lambda: all(left.state in ENDED for left in shared.runs(JOB)))


def error_code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


# --- calls


def test_each_call_is_recorded_with_who_made_it_and_on_what(aws: AwsEmulator) -> None:
    aws.client("glue", Role.DAGSTER).get_job(JobName=JOB)
    aws.client("glue", Role.DEPLOY).get_tables(DatabaseName="taxi")
    aws.client("s3", Role.GLUE_JOB).put_object(Bucket=BUCKET, Key="a b/ü=1.txt", Body=b"x")
    aws.client("sts", Role.DAGSTER).get_caller_identity()
    aws.client("logs", Role.TEST).create_log_group(logGroupName="/a/group")
    topic = aws.client("sns", Role.TEST).create_topic(Name="alerts")["TopicArn"]
    aws.client("sns", Role.DAGSTER).publish(TopicArn=topic, Message="m")
    aws.client("cloudwatch", Role.DAGSTER).list_metrics()
    assert aws.calls.entries == [
        ApiCall("dagster", "glue", "GetJob", JOB),
        ApiCall("deploy", "glue", "GetTables", "taxi"),
        ApiCall("glue_job", "s3", "PutObject", "s3://lake/a b/ü=1.txt"),
        ApiCall("dagster", "sts", "GetCallerIdentity"),
        ApiCall("test", "logs", "CreateLogGroup", "/a/group"),
        ApiCall("test", "sns", "CreateTopic"),
        ApiCall("dagster", "sns", "Publish", topic),
        ApiCall("dagster", "monitoring", "ListMetrics"),
    ]
    assert aws.calls.entries[-1].iam_actions == ("cloudwatch:ListMetrics",)


def test_an_s3_call_is_recorded_as_its_operation_with_the_iam_actions_that_it_needs(aws: AwsEmulator) -> None:
    s3 = aws.client("s3", Role.DAGSTER)
    at = {"Bucket": BUCKET, "Key": "calls/k"}
    s3.put_object(**at, Body=b"x")
    s3.get_object(**at)
    s3.head_object(**at)
    s3.copy_object(Bucket=BUCKET, Key="calls/copy", CopySource=at)
    s3.list_objects_v2(Bucket=BUCKET, Prefix="calls/")
    s3.list_objects(Bucket=BUCKET)
    upload = {**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"x")
    s3.list_parts(**upload)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]})
    s3.abort_multipart_upload(**{**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]})
    s3.delete_object(**at)
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "calls/copy"}, {"Key": "a&b"}]})
    s3.head_bucket(Bucket=BUCKET)
    s3.get_bucket_location(Bucket=BUCKET)
    s3.list_buckets()
    assert [(call.action, *call.iam_actions) for call in aws.calls.entries] == [
        ("PutObject", "s3:PutObject"),
        ("GetObject", "s3:GetObject"),
        ("HeadObject", "s3:GetObject"),
        ("CopyObject", "s3:PutObject", "s3:GetObject"),
        ("ListObjectsV2", "s3:ListBucket"),
        ("ListObjects", "s3:ListBucket"),
        ("CreateMultipartUpload", "s3:PutObject"),
        ("UploadPart", "s3:PutObject"),
        ("ListParts", "s3:ListMultipartUploadParts"),
        ("CompleteMultipartUpload", "s3:PutObject"),
        ("CreateMultipartUpload", "s3:PutObject"),
        ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
        ("DeleteObject", "s3:DeleteObject"),
        ("DeleteObjects", "s3:DeleteObject"),
        ("HeadBucket", "s3:ListBucket"),
        ("GetBucketLocation", "s3:GetBucketLocation"),
        ("ListBuckets", "s3:ListAllMyBuckets"),
    ]
    copied, listed = aws.calls.entries[3:5]
    assert copied.permissions == (("s3:PutObject", "s3://lake/calls/copy"), ("s3:GetObject", "s3://lake/calls/k"))
    assert listed.resource == "s3://lake/calls/"
    deleted = next(call for call in aws.calls.entries if call.action == "DeleteObjects")
    assert [resource for _, resource in deleted.permissions] == ["s3://lake/calls/copy", "s3://lake/a&b"]


def test_what_nobody_of_ours_calls_is_not_recorded(aws: AwsEmulator) -> None:
    session = boto3.Session("somebody", "else", region_name=REGION)
    session.client("s3", endpoint_url=aws.url).list_buckets()
    assert aws.calls.entries == []


def test_the_emulated_aws_listens_on_loopback(aws: AwsEmulator) -> None:
    assert not is_heard_beyond_loopback(aws.url)


def test_a_presigned_address_is_a_call_of_who_signed_it(aws: AwsEmulator) -> None:
    config = Config(signature_version="s3v4")
    signer = boto3.Session("dagster", "emulated", region_name=REGION).client("s3", endpoint_url=aws.url, config=config)
    aws.client("s3").put_object(Bucket=BUCKET, Key="k", Body=b"x")
    address = signer.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "k"})
    with urllib.request.urlopen(address) as answer:
        assert answer.read() == b"x"
    assert aws.calls.entries[-1] == ApiCall("dagster", "s3", "GetObject", "s3://lake/k")


def test_calls_are_answered_while_another_waits(aws: AwsEmulator) -> None:
    waiting = threading.Thread(target=lambda: aws.client("glue").get_job(JobName=JOB))
    with aws.faults.holding("glue", "GetJob") as held:
        waiting.start()
        wait_until(held.arrived.is_set)
        aws.client("glue").get_jobs()
        assert waiting.is_alive()
    waiting.join(HANGS_AFTER)
    assert not waiting.is_alive()


def test_a_call_that_is_sent_again_while_it_is_held_waits_again(aws: AwsEmulator) -> None:
    with aws.faults.holding("s3", "PutObject", "/held/") as held:
        calls = [
            threading.Thread(target=lambda key=key: aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x"))
            for key in ("held/k", "held/k")
        ]
        for call in calls:
            call.start()
        wait_until(lambda: [call.action for call in aws.calls.entries] == ["PutObject"] * 2)
        aws.client("s3").put_object(Bucket=BUCKET, Key="other/k", Body=b"x")
        assert all(call.is_alive() for call in calls)
        held.let_go()
        for call in calls:
            call.join(HANGS_AFTER)
        aws.client("s3").put_object(Bucket=BUCKET, Key="held/late", Body=b"x")  # nothing is held any more


# --- faults


def test_throttled_calls_pass_when_the_fault_is_used_up(aws: AwsEmulator) -> None:
    aws.faults.throttle("glue", "GetJobs", times=2)
    aws.client("glue").get_jobs()  # boto3 tries again
    assert [call.action for call in aws.calls.entries] == ["GetJobs"] * 3


def test_a_json_service_fails_as_asked_on_the_resource_that_was_named(aws: AwsEmulator) -> None:
    aws.faults.fail("glue", "GetTables", "AccessDeniedException", "not you", resource_contains="taxi")
    with pytest.raises(ClientError, match="not you") as caught:
        aws.client("glue").get_tables(DatabaseName="taxi")
    assert error_code(caught) == "AccessDeniedException"
    aws.client("glue").get_tables(DatabaseName="taxi")


def test_s3_fails_as_asked_on_the_key_that_was_named(aws: AwsEmulator) -> None:
    aws.faults.fail("s3", "PutObject", "AccessDenied", "not you", 403, resource_contains="/bad/")
    s3 = aws.client("s3")
    s3.put_object(Bucket=BUCKET, Key="good/k", Body=b"x")
    with pytest.raises(ClientError, match="not you") as caught:
        s3.put_object(Bucket=BUCKET, Key="bad/k", Body=bytes(1 << 20))
    assert (error_code(caught), caught.value.response["ResponseMetadata"]["HTTPStatusCode"]) == ("AccessDenied", 403)
    s3.put_object(Bucket=BUCKET, Key="bad/k", Body=b"x")  # on the same connection: its body was read
    aws.faults.fail("s3", "HeadObject", "404", "", 404)
    with pytest.raises(ClientError):
        s3.head_object(Bucket=BUCKET, Key="bad/k")


def test_s3_can_be_too_busy_or_broken_for_a_while(aws: AwsEmulator) -> None:
    aws.faults.throttle("s3", "PutObject")
    aws.faults.fail("s3", "PutObject", "InternalError", "We encountered an internal error.", 500)
    aws.client("s3").put_object(Bucket=BUCKET, Key="k", Body=bytes(1 << 20))  # boto3 tries again
    assert [call.action for call in aws.calls.entries] == ["PutObject"] * 3


def test_a_query_service_fails_as_asked(aws: AwsEmulator) -> None:
    aws.faults.fail("sns", "Publish", "NotFound", "Topic does not exist", 404)
    with pytest.raises(ClientError, match="Topic does not exist") as caught:
        aws.client("sns").publish(TopicArn="arn:aws:sns:us-east-1:123456789012:alerts", Message="m")
    assert error_code(caught) == "NotFound"


def test_something_can_happen_just_before_a_call(aws: AwsEmulator) -> None:
    s3 = aws.client("s3")
    aws.faults.before("s3", "GetObject", lambda: s3.put_object(Bucket=BUCKET, Key="late", Body=b"just in time"))
    assert s3.get_object(Bucket=BUCKET, Key="late")["Body"].read() == b"just in time"


# --- job runs


def test_a_run_gets_the_jobs_arguments_and_its_own_and_its_output_is_logged(aws: AwsEmulator) -> None:
    done = run(aws, "import sys; print(sys.argv[1:]); print('e', file=sys.stderr)", Arguments={"--month": "2024-02"})
    shown = aws.client("glue").get_job_run(JobName=JOB, RunId=done.id)["JobRun"]
    assert shown["JobRunState"] == "SUCCEEDED"
    assert output(aws, done) == [str(["--JOB_NAME", JOB, "--JOB_RUN_ID", done.id, "--month", "2024-02"])]
    assert output(aws, done, "error") == ["e"]
    assert done.id.startswith("jr_")
    assert shown["StartedOn"] <= shown["CompletedOn"]
    expected = {"Attempt": 0, "Arguments": {"--month": "2024-02"}, "LogGroupName": "/aws-glue/jobs", "Timeout": 60}
    capacity = {"WorkerType": "G.1X", "NumberOfWorkers": 2, "MaxCapacity": 2.0, "GlueVersion": "5.1"}
    assert shown.items() >= {**expected, **capacity}.items()
    assert "ErrorMessage" not in shown


def test_the_log_of_a_run_can_be_read_while_it_is_at_work(aws: AwsEmulator) -> None:
    begun = start(aws, "import time; print('begun', flush=True); time.sleep(600)")
    wait_until(lambda: any(call.action == "PutLogEvents" for call in aws.calls.entries))
    wait_until(lambda: output(aws, begun) == ["begun"])
    shown = aws.client("glue").get_job_run(JobName=JOB, RunId=begun.id)["JobRun"]
    assert shown["JobRunState"] == "RUNNING"
    assert "CompletedOn" not in shown
    assert begun.pid is not None


def test_a_failing_script_fails_its_run_with_the_last_line_of_its_traceback(aws: AwsEmulator) -> None:
    failed = run(aws, "import sys; print('on the way'); sys.stdout.flush(); raise ValueError('no such month')")
    assert (failed.state, failed.error) == ("FAILED", "ValueError: no such month")
    assert run(aws, "print('last words'); raise SystemExit(3)").error == "last words"
    assert run(aws, "raise SystemExit(3)").error == "exit code 3"


def test_a_script_or_zip_that_is_not_there_fails_the_launch(aws: AwsEmulator) -> None:
    failed = run(aws, "", Arguments={"--extra-py-files": "s3://lake/scripts/missing.zip"})
    assert failed.error == "LAUNCH ERROR | s3://lake/scripts/missing.zip cannot be read: NoSuchKey"
    aws.client("glue").create_job(
        Name="undeployed", Role="r", Command={"Name": "glueetl", "ScriptLocation": "s3://lake/scripts/nothing.py"}
    )
    run_id = aws.client("glue").start_job_run(JobName="undeployed")["JobRunId"]
    (undeployed,) = aws.runs("undeployed")
    wait_until(lambda: undeployed.state in ENDED)
    assert (undeployed.id, undeployed.state) == (run_id, "FAILED")
    assert undeployed.error == "LAUNCH ERROR | s3://lake/scripts/nothing.py cannot be read: NoSuchKey"


def test_modules_come_from_the_zips_and_never_from_the_checkout(aws: AwsEmulator) -> None:
    zips = put_zip(aws, "scripts/j.zip", {"glue_jobs/__init__.py": "", "glue_jobs/a.py": "WHERE = 'the zip'"})
    zips += "," + put_zip(aws, "scripts/b.zip", {"b.py": ""})
    script = """
from glue_jobs import a
import b
print(a.WHERE, a.__file__.endswith('j.zip/glue_jobs/a.py'), b.__file__)
try:
    from glue_jobs import contracts
except ImportError:
    print('the zip is all of glue_jobs')
try:
    import taxi_assets
except ImportError:
    print('no taxi_assets')
"""
    lines = output(aws, run(aws, script, Arguments={"--extra-py-files": zips}))
    assert lines[0].startswith("the zip True ")
    assert lines[1:] == ["the zip is all of glue_jobs", "no taxi_assets"]
    assert run(aws, "import glue_jobs").error == "ModuleNotFoundError: No module named 'glue_jobs'"


def test_a_job_has_its_own_role_and_nothing_of_whoever_runs_the_emulator(aws: AwsEmulator) -> None:
    environment = json.loads(output(aws, run(aws, "import json, os; print(json.dumps(dict(os.environ)))"))[0])
    assert environment.items() >= aws.environment(Role.GLUE_JOB).items()
    assert environment["SPARK_REMOTE"].startswith("sc://127.0.0.1:")
    assert not environment.keys() & {"TAXI_LAKE", "AWS_SESSION_TOKEN"}


def test_a_run_can_be_stopped(aws: AwsEmulator) -> None:
    begun = start(aws, "import time; print('begun', flush=True); time.sleep(600)")
    wait_until(lambda: begun.pid is not None)
    process = begun.pid
    assert process is not None
    glue = aws.client("glue")
    answer = glue.batch_stop_job_run(JobName=JOB, JobRunIds=[begun.id, "jr_unknown"])
    assert answer["SuccessfulSubmissions"] == [{"JobName": JOB, "JobRunId": begun.id}]
    assert [error["JobRunId"] for error in answer["Errors"]] == ["jr_unknown"]
    wait_until(lambda: begun.state in ENDED)
    assert (begun.state, begun.error, begun.pid) == ("STOPPED", "", None)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    (error,) = glue.batch_stop_job_run(JobName=JOB, JobRunIds=[begun.id])["Errors"]
    assert "is STOPPED and cannot be stopped" in error["ErrorDetail"]["ErrorMessage"]


def test_a_run_that_will_not_stop_is_killed(aws: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_process, "_GRACE_SECONDS", 0.2)
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    begun = start(aws, f"import signal, time; {deaf}")
    wait_until(lambda: any(call.action == "PutLogEvents" for call in aws.calls.entries))
    assert begun.stop()
    assert begun.state == "STOPPING"
    wait_until(lambda: begun.state in ENDED)
    assert begun.state == "STOPPED"


def test_what_a_script_leaves_behind_ends_with_its_run(aws: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_process, "_LAST_WORDS_SECONDS", 0.2)
    done = run(aws, "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)")
    assert done.state == "SUCCEEDED"
    left = int(output(aws, done)[0])
    wait_until(lambda: not alive(left))


def alive(pid: int) -> bool:
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(listed) and not listed.startswith("Z")


def test_a_run_times_out(aws: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "minute", 0.3)
    ended = run(aws, "import time; time.sleep(600)", Timeout=1)
    assert (ended.state, ended.error) == ("TIMEOUT", "JobRun timed out")


def test_no_more_runs_than_the_job_allows(aws: AwsEmulator) -> None:
    first, _ = (start(aws, "import time; time.sleep(600)") for _ in range(2))
    with pytest.raises(ClientError) as caught:
        start(aws, "")
    assert error_code(caught) == "ConcurrentRunsExceededException"
    first.stop()
    wait_until(lambda: first.state in ENDED)
    assert run(aws, "").state == "SUCCEEDED"


def test_runs_are_listed_the_newest_first_in_pages(aws: AwsEmulator) -> None:
    ids = [run(aws, "").id for _ in range(3)]
    glue = aws.client("glue")
    page = glue.get_job_runs(JobName=JOB, MaxResults=2)
    rest = glue.get_job_runs(JobName=JOB, MaxResults=200, NextToken=page["NextToken"])
    listed = [shown["Id"] for shown in page["JobRuns"] + rest["JobRuns"]]
    assert listed[:3] == ids[::-1]
    assert "NextToken" not in rest
    with pytest.raises(ClientError) as caught:
        glue.get_job_run(JobName=JOB, RunId="jr_unknown")
    assert error_code(caught) == "EntityNotFoundException"


@pytest.mark.parametrize("state", ["EXPIRED", "ERROR", "STOPPED", "TIMEOUT"])
def test_a_run_ends_as_asked_without_its_script(aws: AwsEmulator, state: str) -> None:
    aws.faults.end_run(JOB, state, "by chance")
    ended = run(aws, "print('ran')")
    assert (ended.state, ended.error, ended.process) == (state, "by chance", None)
    assert run(aws, "").state == "SUCCEEDED"


def test_starting_a_run_can_be_throttled(aws: AwsEmulator) -> None:
    aws.faults.throttle("glue", "StartJobRun", times=1)
    assert run(aws, "").state == "SUCCEEDED"
    assert [call.action for call in aws.calls.entries].count("StartJobRun") == 2


# --- job definitions


def test_updating_a_job_replaces_its_definition_and_leaves_the_runs_that_were_started(aws: AwsEmulator) -> None:
    glue = aws.client("glue", Role.DEPLOY)
    command = {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/scripts/not-deployed.py"}
    defaults = {"--layer": "raw", "--month": "default"}
    glue.create_job(Name="updated", Role="r", Command=command, DefaultArguments=defaults, Timeout=5, MaxRetries=2)
    aws.client("s3").put_object(Bucket=BUCKET, Key="scripts/new.py", Body=b"print('new')")
    new = {**command, "ScriptLocation": f"s3://{BUCKET}/scripts/new.py"}
    # Between the start of the run and the fetching of its script.
    update = {"JobName": "updated", "JobUpdate": {"Role": "r", "Command": new}}
    aws.faults.before("s3", "GetObject", lambda: glue.update_job(**update), resource_contains="not-deployed.py")
    begun = start(aws, "import sys; print(sys.argv[5:])", job="updated", Arguments={"--month": "2024-02"})
    wait_until(lambda: begun.state in ENDED)
    job = glue.get_job(JobName="updated")["Job"]
    assert job["Command"] == new
    assert "DefaultArguments" not in job
    assert (job["Timeout"], job["MaxRetries"], job["ExecutionProperty"]) == (2880, 0, {"MaxConcurrentRuns": 1})
    assert output(aws, begun) == [str(["--layer", "raw", "--month", "2024-02"])]
    run_id = glue.start_job_run(JobName="updated")["JobRunId"]
    second = aws.runs("updated")[0]
    wait_until(lambda: second.state in ENDED)
    assert (second.id, output(aws, second)) == (run_id, ["new"])


@pytest.mark.parametrize("left_out", ["Role", "Command"])
def test_an_update_without_role_or_command_is_refused(aws: AwsEmulator, left_out: str) -> None:
    glue = aws.client("glue")
    update = {"Role": "r", "Command": {"Name": "glueetl", "ScriptLocation": "s3://lake/s.py"}}
    del update[left_out]
    with pytest.raises(ClientError) as caught:
        glue.update_job(JobName=JOB, JobUpdate=update)
    assert error_code(caught) == "InvalidInputException"


def test_what_get_job_answers_cannot_be_sent_back_as_it_is(aws: AwsEmulator) -> None:
    glue = aws.client("glue")
    job = glue.get_job(JobName=JOB)["Job"]
    update = {field: job[field] for field in job.keys() - {"Name", "CreatedOn", "LastModifiedOn"}}
    with pytest.raises(ClientError, match="do not set Max Capacity if using Worker Type"):
        glue.update_job(JobName=JOB, JobUpdate=update)


def test_a_job_whose_name_is_taken_is_not_replaced(aws: AwsEmulator) -> None:
    with pytest.raises(ClientError) as caught:
        aws.client("glue").create_job(Name=JOB, Role="r", Command={"Name": "glueetl", "ScriptLocation": "s3://b/s.py"})
    assert error_code(caught) == "AlreadyExistsException"


# --- tables


def test_a_table_that_changed_since_it_was_read_is_not_updated(aws: AwsEmulator) -> None:
    glue = aws.client("glue")
    glue.create_table(DatabaseName="taxi", TableInput={"Name": "t"})
    read = glue.get_table(DatabaseName="taxi", Name="t")["Table"]["VersionId"]
    update = {"DatabaseName": "taxi", "TableInput": {"Name": "t", "Description": "mine"}, "VersionId": read}
    glue.update_table(**update)
    with pytest.raises(ClientError) as caught:
        glue.update_table(**update)
    assert error_code(caught) == "ConcurrentModificationException"


def test_of_many_writers_at_once_one_updates_and_one_creates(aws: AwsEmulator) -> None:
    glue = aws.client("glue")
    new, raced = {"DatabaseName": "taxi", "TableInput": {"Name": "new"}}, {"Name": "raced"}
    glue.create_table(DatabaseName="taxi", TableInput=raced)
    version = glue.get_table(DatabaseName="taxi", Name="raced")["Table"]["VersionId"]
    assert at_once(lambda: glue.create_table(**new)) == {"": 1, "AlreadyExistsException": 7}
    updates = at_once(lambda: glue.update_table(DatabaseName="taxi", TableInput=raced, VersionId=version))
    assert updates == {"": 1, "ConcurrentModificationException": 7}


def at_once(call: Callable[[], object]) -> dict[str, int]:
    """The error codes, or "" for none, of eight calls at the same time."""
    ready, codes = threading.Barrier(8), []

    def make() -> None:
        ready.wait()
        try:
            call()
            codes.append("")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANGS_AFTER)
    return {code: codes.count(code) for code in codes}


def test_iceberg_commits_on_the_glue_catalog_and_notices_another_writer(
    aws: AwsEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment(Role.DAGSTER).items():
        monkeypatch.setenv(name, value)
    properties = {"s3.endpoint": aws.url, "s3.region": "us-east-1", "s3.force-virtual-addressing": "false"}
    catalog = GlueCatalog("glue", **properties, warehouse=f"s3://{BUCKET}/iceberg")
    rows = pa.table({"n": [1, 2]})
    table = catalog.create_table("taxi.iceberg", rows.schema)
    table.append(rows)
    glue = aws.client("glue")

    def another_writer() -> None:
        now = glue.get_table(DatabaseName="taxi", Name="iceberg")["Table"]
        fields = ("Name", "TableType", "Parameters", "StorageDescriptor")
        glue.update_table(DatabaseName="taxi", TableInput={field: now[field] for field in fields})

    table = catalog.load_table("taxi.iceberg")
    aws.faults.before("glue", "UpdateTable", another_writer)
    with pytest.raises(CommitFailedException), table.transaction() as transaction:
        transaction.set_properties(owner="me")
    assert catalog.load_table("taxi.iceberg").scan().to_arrow() == rows


# --- S3


def test_s3_keeps_checksums_of_uploads_whole_and_in_parts(aws: AwsEmulator) -> None:
    s3 = aws.client("s3")
    small, large = b"small", os.urandom(11 << 20)
    parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    for key, content in (("sums/small", small), ("sums/large", large)):
        extra = {"ChecksumAlgorithm": "SHA256", "Metadata": {"sha256": "given"}}
        s3.upload_fileobj(io.BytesIO(content), BUCKET, key, ExtraArgs=extra, Config=parts)
    heads = {
        key: s3.head_object(Bucket=BUCKET, Key=f"sums/{key}", ChecksumMode="ENABLED") for key in ("small", "large")
    }
    assert heads["small"]["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(small).digest()).decode()
    digests = b"".join(hashlib.sha256(large[at : at + (5 << 20)]).digest() for at in range(0, len(large), 5 << 20))
    of_parts = base64.b64encode(hashlib.sha256(digests).digest()).decode()
    assert heads["large"]["ChecksumSHA256"] == of_parts  # AWS adds "-3", for the three parts; moto's HeadObject not
    assert heads["large"]["Metadata"] == {"sha256": "given"}
    assert s3.get_object(Bucket=BUCKET, Key="sums/large")["Body"].read() == large


def test_pyarrow_reads_and_writes_s3(aws: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environment(Role.DAGSTER).items():
        monkeypatch.setenv(name, value)
    system, path = fs.FileSystem.from_uri(f"s3://{BUCKET}/arrow/f.parquet")
    table = pa.table({"n": list(range(1000))})
    pq.write_table(table, path, filesystem=system)
    assert pq.read_table(path, filesystem=system) == table
    assert {call.role for call in aws.calls.entries} == {"dagster"}


# --- engines


def test_sail_reads_and_writes_the_emulated_s3(aws: AwsEmulator) -> None:
    assert doubled(aws, run_doubling(aws)) == [2, 4, 6]
    written = [call for call in aws.calls.entries if call.resource.startswith("s3://lake/doubled/")]
    assert ("glue_job", "s3:PutObject") in {(call.role, *call.iam_actions) for call in written}
