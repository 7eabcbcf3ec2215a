output "state_bucket" {
  description = "The bucket to name at terraform init in envs/."
  value       = module.state.bucket
}

output "deploy_role_arn" {
  description = "The role that the deployment workflow takes on; empty without a repository."
  value       = join("", aws_iam_role.github[*].arn)
}
