output "role_arns" {
  description = "Role (as in dagster, stage-trips) to its ARN; a role of something that is switched off is missing."
  value       = { for name, role in aws_iam_role.this : name => role.arn }

  # Who is given a role uses it at once.
  depends_on = [aws_iam_role_policy.this]
}
