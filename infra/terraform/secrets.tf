# The pseudonym key (HMAC-SHA-256), without a value. An operator sets the value (README), so it is never in a state file or
# a plan, and no apply can change it. With another key, equal values would have other pseudonyms.
resource "aws_secretsmanager_secret" "pseudonym_key" {
  #checkov:skip=CKV2_AWS_57:With another key, equal values have other pseudonyms: docs/security.md describes how to change it

  name                    = "${local.name}/pseudonym-key"
  description             = "Key for the pseudonyms that ingest computes"
  kms_key_id              = aws_kms_key.data.arn
  recovery_window_in_days = 30
}
