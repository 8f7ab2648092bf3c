data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
}

# One key for everything that contains or describes rows. Disabling it stops all access at once.
resource "aws_kms_key" "data" {
  description             = "Data of ${local.name}: buckets, database, logs, secrets, alarms"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  # Inline instead of aws_kms_key_policy, so that resources that depend on the key also depend on its policy. CloudWatch
  # Logs rejects a log group whose key does not permit it, and a `depends_on` on whole modules would defer reading the
  # zones until the apply.
  policy = data.aws_iam_policy_document.data_key.json
}

resource "aws_kms_alias" "data" {
  name          = "alias/${local.name}-data"
  target_key_id = aws_kms_key.data.key_id
}

data "aws_iam_policy_document" "data_key" {
  #checkov:skip=CKV_AWS_109:Key policy: its resource is the key, and the account must be able to administer it
  #checkov:skip=CKV_AWS_111:Key policy: its resource is the key
  #checkov:skip=CKV_AWS_356:Key policy: * is the key

  # IAM decides which principals of the account use the key. Without this statement, the policy could never be changed
  # again. In a key policy, "*" is this key.
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }

  statement {
    sid = "LogGroups"
    actions = [
      "kms:Decrypt*",
      "kms:Describe*",
      "kms:Encrypt*",
      "kms:GenerateDataKey*",
      "kms:ReEncrypt*",
    ]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${var.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group:*"]
    }
  }

  # Without this statement, these services fail to publish to the encrypted topic and report no error.
  statement {
    sid       = "AlarmTopic"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com", "events.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}
