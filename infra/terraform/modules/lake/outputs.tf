output "bucket_names" {
  description = "Names of the buckets raw, processed, curated, quarantine and artifacts."
  value       = { for bucket, one in aws_s3_bucket.this : bucket => one.id }
}

output "bucket_arns" {
  description = "ARNs of the buckets raw, processed, curated, quarantine and artifacts."
  value       = { for bucket, one in aws_s3_bucket.this : bucket => one.arn }
}
