locals {
  # SSM parameters /penstock/<environment>/<name>, which template.yaml reads. tests/infra compares the names.
  parameters = {
    "raw-bucket"        = module.lake.bucket_names["raw"]
    "processed-bucket"  = module.lake.bucket_names["processed"]
    "curated-bucket"    = module.lake.bucket_names["curated"]
    "quarantine-bucket" = module.lake.bucket_names["quarantine"]
    "artifacts-bucket"  = module.lake.bucket_names["artifacts"]

    "database-host"        = module.database.host
    "database-port"        = tostring(module.database.port)
    "database-name"        = module.database.database_name
    "database-user"        = module.database.writer_user
    "database-resource-id" = module.database.resource_id
    "database-instance"    = module.database.identifier
    "database-secret-arn"  = module.database.master_secret_arn

    "spark-application-id" = module.spark.application_id
    "spark-job-role-arn"   = module.spark.job_role_arn
    "spark-entry-point"    = module.spark.entry_point

    "data-key-arn"         = aws_kms_key.data.arn
    "alarm-topic-arn"      = module.observability.alarm_topic_arn
    "pseudonym-secret-arn" = aws_secretsmanager_secret.pseudonym_key.arn
  }

  list_parameters = {
    "database-client-subnet-ids"         = module.network.private_subnet_ids
    "database-client-security-group-ids" = [module.network.client_security_group_ids["writer"]]
  }
}

# The values are names and ARNs, not secrets. CloudFormation could not read the type SecureString.
resource "aws_ssm_parameter" "this" {
  #checkov:skip=CKV2_AWS_34:Names and ARNs, no secrets; CloudFormation cannot read a SecureString here

  for_each = local.parameters

  name  = "/penstock/${var.environment}/${each.key}"
  type  = "String"
  value = each.value
}

resource "aws_ssm_parameter" "lists" {
  #checkov:skip=CKV2_AWS_34:Names and ARNs, no secrets; CloudFormation cannot read a SecureString here

  for_each = local.list_parameters

  name  = "/penstock/${var.environment}/${each.key}"
  type  = "StringList"
  value = join(",", each.value)
}
