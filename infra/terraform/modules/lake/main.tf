data "aws_caller_identity" "current" {}

locals {
  # Bucket names must be globally unique, so they include the account id.
  buckets = toset(["raw", "processed", "curated", "quarantine", "artifacts"])
  names   = { for bucket in setunion(local.buckets, ["logs"]) : bucket => "${var.name}-${bucket}-${data.aws_caller_identity.current.account_id}" }

  # A batch refers to a version in raw, and contracts in artifacts are code. curated can be recreated from processed, and
  # rejects are written once.
  versioned = toset(["raw", "processed", "artifacts"])
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Access to raw is logged; the derived buckets would double the log for little benefit
  #checkov:skip=CKV_AWS_21:curated can be recreated from processed, and rejects are written once; the others are versioned
  #checkov:skip=CKV_AWS_144:The loss of a region is out of scope, and the producers can drop their files again
  #checkov:skip=CKV_AWS_145:Each has the data key; checkov does not follow for_each over resources
  #checkov:skip=CKV2_AWS_6:Each has a public access block; checkov does not follow for_each over resources
  #checkov:skip=CKV2_AWS_61:Each has a lifecycle rule; checkov does not follow for_each over resources
  #checkov:skip=CKV2_AWS_62:Only drops in raw are processed

  for_each = local.buckets

  bucket        = local.names[each.key]
  force_destroy = var.force_destroy
  # It can be enabled for an existing bucket, but never disabled.
  object_lock_enabled = each.key == "raw" && var.object_lock
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    # One KMS request serves many objects. With a million small chunks, the difference is most of the cost.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.data_key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.versioned

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

# A drop cannot be changed or deleted during its retention, except with the permission to bypass governance.
resource "aws_s3_bucket_object_lock_configuration" "raw" {
  count = var.object_lock ? 1 : 0

  bucket = aws_s3_bucket.this["raw"].id

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = var.retention_days.raw
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

# The rule in template.yaml receives these events.
resource "aws_s3_bucket_notification" "raw" {
  bucket      = aws_s3_bucket.this["raw"].id
  eventbridge = true
}
