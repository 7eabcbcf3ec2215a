"""Many objects are deleted in few requests, and one that AWS refuses to delete is named."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber

from taxi_assets.aws import s3
from taxi_assets.aws.client import AwsError
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
