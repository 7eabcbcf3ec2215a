# The bucket that holds the lake, how long it keeps what, and the queue that hears of files dropped into its inbox.
# Not here: tables (glue), who may read or write (identity).

module "bucket" {
  source = "../bucket"

  bucket          = var.bucket
  force_destroy   = var.force_destroy
  noncurrent_days = var.noncurrent_days

  # Glacier Instant Retrieval, not Flexible: every month stays readable. A dashboard of 36 months reads files that are
  # three years old, and Redshift fails on an object that has to be restored first.
  transitions = {
    for folder in ["raw/", "staging/", "curated/"] : folder => {
      STANDARD_IA = var.days_until_infrequent_access
      GLACIER_IR  = var.days_until_archive
    }
  }

  # What is of no use after some days, by folder. None of tables or reports: age does not tell what is live from what is
  # left over. `taxi-assets vacuum` does, and what it deletes can be brought back for noncurrent_days.
  expirations = {
    "logs/pipes/"        = 7   # messages of running jobs; those of a run that was killed stay behind
    "logs/spark-events/" = 30  # Spark's own event logs
    "logs/dagster/"      = 90  # what runs printed, as long as Dagster keeps its ticks
    "exports/"           = 30  # answers that somebody unloaded
    "raw/inbox/"         = 180 # files dropped by hand; what was landed of them lies in raw/ by its hash
  }
}

# --- files dropped by hand

resource "aws_sqs_queue" "dead_drops" {
  name                      = "${var.name}-drops-dead"
  message_retention_seconds = 1209600 # 14 days, the most
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "drops" {
  name                       = "${var.name}-drops"
  visibility_timeout_seconds = 30 # a message is deleted once its run is there, by the second tick of the sensor
  message_retention_seconds  = 1209600
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead_drops.arn, maxReceiveCount = 10 })
}

data "aws_iam_policy_document" "drops" {
  statement {
    sid       = "BucketMaySend"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.drops.arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [module.bucket.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }

  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:PurgeQueue"]
    resources = [aws_sqs_queue.drops.arn]

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

resource "aws_sqs_queue_policy" "drops" {
  queue_url = aws_sqs_queue.drops.id
  policy    = data.aws_iam_policy_document.drops.json
}

resource "aws_s3_bucket_notification" "this" {
  bucket = module.bucket.bucket

  queue {
    queue_arn     = aws_sqs_queue.drops.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "raw/inbox/"
  }

  depends_on = [aws_sqs_queue_policy.drops]
}

# --- a copy in another region

module "replica" {
  source = "../bucket"
  count  = var.replicate ? 1 : 0

  providers = {
    aws = aws.replica
  }

  bucket          = "${var.bucket}-replica"
  force_destroy   = var.force_destroy
  noncurrent_days = var.noncurrent_days
}

resource "aws_s3_bucket_replication_configuration" "this" {
  count = var.replicate ? 1 : 0

  role   = var.replication_role_arn
  bucket = module.bucket.bucket

  # Staging can be made again from raw.
  dynamic "rule" {
    for_each = { raw = 1, curated = 2, quality = 3 }

    content {
      id       = rule.key
      status   = "Enabled"
      priority = rule.value

      filter {
        prefix = "${rule.key}/"
      }

      delete_marker_replication {
        status = "Disabled"
      }

      destination {
        bucket        = module.replica[0].arn
        storage_class = "STANDARD_IA"
      }
    }
  }

  # Both have to keep versions by then.
  depends_on = [module.bucket, module.replica]
}
