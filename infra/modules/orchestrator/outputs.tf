output "cluster_arn" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.arn
}

output "security_group_id" {
  description = "The group of Dagster's tasks, which database and warehouse let in."
  value       = aws_security_group.this.id
}

output "service_names" {
  description = "The services, by a name of ours."
  value       = { for name, service in module.service : name => service.name }
}

output "address" {
  description = "Where Dagster's pages are, as those in the VPC see them; empty without a load balancer."
  value       = join("", [for service in module.service : service.address])
}
