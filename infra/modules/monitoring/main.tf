# Who hears of what: the topic, alarms, failed Glue runs, a dashboard, a trail of changes. Names of metrics are those of
# taxi_assets/metrics/names.py. Not here: alerts that the code sends itself (taxi_assets/alerts), costs (cost).

locals {
  namespace = "TaxiAssets"
  period    = 300 # seconds, as often as the daemon says that it is alive
}

# --- the topic

# The key that AWS keeps for SNS lets neither alarms nor EventBridge publish.
data "aws_iam_policy_document" "key" {
  statement {
    sid       = "AccountAdministers"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${var.partition}:iam::${var.account_id}:root"]
    }
  }

  statement {
    sid       = "ServicesPublish"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = concat(local.publishers, ["events.amazonaws.com"])
    }
  }
}

locals {
  publishers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com", "costalerts.amazonaws.com"]
}

resource "aws_kms_key" "alerts" {
  description             = "Alerts of the NYC taxi lakehouse"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "alerts" {
  name          = "alias/${var.name}-alerts"
  target_key_id = aws_kms_key.alerts.key_id
}

resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  kms_master_key_id = aws_kms_key.alerts.arn
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "ServicesPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = local.publishers
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }

  # EventBridge knows no conditions in the policy of a topic: with one, its messages are lost without a word.
  statement {
    sid       = "EventBridgePublishes"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }

  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.topic.json
}

resource "aws_sns_topic_subscription" "email" {
  count = var.email == "" ? 0 : 1

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.email
}

# --- alarms: what the code cannot say itself, because it is what is broken, and what is to be seen in one place

