"""Steps that tests of the emulator share: deploy a script, run it, read its output.

Belongs here: what several test modules of the emulator do. Does not: tests.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxi_assets_tests.emulators.aws import AwsEmulator
from taxi_assets_tests.emulators.glue_runs import ENDED, JobRun
from taxi_assets_tests.support.waiting import wait_until

BUCKET = "lake"
JOB = "taxi-job"
_SCRIPT = "scripts/not-deployed.py"

_DOUBLING = """
from pyspark.sql import SparkSession
from pyarrow import fs

spark = SparkSession.builder.getOrCreate()
spark.read.parquet("s3://lake/numbers/").selectExpr("n * 2 AS n").write.parquet("s3://lake/doubled/month=2024-02/")
system, path = fs.FileSystem.from_uri("s3://lake/doubled")
files = system.get_file_info(fs.FileSelector(path, recursive=True))
print(any(file.base_name.endswith(".parquet") for file in files))
"""


def start(aws: AwsEmulator, script: str, job: str = JOB, **settings: Any) -> JobRun:
    """Deploy ``script`` where provisioned jobs look for it, and start ``job``."""
    aws.client("s3").put_object(Bucket=BUCKET, Key=_SCRIPT, Body=script.encode())
    run_id = aws.client("glue").start_job_run(JobName=job, **settings)["JobRunId"]
    return next(run for run in aws.runs(job) if run.id == run_id)


def run(aws: AwsEmulator, script: str, job: str = JOB, **settings: Any) -> JobRun:
    """Deploy ``script`` and run it to its end."""
    begun = start(aws, script, job, **settings)
    wait_until(lambda: begun.state in ENDED)
    return begun


def output(aws: AwsEmulator, run: JobRun, group: str = "output") -> list[str]:
    """What a run has logged."""
    events = aws.client("logs").get_log_events(logGroupName=f"/aws-glue/jobs/{group}", logStreamName=run.id)["events"]
    return [event["message"] for event in events]


def put_zip(aws: AwsEmulator, key: str, modules: Mapping[str, str]) -> str:
    """A zip of ``modules``, path to text, in S3; its URI."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in modules.items():
            archive.writestr(path, text)
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=buffer.getvalue())
    return f"s3://{BUCKET}/{key}"


def run_doubling(aws: AwsEmulator, **arguments: str) -> JobRun:
    """A job that doubles 1, 2 and 3 with Spark, from Parquet to Parquet, and then lists in S3 what it wrote."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"n": [1, 2, 3]}), buffer)
    aws.client("s3").put_object(Bucket=BUCKET, Key="numbers/f.parquet", Body=buffer.getvalue())
    given = {f"--{name.replace('_', '-')}": value for name, value in arguments.items()}
    return run(aws, _DOUBLING, Arguments=given)


def doubled(aws: AwsEmulator, done: JobRun) -> list[int]:
    """The numbers that ``run_doubling`` wrote, having succeeded."""
    assert (done.state, done.error) == ("SUCCEEDED", "")
    assert output(aws, done) == ["True"], "the job does not see its own files in S3"
    s3 = aws.client("s3")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="doubled/month=2024-02/")["Contents"]
    parts = [item["Key"] for item in listed if item["Key"].endswith(".parquet")]
    tables = [pq.read_table(io.BytesIO(s3.get_object(Bucket=BUCKET, Key=part)["Body"].read())) for part in parts]
    return sorted(pa.concat_tables(tables)["n"].to_pylist())
