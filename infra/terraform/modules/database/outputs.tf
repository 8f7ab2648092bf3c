output "host" {
  description = "Host name: the address of the instance, or the writer endpoint of the cluster."
  value       = local.is_aurora ? aws_rds_cluster.this[0].endpoint : aws_db_instance.this[0].address
}

output "port" {
  description = "TCP port."
  value       = local.port
}

output "database_name" {
  description = "Name of the database with the target tables and the ledger."
  value       = local.database_name
}

output "identifier" {
  description = "DBInstanceIdentifier in CloudWatch metrics: the instance, or the first one of an Aurora cluster."
  value       = local.is_aurora ? aws_rds_cluster_instance.this[0].identifier : aws_db_instance.this[0].identifier
}

output "resource_id" {
  description = "Resource id for the permission rds-db:connect: db-… or cluster-…."
  value       = local.is_aurora ? aws_rds_cluster.this[0].cluster_resource_id : aws_db_instance.this[0].resource_id
}

output "master_secret_arn" {
  description = "Secret with the name and password of the master user, which RDS rotates. For roles.sql and emergencies only."
  value       = local.is_aurora ? aws_rds_cluster.this[0].master_user_secret[0].secret_arn : aws_db_instance.this[0].master_user_secret[0].secret_arn
}

output "writer_user" {
  description = "Login role of the writer function. roles.sql creates it."
  value       = "penstock_writer"
}
