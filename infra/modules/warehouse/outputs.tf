output "workgroup" {
  description = "Name of the workgroup, for TAXI_REDSHIFT_WORKGROUP."
  value       = aws_redshiftserverless_workgroup.this.workgroup_name
}

output "workgroup_arn" {
  description = "ARN of the workgroup, which its logins are granted on."
  value       = aws_redshiftserverless_workgroup.this.arn
}

output "database" {
  description = "Name of the database, for TAXI_REDSHIFT_DATABASE."
  value       = aws_redshiftserverless_namespace.this.db_name
}

output "admin_secret_arn" {
  description = "The secret that Redshift keeps for its administrator, for TAXI_REDSHIFT_SECRET_ARN."
  value       = aws_redshiftserverless_namespace.this.admin_password_secret_arn
}

output "base_rpu" {
  description = "Its base capacity, for TAXI_REDSHIFT_RPU."
  value       = aws_redshiftserverless_workgroup.this.base_capacity
}

output "is_public" {
  description = "Whether the workgroup has a public address."
  value       = aws_redshiftserverless_workgroup.this.publicly_accessible
}

output "limits" {
  description = "Units at least and at most, and unit-hours of a month; 0: no limit."
  value = {
    base_rpu          = aws_redshiftserverless_workgroup.this.base_capacity
    max_rpu           = aws_redshiftserverless_workgroup.this.max_capacity
    rpu_hours_a_month = sum(concat([0], aws_redshiftserverless_usage_limit.this[*].amount))
  }
}
