locals {
  region      = data.aws_region.current.region
  environment = trimprefix(var.name, "penstock-")

  # The application's functions and queues, by their names in template.yaml (without penstock-<environment>-).
  template   = file(var.template_file)
  functions  = flatten(regexall("FunctionName: !Sub penstock-\\$\\{Environment\\}-([a-z0-9-]+)", local.template))
  all_queues = flatten(regexall("QueueName: !Sub penstock-\\$\\{Environment\\}-([a-z0-9-]+)", local.template))
  queues     = [for queue in local.all_queues : queue if !endswith(queue, "-dead-letters")]

  # Metrics of a processed batch have the dimensions source and state, those of the writer and the sentinel only source. All
  # are selected by environment, because the account may have several. SEARCH includes new sources automatically.
  of_reading = "{Penstock,environment,source,state} environment=\"${local.environment}\""
  of_source  = "{Penstock,environment,source} environment=\"${local.environment}\""

  widgets = [
    {
      title = "Drops processed, by source and outcome"
      stat  = "Sum"
      stack = true
      metrics = [
        [{ expression = "SEARCH('${local.of_reading} MetricName=\"batches\"', 'Sum', 300)", label = "" }],
      ]
    },
    {
      title = "Rows read and loaded"
      stat  = "Sum"
      metrics = [
        [{ expression = "SUM(SEARCH('${local.of_reading} MetricName=\"rows_read\"', 'Sum', 300))", label = "read" }],
        [{ expression = "SUM(SEARCH('${local.of_source} MetricName=\"rows_loaded\"', 'Sum', 300))", label = "loaded" }],
      ]
    },
    {
      title = "Rejects by source"
      stat  = "Sum"
      stack = true
      metrics = [
        [{ expression = "SEARCH('${local.of_reading} MetricName=\"rows_rejected\"', 'Sum', 300)", label = "" }],
      ]
    },
    {
      title  = "Freshness: seconds since the last drop, by source"
      stat   = "Maximum"
      period = 1800
      metrics = [
        [{ expression = "SEARCH('${local.of_source} MetricName=\"seconds_since_drop\"', 'Maximum', 1800)", label = "" }],
      ]
    },
    {
      title  = "Sentinel: late sources, missed drops, stuck batches"
      stat   = "Maximum"
      period = 1800
      metrics = [
        [{ expression = "SUM(SEARCH('${local.of_source} MetricName=\"late\"', 'Maximum', 1800))", label = "late sources" }],
        [{ expression = "SUM(SEARCH('${local.of_source} MetricName=\"missed_drops\"', 'Maximum', 1800))", label = "missed drops" }],
        [{ expression = "SUM(SEARCH('${local.of_source} MetricName=\"stuck_batches\"', 'Maximum', 1800))", label = "stuck batches" }],
      ]
    },
    {
      title = "Seconds from drop to load, by source"
      stat  = "Maximum"
      metrics = [
        [{ expression = "SEARCH('${local.of_source} MetricName=\"drop_to_loaded_seconds\"', 'Maximum', 300)", label = "" }],
      ]
    },
    {
      title = "Age of the oldest message, seconds"
      stat  = "Maximum"
      metrics = [
        for queue in local.queues :
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "${var.name}-${queue}", { label = queue }]
      ]
    },
    {
      title = "Dead letters waiting"
      stat  = "Maximum"
      metrics = [
        for queue in local.queues :
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.name}-${queue}-dead-letters", { label = queue }]
      ]
    },
    {
      title = "Writer: rows per second"
      stat  = "Sum"
      metrics = [
        [{ expression = "SUM(SEARCH('${local.of_source} MetricName=\"rows_applied\"', 'Sum', 60)) / 60", label = "applied" }],
        [{ expression = "SUM(SEARCH('${local.of_source} MetricName=\"rows_loaded\"', 'Sum', 60)) / 60", label = "loaded" }],
      ]
    },
    {
      title = "Writer: seconds per transaction, p95 by source"
      stat  = "p95"
      metrics = [
        [{ expression = "SEARCH('${local.of_source} MetricName=\"transaction_seconds\"', 'p95', 300)", label = "" }],
      ]
    },
    {
      title = "Writer: budget of the throttle and congestion"
      stat  = "Minimum"
      metrics = [
        [{ expression = "MIN(SEARCH('${local.of_source} MetricName=\"budget_rows_per_second\"', 'Minimum', 60))", label = "rows per second" }],
        [{ expression = "SUM(SEARCH('${local.of_source} MetricName=\"congested\"', 'Sum', 60))", label = "congested", yAxis = "right" }],
        [{ expression = "SUM(SEARCH('${local.of_source} MetricName=\"throttle_wait_seconds\"', 'Sum', 60))", label = "waited s", yAxis = "right" }],
        [{ expression = "SUM(SEARCH('${local.of_source} MetricName=\"chunks_postponed\"', 'Sum', 60))", label = "postponed chunks", yAxis = "right" }],
      ]
    },
    {
      title = "Batches whose rows do not add up"
      stat  = "Sum"
      metrics = [
        [{ expression = "SUM(SEARCH('${local.of_source} MetricName=\"accounting_broken\"', 'Sum', 300))", label = "broken" }],
      ]
    },
    {
      title = "Database: load and CPU"
      stat  = "Average"
      metrics = [
        ["AWS/RDS", "DBLoad", "DBInstanceIdentifier", var.database_identifier, { label = "active sessions" }],
        ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", var.database_identifier, { label = "CPU %", yAxis = "right" }],
      ]
    },
    {
      title = "Database: connections and free space"
      stat  = "Maximum"
      metrics = [
        ["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", var.database_identifier, { label = "connections" }],
        ["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", var.database_identifier, { label = "free bytes", yAxis = "right", stat = "Minimum" }],
      ]
    },
    {
      title = "Functions: errors and throttles"
      stat  = "Sum"
      metrics = concat(
        [for function in local.functions : ["AWS/Lambda", "Errors", "FunctionName", "${var.name}-${function}", { label = "${function} errors" }]],
        [for function in local.functions : ["AWS/Lambda", "Throttles", "FunctionName", "${var.name}-${function}", { label = "${function} throttles" }]],
      )
    },
    {
      title = "Functions: concurrent executions, and longest run in milliseconds"
      stat  = "Maximum"
      metrics = concat(
        [for function in local.functions : ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", "${var.name}-${function}", { label = function }]],
        [for function in local.functions : ["AWS/Lambda", "Duration", "FunctionName", "${var.name}-${function}", { label = "${function} ms", yAxis = "right" }]],
      )
    },
    {
      title = "Spark: jobs and vCPUs"
      stat  = "Maximum"
      metrics = [
        [{ expression = "SEARCH('Namespace=\"AWS/EMRServerless\" ApplicationId=\"${var.spark_application_id}\" MetricName=(\"RunningJobs\" OR \"PendingJobs\" OR \"FailedJobs\")', 'Maximum', 300)", label = "" }],
        [{ expression = "SUM(SEARCH('Namespace=\"AWS/EMRServerless\" ApplicationId=\"${var.spark_application_id}\" MetricName=\"CPUAllocated\"', 'Maximum', 300))", label = "vCPUs", yAxis = "right" }],
      ]
    },
    {
      title  = "Cost of the account this month, US dollars"
      stat   = "Maximum"
      period = 21600
      # Billing metrics exist in this region only.
      region = "us-east-1"
      metrics = [
        ["AWS/Billing", "EstimatedCharges", "Currency", "USD", { label = "estimated" }],
      ]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    start = "-P1D"
    widgets = [
      for index, widget in local.widgets : {
        type   = "metric"
        x      = 8 * (index % 3)
        y      = 6 * floor(index / 3)
        width  = 8
        height = 6
        properties = {
          title   = widget.title
          view    = "timeSeries"
          stacked = try(widget.stack, false)
          region  = try(widget.region, local.region)
          stat    = widget.stat
          period  = try(widget.period, 300)
          metrics = widget.metrics
          yAxis   = { left = { min = 0 }, right = { min = 0 } }
        }
      }
    ]
  })
}
