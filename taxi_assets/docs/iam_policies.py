"""The roles' policies, for Terraform: ``python -m taxi_assets.docs.iam_policies infra``.

Belongs here: what recorded API calls, and permissions that have a reason instead, are as IAM policies. Does not: who
may assume the roles (``infra/modules/identity``), or recording (the tests).

What a role may do with the warehouse is a policy apart, ``ROLE-warehouse``: not every lakehouse has one.

A policy is JSON with ``${…}`` for what only Terraform knows. AWS authorises a call on a Glue table on its catalog and
database as well (AWS Glue developer guide, resource ARNs), which a recording of calls does not show.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from taxi_assets.metrics.names import NAMESPACE

_RECORDED, _UNRECORDED = "api-calls.json", "unrecorded-permissions.yaml"
_HERE = "${region}:${account_id}"
_GLUE = "arn:${partition}:glue:" + _HERE
_ANY = "*"
_NAME, _DATABASES = "taxi-", "taxi_"
"""What names begin with where the calls were recorded."""
_OF_THE_WAREHOUSE = {"redshift-serverless": "${workgroup_arn}", "secretsmanager": "${warehouse_secret_arn}"}
"""Services that only who asks the warehouse calls, and the one resource of each: AWS makes up their names."""


@dataclass(frozen=True)
class Permission:
    """One IAM action on resources; ``conditions`` is the JSON of what it is allowed under."""

    action: str
    resources: tuple[str, ...]
    conditions: str


def permissions(infra: Path) -> dict[str, list[Permission]]:
    """Policy to what it allows, from the two files of ``infra``."""
    found: dict[str, list[Permission]] = {}
    for role, actions in json.loads((infra / _RECORDED).read_text()).items():
        for action, kinds in actions.items():
            policy = f"{role}-warehouse" if action.partition(":")[0] in _OF_THE_WAREHOUSE else role
            found.setdefault(policy, []).extend(_of(action, kinds, {}))
    for entry in yaml.safe_load((infra / _UNRECORDED).read_text()):
        for action in entry["actions"]:
            for policy in entry["policies"]:
                given = _of(action, entry["resources"], entry.get("conditions", {}))
                found.setdefault(policy, []).extend(given)
    return found


def render(allowed: list[Permission]) -> str:
    """One policy: actions with the same resources and conditions in one statement."""
    by_action: dict[tuple[str, str], set[str]] = {}
    for permission in allowed:
        by_action.setdefault((permission.action, permission.conditions), set()).update(permission.resources)
    statements: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (action, conditions), resources in sorted(by_action.items()):
        statements.setdefault((tuple(sorted(resources)), conditions), []).append(action)
    return (
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": actions,
                        "Resource": list(resources),
                        **({"Condition": json.loads(conditions)} if conditions != "{}" else {}),
                    }
                    for (resources, conditions), actions in statements.items()
                ],
            },
            indent=2,
        )
        + "\n"
    )


def _of(action: str, kinds: list[str], conditions: dict[str, Any]) -> Iterator[Permission]:
    """What ``action`` on these kinds of resources is in IAM's words."""
    folders = [kind.removeprefix("s3://LAKE/") for kind in kinds if kind.startswith("s3://LAKE/")]
    if action == "s3:ListBucket" and folders:
        # The bucket is the resource; which folder is a condition.
        under = {"StringLike": {"s3:prefix": sorted(pattern for name in folders for pattern in (name, f"{name}/*"))}}
        yield Permission(action, ("arn:${partition}:s3:::${bucket}",), json.dumps({**conditions, **under}))
        return
    if action == "cloudwatch:PutMetricData" and not conditions:  # has no resource, but a namespace
        conditions = {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
    resources = tuple(arn for kind in kinds for arn in _arns(action, kind))
    yield Permission(action, resources, json.dumps(conditions))


def _arns(action: str, kind: str) -> list[str]:
    service, _, operation = action.partition(":")
    if kind.startswith(("arn:${", "${")):
        return [kind]
    if service in _OF_THE_WAREHOUSE:
        return [_OF_THE_WAREHOUSE[service]]
    if service == "s3":
        return ["arn:${partition}:s3:::${bucket}/" + kind.removeprefix("s3://LAKE/") + "/*"]
    if service == "glue" and "Job" in operation:
        return [f"{_GLUE}:job/" + _named(kind)]
    if service == "glue":
        database, _, table = kind.removeprefix(_DATABASES).partition(".")
        parent = [f"{_GLUE}:catalog", f"{_GLUE}:database/${{databases}}{database}"]
        return [*parent, f"{_GLUE}:table/${{databases}}{database}/{table}"] if table else parent
    if service == "logs":
        group, _, stream = kind.partition(":")
        arn = f"arn:${{partition}}:logs:{_HERE}:log-group:" + group.replace("/aws-glue/jobs", "${log_group}")
        return [f"{arn}:log-stream:*"] if stream else [arn, f"{arn}:*"]
    if service == "sns":
        return ["arn:${partition}:sns:" + f"{_HERE}:" + _named(kind.rpartition(":")[2])]
    if service == "sqs":
        return ["arn:${partition}:sqs:" + f"{_HERE}:" + _named(kind)]
    if action == "cloudwatch:DescribeAlarms":
        return ["arn:${partition}:cloudwatch:" + f"{_HERE}:alarm:*"]  # a listing is authorised on all
    if kind == _ANY:
        return [_ANY]
    raise ValueError(f"{action} on {kind}: how AWS names this resource is not known here; add it to {__name__}")


def _named(kind: str) -> str:
    """The name, whatever the lakehouse is called."""
    return "${name}-" + kind.removeprefix(_NAME)


def write(infra: Path) -> None:
    """Write every policy below ``infra``, and remove what is none any more."""
    folder = infra / "modules" / "identity" / "policies"
    folder.mkdir(parents=True, exist_ok=True)
    written = {folder / f"{name}.json": render(allowed) for name, allowed in permissions(infra).items()}
    for stale in set(folder.iterdir()) - written.keys():
        stale.unlink()
    for path, text in written.items():
        path.write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
