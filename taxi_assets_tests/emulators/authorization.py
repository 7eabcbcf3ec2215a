"""Whether the policies of a role allow a call: the actions and the ARNs for which AWS would look into them.

Belongs here: from a request to what it needs, the refusal. Does not: reading policies (``iam_policies``), who has which
(``iam_roles``).

Of a call that is not known here nothing is allowed: the refusal says so. Resource policies, trust in people, service
control policies and keys of KMS are not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from botocore.parsers import RpcV2CBORParser
from moto.ecs.models import ecs_backends
from moto.secretsmanager.models import secretsmanager_backends

from taxi_assets_tests.emulators.environment import ACCOUNT, REGION
from taxi_assets_tests.emulators.faults import AwsError
from taxi_assets_tests.emulators.iam_policies import Decision, UnsupportedPolicy, decide
from taxi_assets_tests.emulators.iam_roles import (
    RoleSession,
    RoleUnavailable,
    boundary_of,
    policies_of,
    session_of,
    tags_of,
)
from taxi_assets_tests.emulators.recording import ApiCall, body_of, query_of, signature_of

_Asked = Mapping[str, Any]
_NEED_NOTHING = frozenset({("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")})
_ALL = "*"
_S3_LISTINGS = frozenset({"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"})
_CODES = {"s3": "AccessDenied", "sqs": "AccessDenied", "monitoring": "AccessDenied", "sns": "AuthorizationError"}
_QUERY_SERVICES = frozenset({"sts", "iam", "ec2", "elasticloadbalancing", "rds"})


@dataclass(frozen=True)
class Need:
    """An action that has to be allowed, on what, and what the request says for the policies' conditions."""

    action: str
    resource: str = _ALL
    context: Mapping[str, str] = field(default_factory=dict)


class UnknownNeeds(Exception):
    """It is not known here which ARNs a call is authorised on."""

    def __init__(self) -> None:
        super().__init__("on what it is authorised is not known here")


class Authorizer:
    """Refuses what the role of a session may not do; ``refused`` has the message of each refusal."""

    def __init__(self, workgroup_arn: Callable[[str], str]) -> None:
        self.refused: list[str] = []
        self._workgroup_arn = workgroup_arn

    def refusal(self, call: ApiCall, environ: dict[str, Any]) -> AwsError | None:
        """The error to answer with; None for calls that are allowed, and for all that are signed with other keys."""
        signed = signature_of(environ)
        session = session_of(signed.access_key_id) if signed else None
        if signed is None or session is None or (call.service, call.action) in _NEED_NOTHING:
            return None
        try:
            denied = self._denial(call, environ, signed.region, session)
        except (UnknownNeeds, UnsupportedPolicy, RoleUnavailable) as error:
            message = f"the emulator cannot tell whether {session.arn} may {call.service} {call.action}: {error}"
            denied = AwsError("AccessDeniedByEmulator", message, 400)
        if denied is not None:
            self.refused.append(denied.message)
        return denied

    def _denial(self, call: ApiCall, environ: dict[str, Any], region: str, session: RoleSession) -> AwsError | None:
        policies, boundary = policies_of(session.role), boundary_of(session.role)
        common = {
            "aws:PrincipalAccount": ACCOUNT,
            "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/{session.role}",
            "aws:RequestedRegion": region,
            "aws:SecureTransport": "true",  # as it would be; the emulator itself speaks plain HTTP
            **{f"aws:PrincipalTag/{key}": value for key, value in tags_of(session.role).items()},
        }
        for need in self._needs(call, environ, region):
            context = {**common, **need.context}
            decided, kind = decide(policies, need.action, need.resource, context), "identity-based policy"
            if decided is Decision.ALLOWED and boundary is not None:
                decided, kind = decide([boundary], need.action, need.resource, context), "permissions boundary"
            if decided is not Decision.ALLOWED:
                return _denied(call.service, session.arn, need, decided, kind)
        return None

    def _needs(self, call: ApiCall, environ: dict[str, Any], region: str) -> Iterator[Need]:
        if call.service == "s3":
            yield from _s3_needs(call, query_of(environ))
            return
        if call.service not in _NEEDS and call.service != "redshift-serverless":
            raise UnknownNeeds
        (action,), asked = call.iam_actions, _parameters(environ)
        if call.service == "redshift-serverless":
            if "workgroupName" not in asked:
                raise UnknownNeeds
            yield Need(action, self._workgroup_arn(asked["workgroupName"]))
            return
        arn = f"arn:aws:{action.partition(':')[0]}:{region}:{ACCOUNT}:"
        yield from _NEEDS[call.service](action, asked, arn)


