output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Subnets of the functions, one per zone, with the endpoints and a route to S3."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]
}

output "database_subnet_ids" {
  description = "Subnets of the database, one per zone, without a route out of the VPC."
  value       = [for zone in local.zones : aws_subnet.database[zone].id]
}

output "client_security_group_ids" {
  description = "Security groups that may connect to the database, by client: writer, api."
  value       = { for client, group in aws_security_group.clients : client => group.id }
}

output "database_security_group_id" {
  description = "Security group of the database. It accepts connections from the clients on port 5432 only."
  value       = aws_security_group.database.id
}

output "endpoints_security_group_id" {
  description = "Security group of the interface endpoints. It accepts connections from the clients on port 443 only."
  value       = aws_security_group.endpoints.id
}
