output "taxi_env" {
  description = "Settings of this lakehouse, by the names that taxi_assets/settings.py reads."
  value       = module.lakehouse.taxi_env
}

output "role_arns" {
  description = "Role (as in dagster, deploy) to its ARN."
  value       = module.lakehouse.role_arns
}

output "repository_url" {
  description = "Where the container image is pushed to."
  value       = module.lakehouse.repository_url
}

output "addresses" {
  description = "Where Dagster's pages and the dashboard are in the VPC."
  value       = module.lakehouse.addresses
}

output "budget" {
  description = "Name and USD of the monthly budget."
  value       = module.lakehouse.budget
}

output "job_names" {
  description = "The Glue jobs."
  value       = module.lakehouse.job_names
}
