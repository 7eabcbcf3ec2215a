"""IAM in the emulated AWS: what policies allow, and that roles may do that and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from taxi_assets_tests.emulators.aws import ACCOUNT, REGION, ApiCall, AwsEmulator, Role, emulated_aws
from taxi_assets_tests.emulators.environment import Credentials
from taxi_assets_tests.emulators.iam_policies import Decision, UnsupportedPolicy, allowed, decide
from taxi_assets_tests.emulators.steps import BUCKET, JOB, output, run, run_doubling

Document = dict[str, Any]
TAXI_A = f"arn:aws:iam::{ACCOUNT}:role/taxi-a"


def policy(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: str | list[str], resource: str | list[str] = "*", **condition: Any) -> Document:
    given = {"Condition": condition} if condition else {}
    return {"Effect": "Allow", "Action": action, "Resource": resource, **given}


def deny(action: str | list[str], resource: str | list[str] = "*", **condition: Any) -> Document:
    return {**allow(action, resource, **condition), "Effect": "Deny"}


# --- policies by themselves


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert not allowed([], "s3:GetObject", "arn:aws:s3:::lake/k")
    assert not allowed([policy(allow("s3:PutObject"))], "s3:GetObject", "arn:aws:s3:::lake/k")
    assert allowed([policy(allow("s3:PutObject")), policy(allow("s3:GetObject"))], "s3:GetObject", "arn:aws:s3:::l/k")


def test_a_document_may_be_json_and_hold_one_statement() -> None:
    document = json.dumps({"Statement": allow("s3:GetObject")})
    assert allowed([document], "s3:GetObject", "arn:aws:s3:::lake/k")


def test_a_deny_outweighs_every_allow() -> None:
    policies = [policy(deny("s3:Delete*", "arn:aws:s3:::lake/raw/*")), policy(allow("s3:*"))]
    assert decide(policies, "s3:DeleteObject", "arn:aws:s3:::lake/raw/k") is Decision.DENIED
    assert decide(policies, "s3:DeleteObject", "arn:aws:s3:::lake/tmp/k") is Decision.ALLOWED
    assert decide(policies, "glue:GetTable", "*") is Decision.NOT_ALLOWED


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("s3:GetObject", "S3:getobject", True),
        ("s3:Get*", "s3:GetObject", True),
        ("s3:Get?bject", "s3:GetObject", True),
        ("*", "s3:GetObject", True),
        ("s3:Get", "s3:GetObject", False),
        ("s3:GetObject", "s3:GetObjectVersion", False),
        ("s3.GetObject", "s3:GetObject", False),
        ("s3:[A-Z]etObject", "s3:GetObject", False),
    ],
)
def test_actions_are_matched_by_wildcards_whatever_their_case(pattern: str, action: str, matches: bool) -> None:
    assert allowed([policy(allow(pattern))], action, "*") is matches


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        ("arn:aws:s3:::lake/raw/*", "arn:aws:s3:::lake/raw/a/b", True),
        ("arn:aws:s3:::lake/raw/*", "arn:aws:s3:::lake/raw", False),
        ("arn:aws:s3:::lake/RAW/*", "arn:aws:s3:::lake/raw/a", False),
        ("arn:aws:s3:::lake/a?c", "arn:aws:s3:::lake/abc", True),
        ("arn:aws:s3:::lake", "arn:aws:s3:::lake2", False),
        ("arn:aws:s3:::lake/*", "*", False),
    ],
)
def test_resources_are_matched_by_wildcards(pattern: str, resource: str, matches: bool) -> None:
    assert allowed([policy(allow("s3:GetObject", pattern))], "s3:GetObject", resource) is matches


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"cloudwatch:namespace": "Taxi"}}, {"cloudwatch:namespace": "Taxi"}, True),
        ({"StringEquals": {"cloudwatch:namespace": "Taxi"}}, {"cloudwatch:namespace": "taxi"}, False),
        ({"StringEquals": {"CloudWatch:Namespace": ["A", "B"]}}, {"cloudwatch:namespace": "B"}, True),
        ({"StringEquals": {"cloudwatch:namespace": "Taxi"}}, {}, False),
        ({"StringEqualsIfExists": {"cloudwatch:namespace": "Taxi"}}, {}, True),
        ({"StringEqualsIfExists": {"cloudwatch:namespace": "Taxi"}}, {"cloudwatch:namespace": "B"}, False),
        ({"StringNotEquals": {"cloudwatch:namespace": ["A", "B"]}}, {"cloudwatch:namespace": "B"}, False),
        ({"StringNotEquals": {"cloudwatch:namespace": ["A", "B"]}}, {"cloudwatch:namespace": "C"}, True),
        ({"StringNotEquals": {"cloudwatch:namespace": "A"}}, {}, True),
        ({"StringLike": {"s3:prefix": ["raw/*", "tmp/*"]}}, {"s3:prefix": "tmp/x"}, True),
        ({"StringLike": {"s3:prefix": "raw/*"}}, {"s3:prefix": ""}, False),
        ({"StringLike": {"s3:prefix": "raw/*"}}, {}, False),
        ({"StringNotLike": {"s3:prefix": "raw/*"}}, {"s3:prefix": "raw/x"}, False),
        ({"ForAnyValue:StringEquals": {"aws:PrincipalTag/team": "a"}}, {"aws:PrincipalTag/team": ["b", "a"]}, True),
        ({"ForAnyValue:StringEquals": {"aws:PrincipalTag/team": "a"}}, {}, False),
        ({"StringEquals": {"aws:PrincipalTag/Team": "a"}}, {"aws:PrincipalTag/team": "a"}, True),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:SecureTransport": "false"}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"aws:SecureTransport": "false"}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/taxi-*"}}, {"aws:PrincipalArn": TAXI_A}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:*:role/taxi-a"}}, {"aws:PrincipalArn": TAXI_A}, False),
        ({"StringLike": {"s3:prefix": "raw/*"}, "Bool": {"aws:SecureTransport": "true"}}, {"s3:prefix": "raw/"}, False),
    ],
)  # fmt: skip
def test_conditions_are_held_against_what_the_request_says(condition: Any, context: Any, holds: bool) -> None:
    assert allowed([policy(allow("a:B", **condition))], "a:B", "*", context) is holds


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, "NotAction"),
        ({"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::lake"}, "NotResource"),
        (allow("a:B", IpAddress={"aws:SourceIp": "10.0.0.0/8"}), "aws:SourceIp"),
        (allow("a:B", StringLikeIfThere={"s3:prefix": "raw/*"}), "StringLikeIfThere"),
        ({**allow("a:B"), "Condition": {"ForAllValues:StringLike": {"s3:prefix": "raw/*"}}}, "ForAllValues:StringLike"),
        (allow("a:B", "arn:aws:s3:::lake/${aws:username}/*"), "aws:username"),
    ],
)
def test_what_is_not_understood_is_no_permission(statement: Document, names: str) -> None:
    with pytest.raises(UnsupportedPolicy, match=names.replace("$", r"\$")):
        allowed([policy(statement)], "a:B", "*")


# --- roles on the emulated AWS

A = f"arn:aws:glue:{REGION}:{ACCOUNT}:"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:taxi-alerts"
TRUST = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def shared() -> Iterator[AwsEmulator]:
    with emulated_aws() as emulator:
        emulator.provision(BUCKET, ["taxi-a", "taxi-b"], databases=["taxi_raw", "other"])
        s3 = emulator.client("s3")
        for key in ("raw/a", "secret/a"):
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
        for name in ("taxi-alerts", "other"):
            emulator.client("sns").create_topic(Name=name)
            emulator.client("sqs").create_queue(QueueName=name)
        emulator.client("glue").create_table(DatabaseName="taxi_raw", TableInput={"Name": "trips"})
        yield emulator


@pytest.fixture
def aws(shared: AwsEmulator) -> Iterator[AwsEmulator]:
    shared.calls.clear()
    with shared.enforcing_iam():
        yield shared


def make_role(aws: AwsEmulator, name: str, *statements: Document, **more: Any) -> str:
    """A role that Glue may assume, with one policy of its own; its ARN."""
    iam = aws.client("iam")
    with suppress(iam.exceptions.NoSuchEntityException):
        for own in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=own)
        iam.delete_role(RoleName=name)
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy(TRUST)), **more)["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy(*statements)))
    return str(made["Arn"])


def once(aws: AwsEmulator, who: Credentials, service: str) -> Any:
    """A client that does not try again."""
    session = boto3.Session(who.access_key_id, who.secret_access_key, who.token, region_name=REGION)
    return session.client(service, endpoint_url=aws.url, config=Config(retries={"max_attempts": 0}))


def refusal(call: Callable[[], object]) -> str:
    """The code and message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


