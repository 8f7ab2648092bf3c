output "application_id" {
  description = "Id that StartJobRun takes."
  value       = aws_emrserverless_application.this.id
}

output "application_arn" {
  description = "ARN that a permission to start jobs is given for."
  value       = aws_emrserverless_application.this.arn
}

output "job_role_arn" {
  description = "Role that a job runs with, and that ingest must be allowed to pass."
  value       = aws_iam_role.job.arn
}

output "job_role_name" {
  description = "Name of the job's role."
  value       = aws_iam_role.job.name
}

output "entry_point" {
  description = "S3 URI of the job that standardises a drop. Known also before the job has been uploaded."
  value       = "s3://${local.artifacts_bucket}/${local.jobs_prefix}/standardise.py"
}

output "log_group_name" {
  description = "Log group of drivers and executors."
  value       = aws_cloudwatch_log_group.jobs.name
}
