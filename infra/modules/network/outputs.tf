output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Addresses of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "public_subnet_ids" {
  description = "The three networks with a route to the internet."
  value       = aws_subnet.public[*].id

  depends_on = [aws_route.internet]
}

output "private_subnet_ids" {
  description = "The three networks without one, or with one by NAT."
  value       = aws_subnet.private[*].id

  depends_on = [aws_route.nat]
}

output "nat_gateway_ids" {
  description = "The NAT gateways."
  value       = aws_nat_gateway.this[*].id
}
