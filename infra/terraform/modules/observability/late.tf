# A source that has not delivered for as long as its contract allows. Each is of Terraform, not of the template, because
# it is made from the contracts, of which the template knows nothing.
resource "aws_cloudwatch_metric_alarm" "late" {
  for_each = var.late_after_hours

  alarm_name          = "${var.name}-late-${each.key}"
  alarm_description   = "Runbook, Late source"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = each.value
  datapoints_to_alarm = each.value
  # A source of which there is no figure at all never delivered, or not for weeks.
  treat_missing_data = "breaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]

  # Hours without a drop have no figure. CloudWatch would look past them, further back than asked, for one that is
  # there, and be late itself; an hour that is filled with 0 counts as it is.
  metric_query {
    id          = "delivered"
    label       = "batches of ${each.key} an hour"
    expression  = "FILL(batches, 0)"
    return_data = true
  }

  metric_query {
    id = "batches"

    metric {
      namespace   = "Penstock"
      metric_name = "batches"
      stat        = "Sum"
      period      = 3600

      dimensions = {
        Environment = local.environment
        source      = each.key
        state       = "committed"
      }
    }
  }

  # An alarm goes off as soon as it is made where nothing was delivered yet.
  depends_on = [aws_sns_topic_policy.alarms]
}
