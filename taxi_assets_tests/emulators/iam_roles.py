"""Sessions of IAM roles in the emulated AWS: beginning one, whose a call is, what a role's policies are.

Belongs here: reading moto's IAM and STS, without a call of anybody's. Does not: deciding (``iam_policies``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import ManagedPolicy, Role, iam_backends
from moto.sts.models import sts_backends

from taxi_assets_tests.emulators.environment import ACCOUNT, REGION, Credentials

_PARTITION = "aws"
_SECONDS = 3600


class RoleUnavailable(Exception):
    """A role that is not there, or not for who wants it."""


@dataclass(frozen=True)
class RoleSession:
    """Somebody who acts as a role."""

    role: str
    arn: str


def begin_session(role_arn: str, session: str, service: str = "") -> Credentials:
    """Act as a role; a ``service`` of AWS only if the role trusts it. Whether a person may is not asked."""
    role = _role(role_arn.rpartition("/")[2])
    if service and not _trusts(role, service):
        raise RoleUnavailable(f"the role {role.name} does not let {service} assume it")
    begun = sts_backends[ACCOUNT][_PARTITION].assume_role(
        region_name=REGION,
        role_session_name=session,
        role_arn=role.arn,
        policy="",
        duration=_SECONDS,
        external_id="",
    )
    return Credentials(begun.access_key_id, begun.secret_access_key, begun.session_token)


def session_of(access_key_id: str) -> RoleSession | None:
    """Whose session an access key is of; None if it is a key of another kind."""
    session = sts_backends[ACCOUNT][_PARTITION].get_assumed_role_from_access_key(access_key_id)
    return None if session is None else RoleSession(session.role_arn.rpartition("/")[2], session.arn)


def policies_of(role_name: str) -> list[str]:
    """The documents of a role's policies: its own, and those that are attached."""
    role = _role(role_name)
    return [*role.policies.values(), *(_document(policy) for policy in role.managed_policies.values())]


def boundary_of(role_name: str) -> str | None:
    """The document of the role's permissions boundary, if it has one."""
    arn = _role(role_name).permissions_boundary_arn
    return _document(iam_backends[ACCOUNT][_PARTITION].get_policy(arn)) if arn else None


def tags_of(role_name: str) -> dict[str, str]:
    """A role's tags."""
    return {tag["Key"]: tag["Value"] for tag in _role(role_name).tags}


def _role(name: str) -> Role:
    try:
        return iam_backends[ACCOUNT][_PARTITION].get_role(name)
    except NotFoundException as error:
        raise RoleUnavailable(f"the role {name} does not exist") from error


def _document(policy: ManagedPolicy) -> str:
    return next(str(one.document) for one in policy.versions if one.version_id == policy.default_version_id)


def _trusts(role: Role, service: str) -> bool:
    trust: dict[str, Any] = json.loads(role.assume_role_policy_document)
    for statement in trust["Statement"]:
        named = statement["Principal"].get("Service", [])
        if statement["Effect"] == "Allow" and service in ([named] if isinstance(named, str) else named):
            return True
    return False
