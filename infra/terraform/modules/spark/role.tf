data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

resource "aws_iam_role" "job" {
  name               = "${var.name}-spark-job"
  description        = "Lets Spark jobs read drops and contracts, and write batches and rejects"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["emr-serverless.amazonaws.com"]
    }

    # Prevents EMR Serverless from assuming this role for an application of another account.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role_policy" "job" {
  name   = "job"
  role   = aws_iam_role.job.id
  policy = data.aws_iam_policy_document.job.json
}

data "aws_iam_policy_document" "job" {
  statement {
    sid       = "ReadDrops"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${var.bucket_arns.raw}/*"]
  }

  statement {
    sid       = "ReadTheJob"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arns.artifacts}/${local.jobs_prefix}/*"]
  }

  # The job reads the batch's own copy of the contract, under batches/.
  statement {
    sid     = "WriteBatches"
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = [
      "${var.bucket_arns.processed}/batches/*",
      "${var.bucket_arns.processed}/data/*",
    ]
  }

  statement {
    sid       = "WriteRejects"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["${var.bucket_arns.quarantine}/*"]
  }

  # Without this permission, S3 responds with 403 instead of 404 for a missing object.
  statement {
    sid     = "FindObjects"
    actions = ["s3:ListBucket"]
    resources = [
      var.bucket_arns.raw,
      var.bucket_arns.processed,
      var.bucket_arns.artifacts,
    ]
  }

  statement {
    sid       = "UseTheKeyThroughS3"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.data_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${data.aws_region.current.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.jobs.arn}:*"]
  }

  # EMR finds its log group by name. The action cannot be limited to one log group.
  statement {
    sid       = "FindLogGroups"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:*"]
  }
}
