"""Who calls the emulated AWS, and how a process is pointed at it.

Belongs here: region, account, roles, environments and boto3 clients. Does not: anything that runs, roles of IAM
(``iam_roles``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Credentials:
    """Those of somebody; the ``token`` is that of a session of an IAM role."""

    access_key_id: str
    secret_access_key: str = "emulated"
    token: str = ""


Caller = Role | Credentials


def credentials_of(caller: Caller) -> Credentials:
    """The credentials with which ``caller`` signs."""
    return caller if isinstance(caller, Credentials) else Credentials(caller.value)


def environment_of(url: str, caller: Caller) -> dict[str, str]:
    """The variables that make a process, whatever its AWS library, call the emulator at ``url`` as ``caller``."""
    signs = credentials_of(caller)
    return {
        "AWS_ACCESS_KEY_ID": signs.access_key_id,
        "AWS_SECRET_ACCESS_KEY": signs.secret_access_key,
        **({"AWS_SESSION_TOKEN": signs.token} if signs.token else {}),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Sail's object store: it refuses an address without TLS otherwise, and sends a call again after 30 seconds.
        "AWS_ALLOW_HTTP": "true",
        "AWS_TIMEOUT": f"{HANGS_AFTER:.0f}s",
    }


def client_of(url: str, service: str, caller: Caller) -> Any:
    """A boto3 client of the emulator at ``url``, independent of this process's environment."""
    signs = credentials_of(caller)
    signed_in = boto3.Session(signs.access_key_id, signs.secret_access_key, signs.token or None, region_name=REGION)
    return signed_in.client(service, endpoint_url=url, config=Config(read_timeout=HANGS_AFTER))


@contextmanager
def acting_as(url: str, caller: Caller) -> Iterator[None]:
    """Have this process call the emulator at ``url`` as ``caller``, by the environment as on AWS.

    What it remembers of AWS is forgotten: boto3's credentials, clients of buckets, copies of files. A call is not given
    up, and sent again, because this machine is slow. The descriptions of AWS's services, megabytes of JSON, are read
    once for all boto3 sessions: to read them for each took a quarter of a run's time.
    """
    outside = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (
        patch.dict(os.environ, {**outside, **environment_of(url, caller)}, clear=True),
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
