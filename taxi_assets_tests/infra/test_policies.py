"""The roles' policies: what was recorded is allowed, and what is allowed was recorded or has a reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from glue_jobs.contracts import LAYERS
from taxi_assets.docs import iam_policies
from taxi_assets.docs.iam_policies import permissions
from taxi_assets.metrics.names import NAMESPACE
from taxi_assets_tests.emulators.environment import ACCOUNT, REGION
from taxi_assets_tests.emulators.iam_policies import allowed

INFRA = Path(__file__).parents[2] / "infra"
POLICIES = INFRA / "modules" / "identity" / "policies"
WORDS = {
    "name": "taxi",
    "databases": "taxi_",
    "account_id": ACCOUNT,
    "region": REGION,
    "partition": "aws",
    "bucket": "taxi-lake",
    "log_group": "/aws-glue/taxi",
    "key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0123",
    "workgroup_arn": f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}:workgroup/0123",
    "warehouse_secret_arn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:redshift!taxi",
}
NAMES = sorted(path.stem for path in POLICIES.glob("*.json"))
ROLES = list(json.loads((INFRA / "api-calls.json").read_text()))
JOBS = [
    ("ingest-raw", {"raw"}, {"raw"}),
    ("stage-trips", {"raw"}, {"staging"}),
    ("replay-quarantine", {"raw"}, {"staging"}),
    ("build-curated", {"staging"}, {"curated"}),
]
"""Of each job the layers that it reads, and those that it writes; what it wrote it may read."""
WITHOUT_A_RESOURCE = {
    "cloudwatch:PutMetricData",
    "ec2:DescribeNetworkInterfaces",
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
"""AWS knows no resource for these (Service Authorization Reference)."""
MOST_CHARACTERS = 10_240
"""Of all inline policies of a role, without blanks (IAM quotas)."""


def filled_in(name: str) -> dict[str, Any]:
    """A policy as Terraform writes it."""
    policy: dict[str, Any] = json.loads(Template((POLICIES / f"{name}.json").read_text()).substitute(WORDS))
    return policy


def statements(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = filled_in(name)["Statement"]
    return found


def copy_of_infra(folder: Path) -> Path:
    for file in ("api-calls.json", "unrecorded-permissions.yaml"):
        shutil.copy(INFRA / file, folder / file)
    return folder


def of_role(role: str) -> list[dict[str, Any]]:
    """A role's policies, with that for the warehouse, that are written from recorded calls."""
    return [filled_in(name) for name in (role, f"{role}-warehouse") if name in NAMES]


def recorded() -> list[tuple[str, str, str]]:
    """Role, action and kind of resource of each recorded call."""
    calls = json.loads((INFRA / "api-calls.json").read_text())
    return [
        (role, action, kind) for role, actions in calls.items() for action, kinds in actions.items() for kind in kinds
    ]


def resources_of(action: str, kind: str) -> list[tuple[str, dict[str, str]]]:
    """The ARNs that AWS authorises such a call on, by this test's own reading of them, each with its context."""
    service, _, operation = action.partition(":")
    here = f"{REGION}:{ACCOUNT}"
    if action == "s3:ListBucket":
        folder = kind.removeprefix("s3://LAKE/")
        return [("arn:aws:s3:::taxi-lake", {"s3:prefix": f"{folder}/month=2024-02/"})]
    if service == "s3":
        return [(kind.replace("s3://LAKE", "arn:aws:s3:::taxi-lake") + "/some/key", {})]
    if service == "glue" and "Job" in operation:
        return [(f"arn:aws:glue:{here}:job/{kind}", {})]
    if service == "glue":
        database, _, table = kind.partition(".")
        arns = [f"arn:aws:glue:{here}:catalog", f"arn:aws:glue:{here}:database/{database}"]
        return [(arn, {}) for arn in [*arns, *([f"arn:aws:glue:{here}:table/{database}/{table}"] if table else [])]]
    if service == "logs":
        stream = ":log-stream:jr_0123" if kind.endswith(":RUN") else ":log-stream:"
        return [(f"arn:aws:logs:{here}:log-group:/aws-glue/taxi/{kind.rpartition('/')[2].split(':')[0]}{stream}", {})]
    if service == "sqs":
        return [(f"arn:aws:sqs:{here}:{kind}", {})]
    if service == "redshift-serverless":
        return [(WORDS["workgroup_arn"], {})]
    if service == "secretsmanager":
        return [(WORDS["warehouse_secret_arn"], {})]
    if action == "cloudwatch:PutMetricData":
        return [("*", {"cloudwatch:namespace": NAMESPACE})]
    if action == "cloudwatch:DescribeAlarms":
        return [(f"arn:aws:cloudwatch:{here}:alarm:*", {})]
    return [(kind, {})]


