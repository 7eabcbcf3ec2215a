output "security_group_id" {
  description = "The group of its tasks, which the warehouse lets in."
  value       = aws_security_group.this.id
}

output "service_name" {
  description = "Its ECS service."
  value       = module.service.name
}

output "address" {
  description = "Where it is, as those in the VPC see it; empty without a load balancer."
  value       = module.service.address
}