resource "aws_cloudwatch_metric_alarm" "heartbeat" {
  count = var.orchestrated ? 1 : 0

  alarm_name          = "${var.name}-heartbeat"
  alarm_description   = "Dagster's daemon has not said for 15 minutes that it is alive: look at the ECS service's events and the log /ecs/${var.name}"
  namespace           = local.namespace
  metric_name         = "Heartbeat"
  statistic           = "Sum"
  period              = local.period
  evaluation_periods  = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching" # its absence is the news
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "months_behind" {
  alarm_name          = "${var.name}-months-behind"
  alarm_description   = "A month that the TLC should have published is not: run taxi-assets status, then taxi-assets run for the month that is missing"
  namespace           = local.namespace
  metric_name         = "MonthsBehind"
  statistic           = "Maximum"
  period              = local.period
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "ignore" # the heartbeat tells when nothing is measured
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "checks_failed" {
  alarm_name          = "${var.name}-checks-failed"
  alarm_description   = "A check held a publication back: the alert of the run says which, and what to do"
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]

  metric_query {
    id          = "failed"
    expression  = "SELECT SUM(ChecksFailed) FROM SCHEMA(\"${local.namespace}\", Asset)"
    label       = "Checks failed, of all assets"
    period      = local.period
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "quarantined_share" {
  alarm_name          = "${var.name}-quarantined-share"
  alarm_description   = "More than ${var.most_quarantined_percent} percent of a month are unusable: query staging.quarantine for the reasons before the month is trusted"
  namespace           = local.namespace
  metric_name         = "QuarantinedShare"
  statistic           = "Maximum"
  period              = local.period
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.most_quarantined_percent
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_drops" {
  alarm_name          = "${var.name}-dead-drops"
  alarm_description   = "A file dropped into raw/inbox was told of ten times and never landed: read the messages of the queue ${var.dead_drop_queue_name}"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = var.dead_drop_queue_name }
  statistic           = "Maximum"
  period              = local.period
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "database_storage" {
  count = var.orchestrated ? 1 : 0

  alarm_name          = "${var.name}-database-storage"
  alarm_description   = "Dagster's Postgres has less than 2 GB left: shorten the retention of its ticks, or raise max_allocated_storage"
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  dimensions          = { DBInstanceIdentifier = var.database_identifier }
  statistic           = "Minimum"
  period              = local.period
  evaluation_periods  = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 2147483648
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "memory" {
  for_each = var.services

  alarm_name          = "${var.name}-${each.key}-memory"
  alarm_description   = "The ECS service ${each.value} uses more than 90 percent of its memory: give its task more"
  namespace           = "AWS/ECS"
  metric_name         = "MemoryUtilization"
  dimensions          = { ClusterName = var.name, ServiceName = each.value }
  statistic           = "Average"
  period              = local.period
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 90
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

locals {
  alarms = concat(
    aws_cloudwatch_metric_alarm.heartbeat[*].alarm_name,
    aws_cloudwatch_metric_alarm.database_storage[*].alarm_name,
    [
      aws_cloudwatch_metric_alarm.months_behind.alarm_name,
      aws_cloudwatch_metric_alarm.checks_failed.alarm_name,
      aws_cloudwatch_metric_alarm.quarantined_share.alarm_name,
      aws_cloudwatch_metric_alarm.dead_drops.alarm_name,
    ],
    [for alarm in aws_cloudwatch_metric_alarm.memory : alarm.alarm_name],
  )
}

# One state for all, to look at and to hold a deployment back; each alarm sends its own message.
resource "aws_cloudwatch_composite_alarm" "any" {
  alarm_name        = "${var.name}-any"
  alarm_description = "Some alarm of the lakehouse rings"
  alarm_rule        = join(" OR ", [for alarm in local.alarms : "ALARM(\"${alarm}\")"])
}

# --- Glue runs that fail, also those that nobody waits for

resource "aws_cloudwatch_event_rule" "glue" {
  name        = "${var.name}-glue-run-failed"
  description = "A Glue run of the lakehouse ended badly"

  event_pattern = jsonencode({
    source        = ["aws.glue"]
    "detail-type" = ["Glue Job State Change"]
    detail        = { jobName = [{ prefix = "${var.name}-" }], state = ["FAILED", "TIMEOUT", "ERROR"] }
  })
}

resource "aws_cloudwatch_event_target" "glue" {
  rule      = aws_cloudwatch_event_rule.glue.name
  target_id = "alerts"
  arn       = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = {
      job     = "$.detail.jobName"
      run     = "$.detail.jobRunId"
      state   = "$.detail.state"
      message = "$.detail.message"
    }

    input_template = "\"Glue job <job> ended as <state> (run <run>): <message>\""
  }
}

# --- questions to the logs, and one page to look at

resource "aws_cloudwatch_query_definition" "job_errors" {
  name            = "${var.name}/errors of the jobs"
  log_group_names = ["/aws-glue/${var.name}/error"]
  query_string    = "fields time, job, month, message | filter level = \"ERROR\" | sort time desc | limit 100"
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = concat(
      [
        {
          type       = "alarm", x = 0, y = 0, width = 24, height = 3
          properties = { title = "Alarms", alarms = [for alarm in local.alarms : "arn:${var.partition}:cloudwatch:${var.region}:${var.account_id}:alarm:${alarm}"] }
        },
      ],
      [
        for index, widget in [
          { title = "Alive, every five minutes", metrics = [[local.namespace, "Heartbeat"]], stat = "Sum" },
          { title = "Months behind", metrics = [[local.namespace, "MonthsBehind"], [local.namespace, "DataAgeDays", { yAxis = "right" }]], stat = "Maximum" },
          { title = "Quarantined, percent of a month", metrics = [[local.namespace, "QuarantinedShare"]], stat = "Maximum" },
          { title = "Checks that failed or warned", metrics = [[{ expression = "SEARCH('{${local.namespace},Asset} MetricName=\"ChecksFailed\"', 'Sum')" }], [{ expression = "SEARCH('{${local.namespace},Asset} MetricName=\"ChecksWarned\"', 'Sum')" }]], stat = "Sum" },
          { title = "Seconds of the jobs", metrics = [[{ expression = "SEARCH('{${local.namespace},Job} MetricName=\"JobSeconds\"', 'Maximum')" }]], stat = "Maximum" },
          { title = "USD of the jobs, by estimate", metrics = [[{ expression = "SEARCH('{${local.namespace},Job} MetricName=\"EstimatedCostUsd\"', 'Sum')" }]], stat = "Sum" },
          ] : {
          type       = "metric", x = 8 * (index % 3), y = 3 + 6 * floor(index / 3), width = 8, height = 6
          properties = merge(widget, { region = var.region, period = local.period, view = "timeSeries" })
        }
      ],
    )
  })
}

# --- who changed what

locals {
  trail_arn    = "arn:${var.partition}:cloudtrail:${var.region}:${var.account_id}:trail/${var.name}"
  trail_bucket = "${var.bucket}-trail"
}

data "aws_iam_policy_document" "trail" {
  statement {
    sid       = "TrailLooks"
    actions   = ["s3:GetBucketAcl"]
    resources = ["arn:${var.partition}:s3:::${local.trail_bucket}"]

    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [local.trail_arn]
    }
  }

  statement {
    sid       = "TrailWrites"
    actions   = ["s3:PutObject"]
    resources = ["arn:${var.partition}:s3:::${local.trail_bucket}/AWSLogs/${var.account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [local.trail_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "s3:x-amz-acl"
      values   = ["bucket-owner-full-control"]
    }
  }
}

module "trail_bucket" {
  source = "../bucket"
  count  = var.trail ? 1 : 0

  bucket           = local.trail_bucket
  force_destroy    = var.force_destroy
  expirations      = { "" = 365 }
  policy_documents = [data.aws_iam_policy_document.trail.json]
}

resource "aws_cloudtrail" "this" {
  count = var.trail ? 1 : 0

  name                          = var.name
  s3_bucket_name                = module.trail_bucket[0].bucket
  enable_log_file_validation    = true
  include_global_service_events = true
  is_multi_region_trail         = true

  event_selector {
    read_write_type           = "WriteOnly"
    include_management_events = true

    data_resource {
      type   = "AWS::S3::Object"
      values = ["arn:${var.partition}:s3:::${var.bucket}/"]
    }
  }
}

# --- what containers print

resource "aws_cloudwatch_log_group" "containers" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
}
