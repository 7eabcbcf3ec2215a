output "taxi_env" {
  description = "Settings of this lakehouse, by the names that taxi_assets/settings.py reads."
  value       = local.taxi_env
}

output "role_arns" {
  description = "Role (as in dagster, deploy) to its ARN."
  value       = module.identity.role_arns
}

output "repository_url" {
  description = "Where the container image is pushed to."
  value       = module.registry.repository_url
}

output "addresses" {
  description = "Where Dagster's pages and the dashboard are in the VPC; empty in the profile small, which forwards a port."
  value = {
    dagster   = var.orchestrator ? module.orchestrator[0].address : ""
    dashboard = local.dashboard ? module.dashboard[0].address : ""
  }
}

output "budget" {
  description = "Name and USD of the monthly budget."
  value       = { name = module.cost.budget_name, usd = local.budget_usd }
}

output "job_names" {
  description = "The Glue jobs."
  value       = module.glue.job_names
}

output "services" {
  description = "ECS services, by a name of ours."
  value       = merge(var.orchestrator ? module.orchestrator[0].service_names : {}, local.dashboard ? { dashboard = module.dashboard[0].service_name } : {})
}
