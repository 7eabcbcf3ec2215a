"""Calls that moto answers otherwise than AWS, so that Terraform fails or sees a change where there is none.

Belongs here: patches that give back what was set, and errors of moto that hit whole configurations. Does not: calls
that moto lacks (``missing_calls``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from botocore import xform_name
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.responses import ActionResult
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.models import EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.iam import models as iam_models
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket, FakeDeleteMarker
from moto.s3.responses import S3Response
from moto.sqs.models import Queue

_ECHOED_OF_SERVICES = (
    "availabilityZoneRebalancing",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
)


@contextmanager
def true_answers() -> Iterator[None]:
    """Let moto answer as AWS does, until the end of the block."""
    patched: dict[type, dict[str, Any]] = {
        FakeBucket: {"get_permission": _bucket_permission},
        FakeDeleteMarker: {"dispose": _nothing_to_dispose_of},
        S3Response: {"serialized": _with_what_was_set(S3Response.serialized)},
        Queue: {"attributes": property(_with_plain_redrive_policy(vars(Queue)["attributes"].fget))},
        SecurityGroupRule: {"description": property(_rule_description)},
        CloudTrailResponse: {"describe_trails": _describe_trails},
        EC2ContainerServiceBackend: {"_calculate_task_resource_requirements": staticmethod(_fargate_s_own)},
        EC2ContainerServiceResponse: {
            "create_service": _echoing(EC2ContainerServiceResponse.create_service),
            "update_service": _echoing(EC2ContainerServiceResponse.update_service),
        },
    }
    with ExitStack() as stack:
        # AWS's own policies are there before any role is made, which may have them attached: 0.08 s.
        stack.enter_context(patch.object(iam_models, "load_iam_aws_managed_policies", lambda: True))
        for model, answers in patched.items():
            stack.enter_context(patch.multiple(model, create=True, **answers))
        yield


def _fargate_s_own(_definition: Any) -> dict[str, Any]:
    """A Fargate task needs nothing of a machine of ours; moto fails at a container without a share of memory."""
    return {"CPU": 0, "MEMORY": 0, "PORTS": [], "PORTS_UDP": []}


def _bucket_permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    """What a bucket's policy says: moto ignores conditions, so that a Deny for calls without TLS locks the bucket."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy)
    given = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    statements = [one for one in given if one["Effect"] == "Allow" or not one.get("Condition")]
    if not statements:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps({**policy, "Statement": statements})).is_action_permitted(action, resource)


def _nothing_to_dispose_of(marker: FakeDeleteMarker, garbage: bool = False) -> None:
    """Without this, moto answers 500 when a bucket with a delete marker is emptied."""


def _with_what_was_set(serialize: Any) -> Any:
    """GetBucketNotificationConfiguration with EventBridge, GetBucketReplication with each rule's own filter."""

    def serialized(response: S3Response, result: ActionResult) -> Any:
        action, shown = response.data.get("Action"), result.result  # which may be an error
        if action == "GetBucketNotificationConfiguration" and isinstance(shown, dict):
            told = response.backend.get_bucket_notification_configuration(response.bucket_name)
            if told is not None and told.event_bridge is not None:
                shown["EventBridgeConfiguration"] = {}
        if action == "GetBucketReplication" and isinstance(shown, dict):
            kept = response.backend.get_bucket_replication(response.bucket_name) or {"Rule": []}
            for answer, rule in zip(shown["ReplicationConfiguration"]["Rules"], kept["Rule"], strict=True):
                answer.update({name: rule[name] for name in ("Filter", "DeleteMarkerReplication") if name in rule})
        return serialize(response, result)

    return serialized


def _with_plain_redrive_policy(read: Any) -> Any:
    """SQS gives a policy back as it was set, without blanks."""

    def attributes(queue: Queue) -> dict[str, Any]:
        shown: dict[str, Any] = read(queue)
        if "RedrivePolicy" in shown:
            shown["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=(",", ":"))
        return shown

    return attributes


def _rule_description(rule: SecurityGroupRule) -> str | None:
    said: Mapping[str, str] = {**rule.source_group, **rule.ip_range}
    return said.get("Description")


def _describe_trails(response: CloudTrailResponse) -> str:
    """The trails that were asked for; moto shows all."""
    asked = json.loads(response.body or b"{}")
    wanted = asked.get("trailNameList") or []
    trails = response.cloudtrail_backend.describe_trails(asked.get("includeShadowTrails", True))
    found = [trail for trail in trails if not wanted or trail.trail_name in wanted or trail.arn in wanted]
    return json.dumps({"trailList": [trail.description(include_region=True) for trail in found]})


def _echoing(answer: Any) -> Any:
    """CreateService and UpdateService that remember what DescribeServices has to show."""

    def answered(response: EC2ContainerServiceResponse) -> Any:
        asked, result = json.loads(response.body), answer(response)
        for name in _ECHOED_OF_SERVICES:
            if asked.get(name) is not None:
                setattr(result.result["service"], xform_name(name), asked[name])
        return result

    return answered
