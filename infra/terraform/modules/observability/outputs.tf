output "alarm_topic_arn" {
  description = "ARN of the topic that the alarms of the template publish to."
  value       = aws_sns_topic.alarms.arn

  # Users of this output publish to the topic.
  depends_on = [aws_sns_topic_policy.alarms]
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
