output "database_name" {
  description = "Glue database for Athena queries."
  value       = aws_glue_catalog_database.this.name
}
