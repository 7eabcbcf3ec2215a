"""Many objects are deleted in few requests; a busy S3 is asked again; what S3 refuses is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.stub import Stubber
from pyarrow import fs
from pyiceberg.io import load_file_io

from glue_jobs import files
from glue_jobs.files import forget_s3, s3_of
from taxi_assets.aws import s3
from taxi_assets.aws.client import AwsError, aws_error_in, pyiceberg_s3_properties
from taxi_assets.lake.duck import connect
from taxi_assets_tests.emulators.aws import AwsEmulator
from taxi_assets_tests.emulators.environment import REGION


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """S3 as the answers that a test gives it: an emulator refuses a request as a whole, AWS each key for itself."""
    client = boto3.client("s3", region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b")
    monkeypatch.setattr(s3, "client", lambda *_: client)
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def asked(bucket: str, *keys: str) -> dict[str, object]:
    return {"Bucket": bucket, "Delete": {"Objects": [{"Key": key} for key in keys], "Quiet": True}}


def test_objects_are_deleted_a_thousand_at_once_in_each_bucket(stub: Stubber) -> None:
    keys = [f"lake/{number:04d}" for number in range(1001)]
    stub.add_response("delete_objects", {}, asked("a", *keys[:1000]))
    stub.add_response("delete_objects", {}, asked("a", keys[1000]))
    stub.add_response("delete_objects", {}, asked("b", "lake/x"))
    s3.delete(REGION, ["s3://b/lake/x", *(f"s3://a/{key}" for key in keys)])


def test_an_object_that_aws_refuses_to_delete_is_named(stub: Stubber) -> None:
    refused = {"Errors": [{"Key": "lake/x", "Code": "AccessDenied", "Message": "Access Denied"}]}
    stub.add_response("delete_objects", refused, asked("a", "lake/w", "lake/x"))
    with pytest.raises(AwsError, match=r"^s3://a/lake/x could not be deleted: Access Denied.*s3:DeleteObject"):
        s3.delete(REGION, ["s3://a/lake/w", "s3://a/lake/x"])


def by_us(uri: str) -> Callable[[], object]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    system = s3_of(bucket)
    return lambda: system.open_input_file(f"{bucket}/{key}").read()


def by_pyiceberg(uri: str) -> Callable[[], object]:
    file = load_file_io(pyiceberg_s3_properties(REGION), uri).new_input(uri)
    return lambda: file.open().read()


def by_duckdb(uri: str) -> Callable[[], object]:
    def ask() -> object:
        with connect() as connection:
            return connection.execute(f"FROM read_parquet('{uri}')").fetchall()

    return ask


@pytest.mark.emulator
@pytest.mark.parametrize("reader", [by_us, by_pyiceberg, by_duckdb])
def test_a_client_is_as_patient_after_a_hundred_refusals_as_after_one(
    aws: AwsEmulator, reader: Callable[[str], Callable[[], object]], tmp_path: Path
) -> None:
    """PyArrow's own strategy gives a client a hundred repetitions for its whole life."""
    pq.write_table(pa.table({"number": [1, 2, 3]}), tmp_path / "file.parquet")
    bucket = f"busy-{reader.__name__.replace('_', '-')}"
    aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").upload_file(str(tmp_path / "file.parquet"), bucket, "file.parquet")
    forget_s3()
    read = reader(f"s3://{bucket}/file.parquet")
    before = read()
    share = aws.faults.fail_each(2, "s3", "InternalError", "We encountered an internal error. Please try again.", 500)
    try:
        while share.calls < 2 * 110:
            assert read() == before
    finally:
        aws.faults.clear()


@pytest.mark.emulator
def test_what_s3_says_is_understood_through_duckdb_too(aws: AwsEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "S3Retries", lambda: fs.AwsDefaultS3RetryStrategy(max_attempts=1))
    aws.client("s3").create_bucket(Bucket="unwell")
    forget_s3()
    for status, code, remedy in ((403, "AccessDenied", "what their role may do"), (503, "SlowDown", "try again later")):
        aws.faults.fail_each(1, "s3", code, "no", status)
        try:
            with connect() as connection, pytest.raises(duckdb.Error) as raised:
                connection.execute("FROM read_parquet('s3://unwell/file.parquet')")
        finally:
            aws.faults.clear()
        found = aws_error_in(raised.value)
        assert found is not None
        assert found.problem.startswith("When getting information for key 'file.parquet' in bucket 'unwell': AWS Error")
        assert remedy in found.remedy