def _denied(service: str, who: str, need: Need, decided: Decision, kind: str) -> AwsError:
    because = (
        f"with an explicit deny in an {kind}"
        if decided is Decision.DENIED
        else f"because no {kind} allows the {need.action} action"
    )
    message = f"User: {who} is not authorized to perform: {need.action} on resource: {need.resource} {because}"
    by_query = service in _QUERY_SERVICES
    code = _CODES.get(service) or ("AccessDenied" if by_query else "AccessDeniedException")
    return AwsError(code, message, 403 if by_query or service in _CODES else 400)


def _parameters(environ: dict[str, Any]) -> _Asked:
    """What the request says, in whichever of AWS's protocols; of a form, lists are left as their numbered names."""
    body = body_of(environ)
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        parser = RpcV2CBORParser()
        asked: _Asked = parser.parse_data_item(parser.get_peekable_stream_from_bytes(body)) if body else {}
        return asked
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return {name: values[0] for name, values in parse_qs(body.decode()).items()}
    if "HTTP_X_AMZ_TARGET" in environ:
        return dict(json.loads(body or b"{}"))
    raise UnknownNeeds


def _s3_needs(call: ApiCall, query: Mapping[str, str]) -> Iterator[Need]:
    """Objects by their ARN; a listing is of the bucket, its prefix a condition key."""
    for action, resource in call.permissions:
        if not resource:
            yield Need(action)
            continue
        bucket, _, key = resource.removeprefix("s3://").partition("/")
        if action in _S3_LISTINGS:
            yield Need(action, f"arn:aws:s3:::{bucket}", {"s3:prefix": query["prefix"]} if "prefix" in query else {})
            continue
        if "versionId" in query and action in ("s3:GetObject", "s3:DeleteObject"):
            action += "Version"
        yield Need(action, f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}")


def _glue_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    """A job by its ARN; a table with its database and the catalog, a database with the catalog."""
    operation = action.removeprefix("glue:")
    job = asked.get("JobName") or (asked.get("Name") if operation.endswith("Job") else None)
    if job:
        yield Need(action, f"{arn}job/{job}")
        role = (asked.get("JobUpdate") or asked).get("Role") if operation in ("CreateJob", "UpdateJob") else None
        if role:
            yield _pass(role, "glue.amazonaws.com")
        return
    if operation in ("GetJobs", "ListJobs"):
        yield Need(action)
        return
    of_database = operation.endswith(("Database", "Databases"))
    if not of_database and "DatabaseName" not in asked:
        raise UnknownNeeds
    yield Need(action, f"{arn}catalog")
    if of_database:
        name = asked.get("Name") or (asked.get("DatabaseInput") or {}).get("Name") or _ALL
        yield Need(action, f"{arn}database/{name}")
        return
    database = asked["DatabaseName"]
    yield Need(action, f"{arn}database/{database}")
    one = asked.get("TableName") or asked.get("Name") or (asked.get("TableInput") or {}).get("Name") or _ALL
    for table in asked.get("TablesToDelete") or [one]:
        yield Need(action, f"{arn}table/{database}/{table}")


def _sns_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    if "SubscriptionArn" in asked:
        yield Need(action, asked["SubscriptionArn"].rpartition(":")[0])
    elif topic := asked.get("TopicArn") or asked.get("TargetArn"):
        yield Need(action, topic)
    elif "Name" in asked:
        yield Need(action, arn + asked["Name"])
    elif action.startswith("sns:List"):
        yield Need(action)
    else:
        raise UnknownNeeds


def _sqs_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    name = asked.get("QueueName") or str(asked.get("QueueUrl", "")).rpartition("/")[2]
    yield Need(action, arn + (name or _ALL))


def _sts_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    yield Need(action, asked.get("RoleArn", _ALL))


def _iam_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    """Roles and policies are the same in all regions, and have no path here."""
    if "RoleName" in asked:
        yield Need(action, f"arn:aws:iam::{ACCOUNT}:role/{asked['RoleName']}")
    elif "PolicyArn" in asked:
        yield Need(action, asked["PolicyArn"])
    elif action.startswith("iam:List"):
        yield Need(action)
    else:
        raise UnknownNeeds


def _cloudwatch_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    """Metrics have no ARN, their namespace is a condition key; DescribeAlarms is a right to see all of them."""
    operation = action.removeprefix("cloudwatch:")
    if operation == "PutMetricData":
        yield Need(action, context={"cloudwatch:namespace": asked["Namespace"]})
    elif operation in ("GetMetricData", "GetMetricStatistics", "ListMetrics", "GetMetricWidgetImage"):
        yield Need(action)
    elif operation in ("DescribeAlarms", "DescribeAlarmHistory"):
        yield Need(action, f"{arn}alarm:*")
    elif "AlarmName" in asked:
        yield Need(action, f"{arn}alarm:{asked['AlarmName']}")
    elif "AlarmNames" in asked:
        yield from (Need(action, f"{arn}alarm:{name}") for name in asked["AlarmNames"])
    else:
        raise UnknownNeeds


