output "database_name" {
  description = "Glue database, which Athena queries."
  value       = aws_glue_catalog_database.this.name
}
