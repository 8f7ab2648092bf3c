# The S3 access logs of raw. They have their own bucket, because otherwise S3 would log its own writes.
resource "aws_s3_bucket" "logs" {
  #checkov:skip=CKV_AWS_18:S3 would log its own writes
  #checkov:skip=CKV_AWS_21:A log file is written once and expires
  #checkov:skip=CKV_AWS_144:The logs belong to one region
  #checkov:skip=CKV_AWS_145:S3 supports access logs with its own key only
  #checkov:skip=CKV2_AWS_62:No function processes log files

  bucket        = local.names["logs"]
  force_destroy = var.force_destroy
}

# S3 delivers access logs only to a bucket that is encrypted with its own key.
resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket                  = aws_s3_bucket.logs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    id     = "keep-${local.logs_days}-days"
    status = "Enabled"

    filter {}

    expiration {
      days = local.logs_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = local.incomplete_days
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = data.aws_iam_policy_document.logs.json

  depends_on = [aws_s3_bucket_public_access_block.logs]
}

data "aws_iam_policy_document" "logs" {
  statement {
    sid       = "LogsOfRaw"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/raw/*"]

    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [aws_s3_bucket.this["raw"].arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.logs.arn, "${aws_s3_bucket.logs.arn}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_logging" "raw" {
  bucket        = aws_s3_bucket.this["raw"].id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "raw/"

  # Partitioned by the day of the access, so that a single day can be searched.
  target_object_key_format {
    partitioned_prefix {
      partition_date_source = "EventTime"
    }
  }

  depends_on = [aws_s3_bucket_policy.logs]
}
