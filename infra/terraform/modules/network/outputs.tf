output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Subnets of the functions, one a zone, with the endpoints and a route to S3."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]
}

output "database_subnet_ids" {
  description = "Subnets of the database, one a zone, with no route out of the VPC."
  value       = [for zone in local.zones : aws_subnet.database[zone].id]
}

output "client_security_group_ids" {
  description = "Security groups that may reach the database, by client: writer, api."
  value       = { for client, group in aws_security_group.clients : client => group.id }
}

output "database_security_group_id" {
  description = "Security group of the database: lets the clients in on 5432, and nobody else."
  value       = aws_security_group.database.id
}

output "endpoints_security_group_id" {
  description = "Security group of the interface endpoints: lets the clients in on 443."
  value       = aws_security_group.endpoints.id
}
