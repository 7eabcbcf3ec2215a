"""Objects of the lake's bucket, where PyArrow is not enough.

Belongs here: deleting many at once. Does not: reading or writing them (PyArrow and PyIceberg do).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from taxi_assets.aws.client import AwsError, client, explained

_AT_ONCE = 1000
"""The most that S3 deletes in one request."""


def delete(region: str, uris: Sequence[str]) -> None:
    """Delete the objects ``s3://bucket/key``; one that is gone already is no failure. AwsError if AWS refuses one.

    Not by PyArrow, which puts an empty object in the place of a folder when its last file goes.
    """
    s3 = client("s3", region)
    parts = sorted(uri.removeprefix("s3://").partition("/")[::2] for uri in uris)
    for bucket, of_bucket in groupby(parts, key=lambda part: part[0]):
        keys = [key for _, key in of_bucket]
        for start in range(0, len(keys), _AT_ONCE):
            batch = [{"Key": key} for key in keys[start : start + _AT_ONCE]]
            with explained(f"files of s3://{bucket} could not be deleted"):
                answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            for refused in answer.get("Errors", []):  # each for itself: the request as a whole succeeds
                raise AwsError(
                    f"s3://{bucket}/{refused['Key']} could not be deleted: {refused.get('Message', refused['Code'])}",
                    "give the role s3:DeleteObject there (infra/api-calls.json), then type it again",
                )
