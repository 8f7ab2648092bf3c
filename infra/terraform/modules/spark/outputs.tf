output "application_id" {
  description = "Id of the application, an argument of StartJobRun."
  value       = aws_emrserverless_application.this.id
}

output "application_arn" {
  description = "ARN of the application, the resource of the permission to start jobs."
  value       = aws_emrserverless_application.this.arn
}

output "job_role_arn" {
  description = "ARN of the role that jobs run with. Ingest needs the permission to pass it."
  value       = aws_iam_role.job.arn
}

output "job_role_name" {
  description = "Name of the job's role."
  value       = aws_iam_role.job.name
}

output "entry_point" {
  description = "S3 URI of the job that standardises a drop. It is set even if the job has not been uploaded."
  value       = "s3://${local.artifacts_bucket}/${local.jobs_prefix}/standardise.py"
}

output "log_group_name" {
  description = "Log group of the drivers and executors."
  value       = aws_cloudwatch_log_group.jobs.name
}
