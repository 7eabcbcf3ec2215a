"""An environment of ``infra/envs`` that stands in the emulated AWS, for tests.

Belongs here: applying one, what is left after it was destroyed. Does not: what it is good for (the tests).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxi_assets_tests.emulators.aws import AwsEmulator, Role
from taxi_assets_tests.support.terraform import Terraform, copied

INFRA = Path(__file__).parents[2] / "infra"


@dataclass(frozen=True)
class Applied:
    """The environment as it stands, and its outputs."""

    aws: AwsEmulator
    terraform: Terraform
    outputs: dict[str, Any]

    def role(self, name: str) -> str:
        """ARN of a role."""
        return str(self.outputs["role_arns"][name])


def apply(
    aws: AwsEmulator, environment: str, folder: Path, variables: Mapping[str, object], override: str = ""
) -> Applied:
    """Apply ``environment``, copied below ``folder``, with ``override`` as further Terraform that overrides its own."""
    terraform = copied(INFRA, folder / "infra", environment, aws.environment(Role.TEST))
    (terraform.folder / "more_override.tf").write_text(override)
    terraform.init()
    terraform.apply(**variables)
    return Applied(aws, terraform, terraform.output())


def left(applied: Applied) -> dict[str, list[str]]:
    """What is there after Terraform has destroyed all, by kind."""
    aws = applied.aws
    return {
        "state": applied.terraform.resources(),
        "buckets": [one["Name"] for one in aws.client("s3").list_buckets()["Buckets"]],
        "jobs": aws.client("glue").list_jobs()["JobNames"],
        "databases": [one["Name"] for one in aws.client("glue").get_databases()["DatabaseList"]],
        "roles": [one["RoleName"] for one in aws.client("iam").list_roles()["Roles"]],
        "topics": [one["TopicArn"] for one in aws.client("sns").list_topics()["Topics"]],
        "queues": aws.client("sqs").list_queues().get("QueueUrls", []),
        "alarms": [one["AlarmName"] for one in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "clusters": [
            cluster["clusterName"]
            for cluster in aws.client("ecs").describe_clusters(clusters=["taxi"])["clusters"]
            if cluster["status"] == "ACTIVE"  # AWS remembers a deleted one as INACTIVE
        ],
        "postgres": [one["DBInstanceIdentifier"] for one in aws.client("rds").describe_db_instances()["DBInstances"]],
        "secrets": [one["Name"] for one in aws.client("secretsmanager").list_secrets()["SecretList"]],
        "log groups": [
            one["logGroupName"]
            for one in aws.client("logs").describe_log_groups()["logGroups"]
            if not one["logGroupName"].startswith("/aws/rds")
        ],
    }
