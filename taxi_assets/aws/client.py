"""Talking to AWS: clients, what its errors mean to the reader, links into its console.

Belongs here: what every AWS resource needs. Does not: any one service's work (``glue``, ``lake``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.errors import Cause, PipelineError

_ATTEMPTS = 8
"""Of each call, with exponential backoff and jitter, where AWS throttles or is unwell: about a minute in all."""

_SECONDS = 60.0
"""boto3's own timeout."""

_RETRIES = "glue_jobs.files.S3Retries"
"""By name: PyArrow is a tenth of a second that a lake in a folder does without."""

_LONGEST_LINK = 7 * 24 * 3600
"""Seconds that S3 lets a signed address be valid."""

_DOMAINS = {"cn-": "amazonaws.cn", "us-gov-": "amazonaws-us-gov.com"}
"""Of the consoles of partitions other than ``aws``."""
_REMEDIES = {
    "AccessDenied": "give the role the action that the message names (infra/api-calls.json lists what each role calls)",
    "AccessDeniedException": "give the role the action that the message names (infra/api-calls.json lists them)",
    "AuthorizationError": "give the role the action that the message names (infra/api-calls.json lists them)",
    "EntityNotFoundException": "make it with Terraform, or check TAXI_GLUE_JOB_PREFIX, TAXI_REGION and the account",
    "ExpiredToken": "log in to AWS again",
    "ExpiredTokenException": "log in to AWS again",
    "NotFound": "make the topic with Terraform, or check TAXI_ALERT_TOPIC_ARN",
    "NoSuchBucket": "check TAXI_LAKE, or make the bucket with Terraform",
    "UnrecognizedClientException": "check the AWS credentials",
}

_LATER = "try again later; if it stays, look at the AWS Health Dashboard"
_UNWELL = re.compile(r"AWS Error (INTERNAL_FAILURE|SERVICE_UNAVAILABLE|SLOW_DOWN|THROTTLING)|HTTP status 5\d\d")
"""PyArrow's words for an S3 that is throttling, or unwell."""


def client(service: str, region: str, attempts: int = _ATTEMPTS, timeout: float = _SECONDS) -> Any:
    """A boto3 client that retries what is worth it. Credentials and endpoint are boto3's to find.

    ``timeout``: seconds that an attempt may take to connect, and that it may wait for an answer.
    """
    import boto3  # 0.15 s, which no lake in a folder needs
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": attempts}
    # Signed links of S3 are of version 2 otherwise, which only the oldest regions take.
    signature = {"signature_version": "s3v4"} if service == "s3" else {}
    config = Config(retries=retries, connect_timeout=timeout, read_timeout=timeout, **signature)
    return boto3.client(service, region_name=region, config=config)


def pyiceberg_s3_properties(region: str) -> dict[str, str]:
    """How PyIceberg reaches S3: unlike boto3 it looks neither for an endpoint in the environment, nor for a profile
    that assumes a role."""
    import boto3  # as in ``client``

    properties = {"s3.region": region, "s3.retry-strategy-impl": _RETRIES}
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        properties |= {"s3.endpoint": endpoint, "s3.force-virtual-addressing": "false"}
    if found := boto3.Session().get_credentials():
        now = found.get_frozen_credentials()
        properties |= {"s3.access-key-id": now.access_key, "s3.secret-access-key": now.secret_key}
        properties |= {"s3.session-token": now.token} if now.token else {}
    return properties


def presigned_url(region: str, path: str, content_type: str) -> str:
    """An address by which anybody may get the object ``s3://bucket/key`` for a week, or for as long as the credentials
    are valid by which it was signed, if that is shorter: those of a role are, for some hours."""
    bucket, _, key = path.removeprefix("s3://").partition("/")
    asked = {"Bucket": bucket, "Key": key, "ResponseContentType": content_type}
    with explained(f"no link to {path} could be signed"):
        link: str = client("s3", region).generate_presigned_url("get_object", asked, ExpiresIn=_LONGEST_LINK)
    return link


def error_code(error: ClientError) -> str:
    """AWS's name of an error, such as ``ThrottlingException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


AWS_ERRORS = (ClientError, BotoCoreError, OSError)
"""What AWS raises by boto3, and by PyArrow's S3 client; an OSError may come from a disk as well (``aws_error_in``)."""


class AwsError(PipelineError):
    """AWS did not do what it was told to. What may pass was tried several times by then (``client``)."""

    cause = Cause.AWS


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Make an AwsError of what AWS has against the block: what was being done, and what to do."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise AwsError(f"{doing}: {error}", remedy_of(error)) from error


def aws_error_in(error: Exception) -> AwsError | None:
    """What an error means that came from AWS; None for any other.

    It came by boto3, or by PyArrow's S3 client: as an OSError, or as DuckDB's error that ends with the text of one.
    """
    if isinstance(error, ClientError | BotoCoreError) or "AWS Error" in str(error):
        return AwsError(str(error).rpartition("\nOSError: ")[2].strip(), remedy_of(error))
    return None


def remedy_of(error: Exception) -> str:
    """What to do about an error of AWS (``aws_error_in``)."""
    if isinstance(error, ClientError):
        return _REMEDIES.get(error_code(error), _LATER)
    if _UNWELL.search(str(error)):
        return _LATER
    return "check the network, TAXI_REGION, the AWS credentials and what their role may do (infra/api-calls.json)"


def glue_job_name(prefix: str, job: str) -> str:
    """The name in Glue of a job of ``glue_jobs``."""
    return f"{prefix}{job.replace('_', '-')}"


def glue_run_url(region: str, job: str, run: str) -> str:
    """The page of a Glue job run."""
    return f"{_console(region, 'gluestudio')}#/job/{quote(job)}/run/{run}"


def glue_table_url(region: str, database: str, table: str) -> str:
    """The page of a table of the Glue Data Catalog."""
    return f"{_console(region, 'glue')}#/v2/data-catalog/tables/view/{table}?database={database}"


def log_url(region: str, group: str, stream: str) -> str:
    """The page of a CloudWatch log stream; its console wants slashes quoted twice, with $ for %."""
    return (
        f"{_console(region, 'cloudwatch')}#logsV2:log-groups/log-group/{_twice_quoted(group)}"
        f"/log-events/{_twice_quoted(stream)}"
    )


def alarm_url(region: str, name: str) -> str:
    """The page of a CloudWatch alarm."""
    return f"{_console(region, 'cloudwatch')}#alarmsV2:alarm/{quote(name)}"


def _console(region: str, service: str) -> str:
    domain = next((domain for part, domain in _DOMAINS.items() if region.startswith(part)), "aws.amazon.com")
    return f"https://{region}.console.{domain}/{service}/home?region={region}"


def _twice_quoted(text: str) -> str:
    return quote(quote(text, safe=""), safe="").replace("%", "$")
