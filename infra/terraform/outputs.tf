output "bucket_names" {
  description = "Names of the lake's buckets."
  value       = module.lake.bucket_names
}

output "raw_retention_days" {
  description = "Retention of drops in days: the longest retention of any contract, or the environment's minimum if that is longer."
  value       = local.raw_retention_days
}

output "database_host" {
  description = "Host name of the database."
  value       = module.database.host
}

output "database_secret_arn" {
  description = "Secret of the master user, needed for modules/database/roles.sql."
  value       = module.database.master_secret_arn
}

output "pseudonym_secret_arn" {
  description = "Secret for the pseudonym key. The operator sets its value."
  value       = aws_secretsmanager_secret.pseudonym_key.arn
}

output "spark_log_group_name" {
  description = "Log group of the Spark drivers and executors."
  value       = module.spark.log_group_name
}

output "catalog_database_name" {
  description = "Glue database for Athena queries."
  value       = module.catalog.database_name
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.observability.dashboard_name
}
