output "job_prefix" {
  description = "What the names of the jobs begin with, for TAXI_GLUE_JOB_PREFIX."
  value       = "${var.name}-"

  depends_on = [aws_glue_job.this]
}

output "job_names" {
  description = "The jobs."
  value       = sort([for job in aws_glue_job.this : job.name])
}

output "database_prefix" {
  description = "What the names of the databases begin with, for TAXI_DATABASE_PREFIX."
  value       = "${replace(var.name, "-", "_")}_"

  depends_on = [aws_glue_catalog_database.this]
}

output "log_group" {
  description = "What the jobs' log groups begin with, for TAXI_GLUE_LOG_GROUP."
  value       = "/aws-glue/${var.name}"

  depends_on = [aws_cloudwatch_log_group.jobs]
}
