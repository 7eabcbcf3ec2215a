output "name" {
  description = "Name of the service."
  value       = aws_ecs_service.this.name
}

output "address" {
  description = "Where its page is, as those in the VPC see it; empty without one."
  value       = join("", aws_lb.this[*].dns_name)
}
