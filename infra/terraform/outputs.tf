output "bucket_names" {
  description = "The lake's buckets, by name."
  value       = module.lake.bucket_names
}

output "raw_retention_days" {
  description = "Days that drops are kept: the longest that a contract asks for, or the environment's minimum."
  value       = local.raw_retention_days
}

output "database_host" {
  description = "Name of the database in the VPC."
  value       = module.database.host
}

output "database_secret_arn" {
  description = "Secret of the master user, for modules/database/roles.sql."
  value       = module.database.master_secret_arn
}

output "pseudonym_secret_arn" {
  description = "Secret that the operator puts the pseudonym key into."
  value       = aws_secretsmanager_secret.pseudonym_key.arn
}

output "spark_log_group_name" {
  description = "Log group of Spark's drivers and executors."
  value       = module.spark.log_group_name
}

output "catalog_database_name" {
  description = "Glue database, which Athena queries."
  value       = module.catalog.database_name
}

output "dashboard_name" {
  description = "CloudWatch dashboard."
  value       = module.observability.dashboard_name
}
