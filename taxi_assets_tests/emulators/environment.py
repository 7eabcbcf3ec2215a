"""Who calls the emulated AWS, and how a process is pointed at it.

Belongs here: region, account, roles, environments and boto3 clients. Does not: anything that runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
from botocore import session
from botocore.config import Config

from glue_jobs import files
from taxi_assets.lake import duck
from taxi_assets_tests.support.waiting import HANGS_AFTER

REGION = "us-east-1"
ACCOUNT = "123456789012"
_shared_loader = cache(session.create_loader)


class Role(str, Enum):
    """Who calls: the value is the access key id, so that each API call tells its caller."""

    DAGSTER = "dagster"
    GLUE_JOB = "glue_job"
    DEPLOY = "deploy"
    DASHBOARD = "dashboard"
    TEST = "test"


def environment_of(url: str, role: Role) -> dict[str, str]:
    """The variables that make a process, whatever its AWS library, call the emulator at ``url`` as ``role``."""
    return {
        "AWS_ACCESS_KEY_ID": role.value,
        "AWS_SECRET_ACCESS_KEY": "emulated",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Sail's object store: it refuses an address without TLS otherwise, and sends a call again after 30 seconds.
        "AWS_ALLOW_HTTP": "true",
        "AWS_TIMEOUT": f"{HANGS_AFTER:.0f}s",
    }


def client_of(url: str, service: str, role: Role) -> Any:
    """A boto3 client of the emulator at ``url``, independent of this process's environment."""
    variables = environment_of(url, role)
    signed_in = boto3.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )
    return signed_in.client(service, endpoint_url=url, config=Config(read_timeout=HANGS_AFTER))


@contextmanager
def acting_as(url: str, role: Role) -> Iterator[None]:
    """Have this process call the emulator at ``url`` as ``role``, by the environment as on AWS.

    What it remembers of AWS is forgotten: boto3's credentials, clients of buckets, copies of files. A call is not given
    up, and sent again, because this machine is slow. The descriptions of AWS's services, megabytes of JSON, are read
    once for all boto3 sessions: to read them for each took a quarter of a run's time.
    """
    outside = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (
        patch.dict(os.environ, {**outside, **environment_of(url, role)}, clear=True),
        patch.dict(Config.OPTION_DEFAULTS, read_timeout=HANGS_AFTER),
        patch.object(session, "create_loader", _shared_loader),
    ):
        _forget()
        try:
            yield
        finally:
            _forget()


def _forget() -> None:
    boto3.DEFAULT_SESSION = None
    files.forget_s3()
    duck.forget_copies()
