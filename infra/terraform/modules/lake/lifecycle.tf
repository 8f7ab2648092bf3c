locals {
  # Age in days at which an object moves to the class. Each class has a minimum duration that is always billed, 30 days for
  # the first and 90 for the second, so a shorter retention skips the class.
  infrequent_days = 30
  glacier_days    = 90

  transitions = {
    for bucket, days in var.retention_days : bucket => [
      for one in [
        { days = local.infrequent_days, storage_class = "STANDARD_IA", minimum_days = 30 },
        { days = local.glacier_days, storage_class = "GLACIER_IR", minimum_days = 90 },
      ] : one if days >= one.days + one.minimum_days
    ]
  }

  # An overwritten or deleted version can be restored for this time, at most for the retention of the object itself.
  noncurrent_days = 30
  # An incomplete multipart upload is not listed but billed.
  incomplete_days = 2
  logs_days       = 365
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = var.retention_days

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "keep-${each.value}-days"
    status = "Enabled"

    filter {}

    dynamic "transition" {
      for_each = local.transitions[each.key]

      content {
        days          = transition.value.days
        storage_class = transition.value.storage_class
      }
    }

    expiration {
      days = each.value
    }

    noncurrent_version_expiration {
      noncurrent_days = min(local.noncurrent_days, each.value)
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = local.incomplete_days
    }
  }

  # Each writer overwrites its state while it runs, under a name of its own.
  dynamic "rule" {
    for_each = each.key == "processed" ? ["status"] : []

    content {
      id     = "status-of-writers"
      status = "Enabled"

      filter {
        prefix = "status/"
      }

      expiration {
        days = 1
      }

      noncurrent_version_expiration {
        noncurrent_days = 1
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

# Contracts and jobs do not expire: a batch refers to the version it was processed with.
resource "aws_s3_bucket_lifecycle_configuration" "artifacts" {
  bucket = aws_s3_bucket.this["artifacts"].id

  rule {
    id     = "keep"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 365
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = local.incomplete_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
