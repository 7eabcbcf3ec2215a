"""What Terraform makes on the emulated AWS, of the kinds that moto alone cannot: applied, unchanged, destroyed.

S3 lifecycle rules are not among them: the provider waits 55 seconds for each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from taxi_assets_tests.emulators.aws import ACCOUNT, REGION, AwsEmulator, Role, emulated_aws
from taxi_assets_tests.emulators.steps import BUCKET, JOB, run
from taxi_assets_tests.support.terraform import Terraform, TerraformFailed, copied, terraform_program
from taxi_assets_tests.support.waiting import wait_until

pytestmark = pytest.mark.emulator

_HEAD = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "5.100.0" }
  }
  backend "s3" {}
}
provider "aws" {
  region = "us-east-1"
  default_tags {
    tags = { Project = "taxi" }
  }
}
provider "aws" {
  alias  = "replica"
  region = "us-west-2"
}
"""
_STORAGE = """
resource "aws_s3_bucket" "lake" {
  bucket        = "taxi-lake-t"
  force_destroy = true
}
resource "aws_s3_bucket_versioning" "lake" {
  bucket = aws_s3_bucket.lake.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_s3_bucket_policy" "tls_only" {
  bucket = aws_s3_bucket.lake.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.lake.arn, "${aws_s3_bucket.lake.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
resource "aws_s3_object" "readme" {
  bucket     = aws_s3_bucket.lake.id
  key        = "README"
  content    = "a lake"
  depends_on = [aws_s3_bucket_versioning.lake, aws_s3_bucket_policy.tls_only]
}
resource "aws_s3_bucket_notification" "lake" {
  bucket      = aws_s3_bucket.lake.id
  eventbridge = true
}
resource "aws_s3_bucket" "replica" {
  provider = aws.replica
  bucket   = "taxi-replica-t"
}
resource "aws_s3_bucket_versioning" "replica" {
  provider = aws.replica
  bucket   = aws_s3_bucket.replica.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_iam_role" "replication" {
  name = "taxi-replication"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "s3.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
resource "aws_s3_bucket_replication_configuration" "lake" {
  depends_on = [aws_s3_bucket_versioning.lake, aws_s3_bucket_versioning.replica]
  role       = aws_iam_role.replication.arn
  bucket     = aws_s3_bucket.lake.id
  rule {
    id       = "curated"
    status   = "Enabled"
    priority = 1
    filter { prefix = "curated/" }
    delete_marker_replication { status = "Enabled" }
    destination { bucket = aws_s3_bucket.replica.arn }
  }
}
resource "aws_cloudtrail" "data" {
  name           = "taxi"
  s3_bucket_name = aws_s3_bucket.replica.id
}
resource "aws_cloudtrail" "other" {
  name           = "taxi-other"
  s3_bucket_name = aws_s3_bucket.replica.id
}
resource "aws_glue_catalog_database" "raw" {
  name = "taxi_raw"
}
resource "aws_glue_catalog_table" "trips" {
  name          = "trips"
  database_name = aws_glue_catalog_database.raw.name
  table_type    = "EXTERNAL_TABLE"
  storage_descriptor {
    location = "s3://taxi-lake-t/raw/trips"
    columns {
      name = "a"
      type = "string"
    }
  }
}
resource "aws_glue_catalog_table_optimizer" "trips" {
  for_each      = toset(["compaction", "retention", "orphan_file_deletion"])
  catalog_id    = "123456789012"
  database_name = aws_glue_catalog_database.raw.name
  table_name    = aws_glue_catalog_table.trips.name
  type          = each.key
  configuration {
    role_arn = aws_iam_role.replication.arn
    enabled  = true
  }
}
"""
_MONITORING = """
resource "aws_sns_topic" "alerts" {
  name = "taxi-alerts"
}
resource "aws_cloudwatch_metric_alarm" "heartbeat" {
  alarm_name          = "taxi-heartbeat"
  namespace           = "TaxiAssets"
  metric_name         = "Heartbeat"
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
}
resource "aws_cloudwatch_composite_alarm" "any" {
  alarm_name    = "taxi-any"
  alarm_rule    = "ALARM(${aws_cloudwatch_metric_alarm.heartbeat.alarm_name})"
  alarm_actions = [aws_sns_topic.alerts.arn]
}
resource "aws_cloudwatch_log_group" "jobs" {
  name = "/taxi/jobs"
}
resource "aws_cloudwatch_query_definition" "errors" {
  name            = "taxi/errors"
  log_group_names = [aws_cloudwatch_log_group.jobs.name]
  query_string    = "fields @timestamp"
}
resource "aws_cloudwatch_event_rule" "failed" {
  name = "taxi-glue-failed"
  event_pattern = jsonencode({
    source      = ["aws.glue"]
    detail-type = ["Glue Job State Change"]
    detail      = { state = ["FAILED", "TIMEOUT"], jobName = [{ prefix = "taxi-" }] }
  })
}
resource "aws_cloudwatch_event_target" "failed" {
  rule = aws_cloudwatch_event_rule.failed.name
  arn  = aws_sns_topic.alerts.arn
  input_transformer {
    input_paths    = { job = "$.detail.jobName", why = "$.detail.message" }
    input_template = "\\"<job> has failed: <why>\\""
  }
}
resource "aws_budgets_budget" "monthly" {
  name         = "taxi-monthly"
  budget_type  = "COST"
  limit_amount = "50"
  limit_unit   = "USD"
  time_unit    = "MONTHLY"
  cost_filter {
    name   = "TagKeyValue"
    values = ["user:Project$taxi"]
  }
  dynamic "notification" {
    for_each = [50, 80, 100]
    content {
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      notification_type          = "ACTUAL"
      subscriber_sns_topic_arns  = [aws_sns_topic.alerts.arn]
      subscriber_email_addresses = ["somebody@example.org"]
    }
  }
}
resource "aws_ce_anomaly_monitor" "services" {
  name              = "taxi"
  monitor_type      = "DIMENSIONAL"
  monitor_dimension = "SERVICE"
}
resource "aws_ce_anomaly_subscription" "services" {
  name             = "taxi"
  frequency        = "IMMEDIATE"
  monitor_arn_list = [aws_ce_anomaly_monitor.services.arn]
  subscriber {
    type    = "SNS"
    address = aws_sns_topic.alerts.arn
  }
  threshold_expression {
    dimension {
      key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
      values        = ["10"]
      match_options = ["GREATER_THAN_OR_EQUAL"]
    }
  }
}
"""
_COMPUTE = """
resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/20"
}
resource "aws_subnet" "this" {
  count             = 3
  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 4, count.index)
  availability_zone = "us-east-1${["a", "b", "c"][count.index]}"
}
resource "aws_security_group" "app" {
  name        = "taxi-app"
  description = "The application"
  vpc_id      = aws_vpc.this.id
}
resource "aws_vpc_security_group_ingress_rule" "app" {
  security_group_id            = aws_security_group.app.id
  referenced_security_group_id = aws_security_group.app.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
  description                  = "From itself"
}
resource "aws_vpc_security_group_egress_rule" "app" {
  security_group_id = aws_security_group.app.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
  description       = "To everywhere"
}
resource "aws_iam_role" "task" {
  name = "taxi-task"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ecs-tasks.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
resource "aws_iam_role_policy_attachment" "task" {
  role       = aws_iam_role.task.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}
resource "aws_ecs_cluster" "this" {
  name = "taxi"
}
resource "aws_ecs_task_definition" "this" {
  family                   = "taxi"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.task.arn
  container_definitions = jsonencode([{
    name         = "web", image = "taxi:1", essential = true, environment = [], mountPoints = [], volumesFrom = [],
    portMappings = [{ containerPort = 3000, hostPort = 3000, protocol = "tcp" }], systemControls = []
  }])
}
resource "aws_ecs_service" "this" {
  name                    = "taxi-web"
  cluster                 = aws_ecs_cluster.this.id
  task_definition         = aws_ecs_task_definition.this.arn
  desired_count           = 1
  launch_type             = "FARGATE"
  enable_execute_command  = true
  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = aws_subnet.this[*].id
    security_groups = [aws_security_group.app.id]
  }
}
resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this.name}"
  min_capacity       = 0
  max_capacity       = 2
}
resource "aws_iam_role" "redshift" {
  name = "taxi-redshift"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "redshift.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
resource "aws_redshiftserverless_namespace" "this" {
  namespace_name        = "taxi"
  admin_username        = "admin_taxi"
  manage_admin_password = true
  db_name               = "taxi"
  iam_roles             = [aws_iam_role.redshift.arn]
  default_iam_role_arn  = aws_iam_role.redshift.arn
  log_exports           = ["useractivitylog"]
}
resource "aws_redshiftserverless_workgroup" "this" {
  namespace_name     = aws_redshiftserverless_namespace.this.namespace_name
  workgroup_name     = "taxi"
  base_capacity      = 8
  max_capacity       = var.max_capacity
  subnet_ids         = aws_subnet.this[*].id
  security_group_ids = [aws_security_group.app.id]
}
variable "max_capacity" {
  type    = number
  default = 32
}
resource "aws_redshiftserverless_usage_limit" "this" {
  resource_arn  = aws_redshiftserverless_workgroup.this.arn
  usage_type    = "serverless-compute"
  amount        = 20
  breach_action = "deactivate"
}
output "admin_secret" {
  value = aws_redshiftserverless_namespace.this.admin_password_secret_arn
}
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsEmulator]:
    terraform_program()  # skips, before anything is started
    with emulated_aws() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def stack(aws: AwsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """All of it, applied; the test that destroys it is the last."""
    folder = tmp_path_factory.mktemp("terraform")
    tree = folder / "tree"
    tree.mkdir()
    (tree / "main.tf").write_text(_HEAD + _STORAGE + _MONITORING + _COMPUTE)
    stack = copied(tree, folder / "copy", environment=aws.environment(Role.TEST))
    stack.init()
    stack.apply()
    return stack


def test_a_second_plan_is_empty(stack: Terraform) -> None:
    assert stack.plan_is_empty()


def test_a_change_is_seen_and_applied(aws: AwsEmulator, stack: Terraform) -> None:
    assert not stack.plan_is_empty(max_capacity=64)
    with pytest.raises(TerraformFailed, match="above the maximum"):
        stack.apply(max_capacity=4)
    assert aws.client("redshift-serverless").get_workgroup(workgroupName="taxi")["workgroup"]["maxCapacity"] == 32


def test_redshift_keeps_a_secret_for_its_administrator(aws: AwsEmulator, stack: Terraform) -> None:
    kept = aws.client("secretsmanager").get_secret_value(SecretId=stack.output()["admin_secret"])
    assert json.loads(kept["SecretString"])["username"] == "admin_taxi"


def test_a_bucket_that_wants_tls_is_not_locked_and_can_hold_delete_markers(aws: AwsEmulator, stack: Terraform) -> None:
    s3 = aws.client("s3", Role.DAGSTER)
    s3.put_object(Bucket="taxi-lake-t", Key="k", Body=b"x")
    s3.delete_object(Bucket="taxi-lake-t", Key="k")
    assert len(s3.list_object_versions(Bucket="taxi-lake-t")["DeleteMarkers"]) == 1


def test_a_glue_run_that_fails_reaches_the_topic(aws: AwsEmulator, stack: Terraform) -> None:
    sqs, sns = aws.client("sqs"), aws.client("sns")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    sns.subscribe(
        TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:taxi-alerts",
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:told",
        Attributes={"RawMessageDelivery": "true"},
    )
    aws.provision(BUCKET, [JOB, "other-job"])
    run(aws, "print('well')")
    run(aws, "raise ValueError('no such month')", job="other-job")
    run(aws, "raise ValueError('no such month')")
    messages: list[str] = []

    def told() -> bool:
        messages.extend(one["Body"] for one in sqs.receive_message(QueueUrl=queue).get("Messages", []))
        return bool(messages)

    wait_until(told)
    assert messages == [f"{JOB} has failed: ValueError: no such month"]
    sqs.delete_queue(QueueUrl=queue)


def test_a_redrive_policy_is_given_back_as_it_was_set(aws: AwsEmulator) -> None:
    """By the API: Terraform would wait 25 seconds for each queue, and as long for its end."""
    sqs = aws.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = f'{{"deadLetterTargetArn":"arn:aws:sqs:{REGION}:{ACCOUNT}:dead","maxReceiveCount":5}}'
    queue = sqs.create_queue(QueueName="drops", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])["Attributes"]
    assert told["RedrivePolicy"] == policy
    for url in (queue, dead):
        sqs.delete_queue(QueueUrl=url)


def test_all_of_it_is_destroyed(aws: AwsEmulator, stack: Terraform) -> None:
    stack.destroy()
    assert stack.resources() == []
    assert [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]] in ([], [BUCKET])
    assert aws.client("redshift-serverless").list_namespaces()["namespaces"] == []
    assert aws.client("secretsmanager").list_secrets()["SecretList"] == []
    assert aws.client("cloudwatch").describe_alarms()["CompositeAlarms"] == []
    assert aws.client("ce").get_anomaly_monitors()["AnomalyMonitors"] == []
    assert aws.client("logs").describe_query_definitions()["queryDefinitions"] == []
    assert aws.client("iam").list_roles()["Roles"] == []
