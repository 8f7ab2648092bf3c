locals {
  log_prefix = local.is_aurora ? "/aws/rds/cluster/${var.name}" : "/aws/rds/instance/${var.name}"
}

resource "aws_cloudwatch_log_group" "exports" {
  for_each = toset(local.log_exports)

  name              = "${local.log_prefix}/${each.key}"
  retention_in_days = 365
  kms_key_id        = var.data_key_arn
}

resource "aws_iam_role" "monitoring" {
  name               = "${var.name}-database-monitoring"
  description        = "Lets RDS write metrics of the operating system to CloudWatch Logs"
  assume_role_policy = data.aws_iam_policy_document.monitoring_trust.json
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "monitoring_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }

    # Prevents RDS from assuming this role for a database of another account.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
