"""Where a Redshift Serverless workgroup is, and who to be there.

Belongs here: what AWS says of it. Does not: talking to the workgroup itself (``warehouse.redshift``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import Cause, PipelineError
from taxi_assets.aws.client import client, remedy_of

_CREDENTIALS_SECONDS = 3600
"""The longest that GetCredentials gives; who is logged in stays so."""


class WarehouseUnavailable(PipelineError):
    """Nobody can log in to the workgroup, or it cannot be reached."""

    cause = Cause.AWS


def endpoint(workgroup: str, region: str) -> tuple[str, int]:
    """Host and port. WarehouseUnavailable if there is no such workgroup."""
    with _explained(workgroup, "found"):
        found = client("redshift-serverless", region).get_workgroup(workgroupName=workgroup)["workgroup"]
    return found["endpoint"]["address"], found["endpoint"]["port"]


def iam_login(workgroup: str, database: str, region: str) -> tuple[str, str]:
    """User and password for the caller's IAM role, for an hour. WarehouseUnavailable if AWS gives none."""
    with _explained(workgroup, "logged in to"):
        found = client("redshift-serverless", region).get_credentials(
            workgroupName=workgroup, dbName=database, durationSeconds=_CREDENTIALS_SECONDS
        )
    return found["dbUser"], found["dbPassword"]


def secret_login(workgroup: str, secret_arn: str, region: str) -> tuple[str, str]:
    """``username`` and ``password`` of a secret. WarehouseUnavailable if it cannot be read or has none."""
    with _explained(workgroup, "logged in to"):
        found = client("secretsmanager", region).get_secret_value(SecretId=secret_arn)
    try:
        secret = json.loads(found["SecretString"])
        return secret["username"], secret["password"]
    except (ValueError, KeyError, TypeError):  # whose text, and document, may have the secret in it
        raise WarehouseUnavailable(
            f"the secret of the workgroup {workgroup} has no username and password",
            "name another by TAXI_REDSHIFT_SECRET_ARN, or leave it out to log in by the IAM role",
        ) from None


@contextmanager
def _explained(workgroup: str, done: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        remedy = f"check TAXI_REDSHIFT_WORKGROUP; {remedy_of(error)}"
        raise WarehouseUnavailable(f"the workgroup {workgroup} cannot be {done}: {error}", remedy) from error