STATEMENTS = (
    allow("s3:GetObject", "arn:aws:s3:::lake/raw/*"),
    allow("s3:ListBucket", "arn:aws:s3:::lake", StringLike={"s3:prefix": ["raw/*"]}),
    allow("glue:StartJobRun", f"{A}job/taxi-a"),
    allow("glue:GetDatabase", [f"{A}catalog", f"{A}database/taxi_raw"]),
    allow("sns:Publish", TOPIC),
    allow("sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:taxi-alerts"),
    allow("cloudwatch:PutMetricData", "*", StringEquals={"cloudwatch:namespace": "TaxiAssets"}),
    allow("logs:CreateLogGroup", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws-glue/*"),
)
POINT = [{"MetricName": "a", "Value": 1}]
CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("", "s3", "get_object", {"Bucket": BUCKET, "Key": "raw/a"}),
    ("s3:GetObject", "s3", "get_object", {"Bucket": BUCKET, "Key": "secret/a"}),
    ("head", "s3", "head_object", {"Bucket": BUCKET, "Key": "secret/a"}),
    ("s3:GetObjectVersion", "s3", "get_object", {"Bucket": BUCKET, "Key": "raw/a", "VersionId": "1"}),
    ("s3:PutObject", "s3", "put_object", {"Bucket": BUCKET, "Key": "raw/b", "Body": b"x" * 100_000}),
    ("s3:DeleteObject", "s3", "delete_object", {"Bucket": BUCKET, "Key": "raw/a"}),
    ("s3:DeleteObject", "s3", "delete_objects", {"Bucket": BUCKET, "Delete": {"Objects": [{"Key": "raw/zz"}]}}),
    ("", "s3", "list_objects_v2", {"Bucket": BUCKET, "Prefix": "raw/"}),
    ("s3:ListBucket", "s3", "list_objects_v2", {"Bucket": BUCKET, "Prefix": "secret/"}),
    ("s3:ListBucket", "s3", "list_objects_v2", {"Bucket": BUCKET}),
    ("s3:ListAllMyBuckets", "s3", "list_buckets", {}),
    ("s3:PutObject", "s3", "copy_object", {"Bucket": BUCKET, "Key": "raw/c", "CopySource": "lake/secret/a"}),
    ("s3:PutObject", "s3", "create_multipart_upload", {"Bucket": BUCKET, "Key": "raw/m"}),
    ("", "glue", "start_job_run", {"JobName": "taxi-a"}),
    ("glue:StartJobRun", "glue", "start_job_run", {"JobName": "taxi-b"}),
    ("glue:GetJob", "glue", "get_job", {"JobName": "taxi-a"}),
    ("", "glue", "get_database", {"Name": "taxi_raw"}),
    ("glue:GetDatabase", "glue", "get_database", {"Name": "other"}),
    ("", "sns", "publish", {"TopicArn": TOPIC, "Message": "m"}),
    ("sns:Publish", "sns", "publish", {"TopicArn": TOPIC.replace("taxi-alerts", "other"), "Message": "m"}),
    ("", "sqs", "receive_message", {"QueueUrl": "taxi-alerts"}),
    ("sqs:ReceiveMessage", "sqs", "receive_message", {"QueueUrl": "other"}),
    ("sqs:SendMessage", "sqs", "send_message", {"QueueUrl": "taxi-alerts", "MessageBody": "x"}),
    ("", "cloudwatch", "put_metric_data", {"Namespace": "TaxiAssets", "MetricData": POINT}),
    ("cloudwatch:PutMetricData", "cloudwatch", "put_metric_data", {"Namespace": "Other", "MetricData": POINT}),
    ("cloudwatch:DescribeAlarms", "cloudwatch", "describe_alarms", {}),
    ("", "logs", "create_log_group", {"logGroupName": "/aws-glue/x"}),
    ("logs:CreateLogGroup", "logs", "create_log_group", {"logGroupName": "/other"}),
    ("redshift-serverless:GetWorkgroup", "redshift-serverless", "get_workgroup", {"workgroupName": "taxi"}),
    ("secretsmanager:GetSecretValue", "secretsmanager", "get_secret_value", {"SecretId": "slack"}),
    ("ssm:GetParameter", "ssm", "get_parameter", {"Name": "/taxi/a"}),
    ("ecs:DescribeTasks", "ecs", "describe_tasks", {"cluster": "taxi", "tasks": ["1"]}),
    ("ecr:GetAuthorizationToken", "ecr", "get_authorization_token", {}),
    ("iam:GetRole", "iam", "get_role", {"RoleName": "r"}),
    ("sts:AssumeRole", "sts", "assume_role", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/x", "RoleSessionName": "me"}),
    ("", "sts", "get_caller_identity", {}),
]  # fmt: skip


@pytest.mark.emulator
@pytest.mark.parametrize(("refused", "service", "call", "given"), CASES)
def test_a_session_may_do_what_its_roles_policies_allow(
    aws: AwsEmulator, refused: str, service: str, call: str, given: dict[str, Any]
) -> None:
    who = aws.assume(make_role(aws, "r", *STATEMENTS), "somebody")
    client = once(aws, who, service)
    if "QueueUrl" in given:
        given = {**given, "QueueUrl": f"{aws.url}/{ACCOUNT}/{given['QueueUrl']}"}
    if not refused:
        getattr(client, call)(**given)
        return
    said = refusal(lambda: getattr(client, call)(**given))
    if refused == "head":  # such an answer has no body
        assert said == "403: Forbidden"
        return
    user = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/r/somebody is not authorized to perform: {refused} on resource: "
    assert user in said
    assert said.endswith(f"because no identity-based policy allows the {refused} action")
    codes = {"s3": "AccessDenied", "sns": "AuthorizationError", "sqs": "AccessDenied", "cloudwatch": "AccessDenied"}
    codes |= {"iam": "AccessDenied", "sts": "AccessDenied"}
    assert said.startswith(codes.get(service, "AccessDeniedException") + ":")


@pytest.mark.emulator
def test_one_key_that_may_not_be_deleted_refuses_the_call(aws: AwsEmulator) -> None:
    who = aws.assume(make_role(aws, "r", allow("s3:DeleteObject", "arn:aws:s3:::lake/tmp/*")))
    s3 = once(aws, who, "s3")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "tmp/a"}, {"Key": "tmp/b"}]})
    keys = {"Objects": [{"Key": "tmp/a"}, {"Key": "raw/a"}]}
    assert "s3:DeleteObject on resource: arn:aws:s3:::lake/raw/a" in refusal(
        lambda: s3.delete_objects(Bucket=BUCKET, Delete=keys)
    )
    aws.client("s3").head_object(Bucket=BUCKET, Key="raw/a")


@pytest.mark.emulator
def test_a_copy_reads_its_source(aws: AwsEmulator) -> None:
    who = aws.assume(make_role(aws, "r", allow("s3:PutObject"), allow("s3:GetObject", "arn:aws:s3:::lake/raw/*")))
    s3 = once(aws, who, "s3")
    s3.copy_object(Bucket=BUCKET, Key="copies/a", CopySource="lake/raw/a")
    said = refusal(lambda: s3.copy_object(Bucket=BUCKET, Key="copies/a", CopySource="lake/secret/a"))
    assert "s3:GetObject on resource: arn:aws:s3:::lake/secret/a" in said


@pytest.mark.emulator
@pytest.mark.parametrize("missing", ["catalog", "database/taxi_raw", "table/taxi_raw/trips"])
def test_a_glue_table_needs_its_database_and_the_catalog_too(aws: AwsEmulator, missing: str) -> None:
    arns = [f"{A}catalog", f"{A}database/taxi_raw", f"{A}table/taxi_raw/trips"]
    whole = once(aws, aws.assume(make_role(aws, "r", allow("glue:Get*", arns))), "glue")
    whole.get_table(DatabaseName="taxi_raw", Name="trips")
    whole.get_partitions(DatabaseName="taxi_raw", TableName="trips")
    fewer = [arn for arn in arns if not arn.endswith(missing)]
    less = once(aws, aws.assume(make_role(aws, "r", allow("glue:Get*", fewer))), "glue")
    for call in (
        lambda: less.get_table(DatabaseName="taxi_raw", Name="trips"),
        lambda: less.get_partitions(DatabaseName="taxi_raw", TableName="trips"),
    ):
        assert f"on resource: {A}{missing} because" in refusal(call)


@pytest.mark.emulator
def test_who_changes_a_job_has_to_be_let_pass_its_role(aws: AwsEmulator) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/taxi-glue-job"
    update = {"Role": role, "Command": {"Name": "glueetl", "ScriptLocation": "s3://lake/scripts/not-deployed.py"}}
    may_update = allow("glue:UpdateJob", f"{A}job/taxi-b")
    less = once(aws, aws.assume(make_role(aws, "r", may_update)), "glue")
    assert f"iam:PassRole on resource: {role}" in refusal(lambda: less.update_job(JobName="taxi-b", JobUpdate=update))
    to_glue = allow("iam:PassRole", role, StringEquals={"iam:PassedToService": "glue.amazonaws.com"})
    who = aws.assume(make_role(aws, "r", may_update, to_glue))
    once(aws, who, "glue").update_job(JobName="taxi-b", JobUpdate=update)


@pytest.mark.emulator
def test_policies_that_are_attached_count_and_a_boundary_limits_all(aws: AwsEmulator) -> None:
    iam = aws.client("iam")
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(policy(allow("ecr:*"))))["Policy"]
    own = iam.create_policy(PolicyName="own", PolicyDocument=json.dumps(policy(allow("ecr:DescribeRepositories"))))
    make_role(aws, "bounded", allow("s3:ListAllMyBuckets"), PermissionsBoundary=boundary["Arn"])
    managed = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    for arn in (managed, own["Policy"]["Arn"]):
        iam.attach_role_policy(RoleName="bounded", PolicyArn=arn)
    who = aws.assume(f"arn:aws:iam::{ACCOUNT}:role/bounded")
    once(aws, who, "ecr").get_authorization_token()
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        once(aws, who, "ecr").describe_repositories(repositoryNames=["taxi"])
    said = refusal(lambda: once(aws, who, "s3").list_buckets())
    assert said.endswith("because no permissions boundary allows the s3:ListAllMyBuckets action")


@pytest.mark.emulator
def test_an_explicit_deny_is_named(aws: AwsEmulator) -> None:
    who = aws.assume(make_role(aws, "r", allow("s3:*"), deny("s3:*", "arn:aws:s3:::lake/secret/*")))
    said = refusal(lambda: once(aws, who, "s3").get_object(Bucket=BUCKET, Key="secret/a"))
    assert said.endswith("with an explicit deny in an identity-based policy")


@pytest.mark.emulator
def test_tags_of_the_role_are_keys_of_conditions(aws: AwsEmulator) -> None:
    mine = allow("s3:GetObject", StringEquals={"aws:PrincipalTag/Team": "taxi"})
    for team, may in (("taxi", True), ("other", False)):
        who = aws.assume(make_role(aws, "r", mine, Tags=[{"Key": "Team", "Value": team}]))
        s3 = once(aws, who, "s3")
        if may:
            s3.get_object(Bucket=BUCKET, Key="raw/a")
        else:
            assert "AccessDenied" in refusal(partial(s3.get_object, Bucket=BUCKET, Key="raw/a"))


@pytest.mark.emulator
def test_what_is_not_known_is_refused_by_name(aws: AwsEmulator) -> None:
    who = aws.assume(make_role(aws, "r", allow("*")))
    said = refusal(lambda: once(aws, who, "kms").list_keys())
    assert "the emulator cannot tell whether" in said
    assert "kms ListKeys" in said
    odd = aws.assume(make_role(aws, "odd", {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}))
    assert "NotAction" in refusal(lambda: once(aws, odd, "s3").list_buckets())


@pytest.mark.emulator
def test_refusals_are_listed_and_calls_have_the_name_of_the_role(shared: AwsEmulator) -> None:
    who = shared.assume(make_role(shared, "r", allow("s3:GetObject")))
    shared.calls.clear()
    with shared.enforcing_iam() as refused:
        s3 = once(shared, who, "s3")
        s3.get_object(Bucket=BUCKET, Key="raw/a")
        refusal(lambda: s3.put_object(Bucket=BUCKET, Key="raw/a", Body=b"x"))
        shared.client("s3", Role.DAGSTER).put_object(Bucket=BUCKET, Key="raw/a", Body=b"x")  # no role of IAM
    s3.put_object(Bucket=BUCKET, Key="raw/a", Body=b"x")  # nothing is enforced any more
    assert len(refused) == 1
    assert shared.calls.entries == [
        ApiCall("r", "s3", "GetObject", "s3://lake/raw/a"),
        ApiCall("r", "s3", "PutObject", "s3://lake/raw/a"),
        ApiCall("dagster", "s3", "PutObject", "s3://lake/raw/a"),
        ApiCall("r", "s3", "PutObject", "s3://lake/raw/a"),
    ]


@pytest.mark.emulator
def test_an_address_that_a_role_has_signed_is_its_call(aws: AwsEmulator) -> None:
    role = make_role(aws, "r", allow("s3:GetObject", "arn:aws:s3:::lake/raw/*"))
    s3 = once(aws, aws.assume(role), "s3")
    with urllib.request.urlopen(
        s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "raw/a"})
    ) as answer:
        assert answer.read() == b"x"


@pytest.mark.emulator
def test_a_process_or_this_one_can_act_as_a_role(aws: AwsEmulator) -> None:
    role = make_role(aws, "r", allow("s3:GetObject", "arn:aws:s3:::lake/raw/*"))
    asked = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    environment = {**os.environ, **aws.role_environment(role)}
    said = subprocess.run([sys.executable, "-c", asked], env=environment, check=True, capture_output=True, text=True)
    assert said.stdout == f"arn:aws:sts::{ACCOUNT}:assumed-role/r/test\n"
    with aws.acting_as_role(role):
        s3 = boto3.client("s3")
        s3.get_object(Bucket=BUCKET, Key="raw/a")
        assert "AccessDenied" in refusal(lambda: s3.get_object(Bucket=BUCKET, Key="secret/a"))


# --- job runs


LOGS = allow(
    ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws-glue/jobs/*",
)
READS = allow("s3:GetObject", [f"arn:aws:s3:::lake/{folder}/*" for folder in ("scripts", "numbers", "doubled")])
LISTS = allow("s3:ListBucket", "arn:aws:s3:::lake", StringLike={"s3:prefix": ["numbers*", "doubled*"]})
WRITES = allow("s3:PutObject", "arn:aws:s3:::lake/doubled/*")


@pytest.fixture(scope="module")
def jobs(shared: AwsEmulator) -> AwsEmulator:
    for job in (JOB, "less"):
        command = {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/scripts/not-deployed.py"}
        shared.client("glue").create_job(Name=job, Role=f"{job}-role", Command=command)
    return shared


@pytest.mark.emulator
def test_a_run_and_its_spark_act_as_the_role_of_the_job(jobs: AwsEmulator, aws: AwsEmulator) -> None:
    make_role(aws, f"{JOB}-role", LOGS, READS, LISTS, WRITES)
    done = run_doubling(aws)
    assert (done.state, done.error) == ("SUCCEEDED", "")
    assert output(aws, done) == ["True"]
    services = {call.service for call in aws.calls.entries if call.role == f"{JOB}-role"}
    assert services == {"s3", "logs"}
    assert {call.role for call in aws.calls.entries} == {"test", f"{JOB}-role"}


@pytest.mark.emulator
def test_a_run_whose_role_may_not_write_fails(jobs: AwsEmulator, aws: AwsEmulator) -> None:
    make_role(aws, "less-role", LOGS, READS, LISTS)
    by_itself = "import boto3; boto3.client('s3').put_object(Bucket='lake', Key='doubled/k', Body=b'x')"
    failed = run(aws, by_itself, job="less")
    assert failed.state == "FAILED"
    assert "AccessDenied" in failed.error
    assert "assumed-role/less-role/GlueJobRunnerSession is not authorized to perform: s3:PutObject" in failed.error
    by_spark = "from pyspark.sql import SparkSession; s = SparkSession.builder.getOrCreate()"
    failed = run(aws, f"{by_spark}; s.range(3).write.parquet('s3://lake/doubled/x/')", job="less")
    assert failed.state == "FAILED"
    assert any("less-role" in line and "s3:PutObject" in line for line in output(aws, failed, "error"))


@pytest.mark.emulator
def test_a_run_begins_only_with_a_role_that_trusts_glue_and_may_read_the_script(
    jobs: AwsEmulator, aws: AwsEmulator
) -> None:
    make_role(aws, "less-role", LOGS)
    assert run(aws, "", job="less").error.endswith("not-deployed.py cannot be read: AccessDenied")
    command = {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/scripts/not-deployed.py"}
    aws.client("iam").create_role(RoleName="stranger", AssumeRolePolicyDocument=json.dumps(policy()))
    for name in ("stranger", "nobody"):
        aws.client("glue").create_job(Name=name, Role=name, Command=command)
    assert run(aws, "", job="stranger").error.endswith("does not let glue.amazonaws.com assume it")
    assert run(aws, "", job="nobody").error == "LAUNCH ERROR | the role nobody does not exist"
