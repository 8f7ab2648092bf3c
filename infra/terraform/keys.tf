data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
}

# One key for all that holds rows or speaks of them: whoever loses its use loses everything at once.
resource "aws_kms_key" "data" {
  description             = "Data of ${local.name}: buckets, database, logs, secrets, alarms"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  # Here and not as aws_kms_key_policy: whoever waits for the key waits for its policy. CloudWatch Logs refuses a log group
  # whose key does not let it in, and a `depends_on` of whole modules would put off reading the zones until the apply.
  policy = data.aws_iam_policy_document.data_key.json
}

resource "aws_kms_alias" "data" {
  name          = "alias/${local.name}-data"
  target_key_id = aws_kms_key.data.key_id
}

data "aws_iam_policy_document" "data_key" {
  #checkov:skip=CKV_AWS_109:The policy of a key: its resource is the key, and the account must be able to administer it
  #checkov:skip=CKV_AWS_111:The policy of a key: its resource is the key
  #checkov:skip=CKV_AWS_356:The policy of a key: * is the key

  # IAM decides who of the account uses the key. Without this statement nobody could ever change the policy again.
  # In a key's policy "*" is this key.
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

  # Without it these services fail to publish to the encrypted topic, in silence.
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