def _logs_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    """Of a group too, AWS asks for a stream, which has no name then: a policy's ARN of a group has to end in ``:*``."""
    if "logGroupName" in asked:
        yield Need(action, f"{arn}log-group:{asked['logGroupName']}:log-stream:{asked.get('logStreamName', '')}")
    elif action == "logs:DescribeLogGroups":
        yield Need(action, f"{arn}log-group::log-stream:")
    else:
        raise UnknownNeeds


def _secrets_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    """By the whole ARN, of which six characters are AWS's."""
    named = asked.get("SecretId", "")
    if not named:
        yield Need(action, f"{arn}secret:{asked['Name']}" if "Name" in asked else _ALL)
        return
    secret = secretsmanager_backends[ACCOUNT][REGION].secrets.get(named)
    yield Need(action, secret.arn if secret else named if named.startswith("arn:") else f"{arn}secret:{named}")


def _ssm_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    names = asked.get("Names") or [asked.get("Name") or asked.get("Path")]
    if None in names:
        raise UnknownNeeds
    yield from (Need(action, f"{arn}parameter/{name.lstrip('/')}") for name in names)


def _ecs_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    operation, cluster = action.removeprefix("ecs:"), str(asked.get("cluster", "default")).rpartition("/")[2]
    if operation == "RunTask":
        if asked.get("tags"):  # to be put on what is not there yet
            yield Need("ecs:TagResource", f"{arn}task/{cluster}/*", {"ecs:CreateAction": operation})
        name = asked["taskDefinition"].rpartition("/")[2]
        definition = ecs_backends[ACCOUNT][REGION].describe_task_definition(name)
        yield Need(action, definition.arn)
        made = {"taskRoleArn": definition.task_role_arn, "executionRoleArn": definition.execution_role_arn}
        yield from _task_roles({**made, **(asked.get("overrides") or {})})
    elif operation == "RegisterTaskDefinition":
        yield Need(action)
        yield from _task_roles(asked)
    elif operation in ("DescribeTaskDefinition", "ListTaskDefinitions", "ListAccountSettings", "ListClusters"):
        yield Need(action)
    elif operation in ("DescribeTasks", "StopTask"):
        for task in asked.get("tasks") or [asked["task"]]:
            yield Need(action, task if task.startswith("arn:") else f"{arn}task/{cluster}/{task}")
    elif operation in ("DescribeServices", "UpdateService"):
        for service in asked.get("services") or [asked["service"]]:
            yield Need(action, service if service.startswith("arn:") else f"{arn}service/{cluster}/{service}")
    elif "resourceArn" in asked:
        yield Need(action, asked["resourceArn"])
    else:
        raise UnknownNeeds


def _task_roles(named: _Asked) -> Iterator[Need]:
    for kind in ("taskRoleArn", "executionRoleArn"):
        if role := named.get(kind):
            yield _pass(role, "ecs-tasks.amazonaws.com")


def _ec2_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    """What only looks has no resource."""
    if not action.startswith("ec2:Describe"):
        raise UnknownNeeds
    yield Need(action)


def _ecr_needs(action: str, asked: _Asked, arn: str) -> Iterator[Need]:
    if action == "ecr:GetAuthorizationToken":
        yield Need(action)
    else:
        names = asked.get("repositoryNames") or [asked.get("repositoryName", _ALL)]
        yield from (Need(action, f"{arn}repository/{name}") for name in names)


def _pass(role: str, service: str) -> Need:
    """The right to have a service of AWS act as a role."""
    arn = role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{role}"
    return Need("iam:PassRole", arn, {"iam:PassedToService": service})


_NEEDS: Mapping[str, Callable[[str, _Asked, str], Iterator[Need]]] = {
    "glue": _glue_needs,
    "sns": _sns_needs,
    "sqs": _sqs_needs,
    "sts": _sts_needs,
    "iam": _iam_needs,
    "monitoring": _cloudwatch_needs,
    "logs": _logs_needs,
    "secretsmanager": _secrets_needs,
    "ssm": _ssm_needs,
    "ec2": _ec2_needs,
    "ecs": _ecs_needs,
    "ecr": _ecr_needs,
}
"""By the name that a service signs with: what an action with these parameters needs, given the ARNs' beginning."""