def refused(role: str, policies: list[dict[str, Any]]) -> list[str]:
    """The recorded calls of a role that its policies do not allow."""
    return [
        f"{action} on {arn}"
        for caller, action, kind in recorded()
        if caller == role
        for arn, context in resources_of(action, kind)
        if not allowed(policies, action, arn, context)
    ]


def surplus(role: str, policies: list[dict[str, Any]]) -> set[str]:
    """The actions that a role's policies allow, and that were neither recorded nor have a reason."""
    known = {action for caller, action, _ in recorded() if caller == role}
    for entry in yaml.safe_load((INFRA / "unrecorded-permissions.yaml").read_text()):
        if role in entry["policies"]:
            known |= set(entry["actions"])
    given = [statement for policy in policies for statement in policy["Statement"]]
    return {action for statement in given for action in statement["Action"]} - known


@pytest.mark.parametrize("role", ROLES)
def test_each_recorded_call_is_allowed(role: str) -> None:
    assert [one for one in recorded() if one[0] == role]
    assert refused(role, of_role(role)) == []


@pytest.mark.parametrize("role", ROLES)
def test_each_allowed_action_was_recorded_or_has_a_reason(role: str) -> None:
    assert surplus(role, of_role(role)) == set()


def test_an_action_that_is_missing_is_seen() -> None:
    policies = of_role("dagster")
    for policy in policies:
        for statement in policy["Statement"]:
            statement["Action"] = [action for action in statement["Action"] if action != "glue:StartJobRun"]
    assert len(refused("dagster", policies)) == 4
    assert all("glue:StartJobRun" in one for one in refused("dagster", policies))


def test_an_action_too_many_is_seen() -> None:
    policies = of_role("deploy")
    policies[0]["Statement"].append({"Effect": "Allow", "Action": ["s3:DeleteBucket"], "Resource": ["*"]})
    assert surplus("deploy", policies) == {"s3:DeleteBucket"}


def test_a_folder_that_no_call_went_to_is_not_allowed() -> None:
    policy = filled_in("stage-trips")
    assert not allowed([policy], "s3:GetObject", "arn:aws:s3:::taxi-lake/quality/x")
    assert not allowed([policy], "s3:PutObject", "arn:aws:s3:::other/staging/x")
    assert not allowed([policy], "s3:ListBucket", "arn:aws:s3:::taxi-lake", {"s3:prefix": "quality/"})


@pytest.mark.parametrize(("job", "reads", "writes"), JOBS)
def test_a_job_reads_and_writes_its_own_layers_alone(job: str, reads: set[str], writes: set[str]) -> None:
    def may(action: str) -> set[str]:
        bucket = "arn:aws:s3:::taxi-lake"
        return {layer for layer in LAYERS if allowed([filled_in(job)], action, f"{bucket}/{layer}/some/key")}

    assert may("s3:GetObject") == reads | writes
    assert may("s3:PutObject") == writes
    assert may("s3:DeleteObject") == writes - {"raw"}


@pytest.mark.parametrize("name", NAMES)
def test_no_policy_has_a_wildcard_action_or_an_unscoped_resource(name: str) -> None:
    for statement in statements(name):
        assert not [action for action in statement["Action"] if "*" in action], name
        if "*" in statement["Resource"]:
            assert set(statement["Action"]) <= WITHOUT_A_RESOURCE, name


@pytest.mark.parametrize("name", NAMES)
def test_every_permission_that_was_not_recorded_has_a_reason(name: str) -> None:
    entries = yaml.safe_load((INFRA / "unrecorded-permissions.yaml").read_text())
    assert all(entry["reason"].endswith(".") for entry in entries if name in entry["policies"])


def test_a_role_s_policies_fit_into_what_iam_takes() -> None:
    together = [filled_in(name) for name in NAMES if name.startswith("dagster") or name == "shell"]
    assert len(together) == 4
    assert sum(len("".join(json.dumps(one).split())) for one in together) < MOST_CHARACTERS


def test_the_policies_are_those_that_the_code_writes(tmp_path: Path) -> None:
    iam_policies.write(copy_of_infra(tmp_path))
    written = {path.name: path.read_text() for path in (tmp_path / "modules" / "identity" / "policies").iterdir()}
    assert written == {path.name: path.read_text() for path in POLICIES.iterdir()}


def test_a_policy_that_nothing_needs_any_more_is_removed(tmp_path: Path) -> None:
    stale = copy_of_infra(tmp_path) / "modules" / "identity" / "policies" / "nobody.json"
    stale.parent.mkdir(parents=True)
    stale.touch()
    iam_policies.write(tmp_path)
    assert not stale.exists()


def test_a_call_whose_resource_is_not_known_is_an_error(tmp_path: Path) -> None:
    infra = copy_of_infra(tmp_path)
    (infra / "api-calls.json").write_text(json.dumps({"dagster": {"kinesis:PutRecord": ["trips"]}}))
    with pytest.raises(ValueError, match="kinesis:PutRecord on trips: how AWS names this resource is not known"):
        permissions(infra)
