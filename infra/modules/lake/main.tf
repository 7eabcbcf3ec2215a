# The bucket that holds the lake, how long it keeps what, and the queue that hears of files dropped into its inbox.
# Not here: tables (glue), who may read or write (identity).

resource "aws_s3_bucket" "this" {
  bucket        = var.bucket
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256" # a KMS key costs a call for each object, and guards nothing that IAM does not
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

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

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.tls_only.json

  depends_on = [aws_s3_bucket_public_access_block.this]
}

locals {
  # Glacier Instant Retrieval, not Flexible: every month stays readable. A dashboard of 36 months reads files that are
  # three years old, and Redshift fails on an object that has to be restored first.
  archive = "GLACIER_IR"
  tiered  = ["raw", "staging", "curated"]
  # What is of no use after some days, by folder.
  expiring = {
    "logs/pipes/"        = 7   # messages of running jobs; those of a run that was killed stay behind
    "logs/spark-events/" = 30  # Spark's own event logs
    "logs/dagster/"      = 90  # what runs printed, as long as Dagster keeps its ticks
    "exports/"           = 30  # answers that somebody unloaded
    "raw/inbox/"         = 180 # files dropped by hand; what was landed of them lies in raw/ by its hash
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  dynamic "rule" {
    for_each = local.tiered

    content {
      id     = "${rule.value}-tiering"
      status = "Enabled"

      filter {
        prefix = "${rule.value}/"
      }

      transition {
        days          = var.days_until_infrequent_access
        storage_class = "STANDARD_IA"
      }

      transition {
        days          = var.days_until_archive
        storage_class = local.archive
      }
    }
  }

  dynamic "rule" {
    for_each = local.expiring

    content {
      id     = "${trimsuffix(replace(rule.key, "/", "-"), "-")}-expiry"
      status = "Enabled"

      filter {
        prefix = rule.key
      }

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
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
      values   = [aws_s3_bucket.this.arn]
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
  bucket = aws_s3_bucket.this.id

  queue {
    queue_arn     = aws_sqs_queue.drops.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "raw/inbox/"
  }

  depends_on = [aws_sqs_queue_policy.drops]
}

# --- a copy in another region

resource "aws_s3_bucket" "replica" {
  count    = var.replicate ? 1 : 0
  provider = aws.replica

  bucket        = "${var.bucket}-replica"
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "replica" {
  count    = var.replicate ? 1 : 0
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "replica" {
  count    = var.replicate ? 1 : 0
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "replica" {
  count    = var.replicate ? 1 : 0
  provider = aws.replica

  bucket                  = aws_s3_bucket.replica[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "replica_tls_only" {
  count = var.replicate ? 1 : 0

  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.replica[0].arn, "${aws_s3_bucket.replica[0].arn}/*"]

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

resource "aws_s3_bucket_policy" "replica" {
  count    = var.replicate ? 1 : 0
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id
  policy = data.aws_iam_policy_document.replica_tls_only[0].json

  depends_on = [aws_s3_bucket_public_access_block.replica]
}

resource "aws_s3_bucket_lifecycle_configuration" "replica" {
  count    = var.replicate ? 1 : 0
  provider = aws.replica

  bucket = aws_s3_bucket.replica[0].id

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.replica]
}

resource "aws_s3_bucket_replication_configuration" "this" {
  count = var.replicate ? 1 : 0

  role   = var.replication_role_arn
  bucket = aws_s3_bucket.this.id

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
        bucket        = aws_s3_bucket.replica[0].arn
        storage_class = "STANDARD_IA"
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_versioning.replica]
}
