output "alarm_topic_arn" {
  description = "Topic that the template's alarms publish to."
  value       = aws_sns_topic.alarms.arn

  # Whoever reads it publishes to it.
  depends_on = [aws_sns_topic_policy.alarms]
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
