# The Data Catalog's databases, the jobs, and their logs.
# Not here: the jobs' code (taxi-assets deploy), the tables (the code makes them by its contracts; no crawler guesses).

locals {
  layers = ["raw", "staging", "curated", "quality", "reference"]
  jobs = {
    ingest-raw        = "Streams a month's file from its source into raw, with its hash."
    stage-trips       = "Cleans, validates and enriches a month of raw trips into staging and quarantine."
    replay-quarantine = "Judges the quarantined rows of a month again, by today's rules."
    build-curated     = "Aggregates a month of staging into the curated tables."
  }
}

resource "aws_glue_catalog_database" "this" {
  for_each = toset(local.layers)

  name         = "${replace(var.name, "-", "_")}_${each.key}"
  description  = "Layer ${each.key} of the NYC taxi lakehouse."
  location_uri = "s3://${var.bucket}/${each.key}/"
}

resource "aws_cloudwatch_log_group" "jobs" {
  for_each = toset(["error", "output"])

  name              = "/aws-glue/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
}

resource "aws_glue_job" "this" {
  for_each = local.jobs

  name              = "${var.name}-${each.key}"
  description       = each.value
  role_arn          = var.role_arns[each.key]
  glue_version      = var.glue_version
  worker_type       = "G.1X"
  number_of_workers = var.max_workers
  execution_class   = "STANDARD"
  max_retries       = 0 # Dagster repeats; Glue would write to the same folders again
  timeout           = var.timeout_minutes

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${var.bucket}/scripts/not-deployed.py"
  }

  execution_property {
    max_concurrent_runs = var.max_concurrent_runs
  }

  default_arguments = {
    "--enable-auto-scaling"    = "true"
    "--enable-spark-ui"        = "true"
    "--spark-event-logs-path"  = "s3://${var.bucket}/logs/spark-events/"
    "--job-language"           = "python"
    "--custom-logGroup-prefix" = "/aws-glue/${var.name}"
    # No job bookmarks: a run is given its month and writes to a folder of its own.
    "--job-bookmark-option" = "job-bookmark-disable"
  }

  lifecycle {
    # taxi-assets deploy sets these.
    ignore_changes = [
      command[0].script_location,
      default_arguments["--code-version"],
      default_arguments["--extra-py-files"],
      glue_version,
    ]
  }

  depends_on = [aws_cloudwatch_log_group.jobs]
}

# Only tables that nothing is rolled back to: compaction rewrites the files of a published version, and a rollback puts
# back the files that were published. The lake keeps house for these tables itself (operations/maintenance).
resource "aws_glue_catalog_table_optimizer" "compaction" {
  for_each = var.optimized_tables

  catalog_id    = var.account_id
  database_name = aws_glue_catalog_database.this["quality"].name
  table_name    = each.key
  type          = "compaction"

  configuration {
    enabled  = true
    role_arn = var.optimizer_role_arn
  }
}
