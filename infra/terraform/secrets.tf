# The key of the pseudonyms (HMAC-SHA-256), without a value: an operator puts it in (README), so that it is in no state
# file and no plan, and no apply can change it. Another key would give equal values other pseudonyms.
resource "aws_secretsmanager_secret" "pseudonym_key" {
  #checkov:skip=CKV2_AWS_57:Another key gives equal values other pseudonyms: docs/security.md says how it is changed

  name                    = "${local.name}/pseudonym-key"
  description             = "Key with which ingest pseudonymises what a contract calls personal"
  kms_key_id              = aws_kms_key.data.arn
  recovery_window_in_days = 30
}
