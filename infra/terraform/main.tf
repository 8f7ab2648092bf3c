locals {
  name = "penstock-${var.environment}"
}

module "network" {
  source = "./modules/network"

  name                = local.name
  cidr_block          = var.network.cidr_block
  zone_count          = var.network.zone_count
  interface_endpoints = var.network.interface_endpoints
  data_key_arn        = aws_kms_key.data.arn
}

module "lake" {
  source = "./modules/lake"

  name          = local.name
  data_key_arn  = aws_kms_key.data.arn
  object_lock   = var.lake.object_lock
  force_destroy = var.lake.force_destroy

  retention_days = {
    raw        = local.raw_retention_days
    processed  = var.lake.processed_retention_days
    curated    = var.lake.curated_retention_days
    quarantine = var.lake.quarantine_retention_days
  }
}

module "database" {
  source = "./modules/database"

  name                      = local.name
  engine                    = var.database.engine
  instance_class            = var.database.instance_class
  multi_az                  = var.database.multi_az
  allocated_storage_gib     = var.database.allocated_storage_gib
  max_allocated_storage_gib = var.database.max_allocated_storage_gib
  backup_retention_days     = var.database.backup_retention_days
  deletion_protection       = var.database.deletion_protection
  subnet_ids                = module.network.database_subnet_ids
  security_group_id         = module.network.database_security_group_id
  data_key_arn              = aws_kms_key.data.arn
}

# In EMR's own network: a job reads and writes S3 and does not need the database.
module "spark" {
  source = "./modules/spark"

  name              = local.name
  bucket_arns       = module.lake.bucket_arns
  data_key_arn      = aws_kms_key.data.arn
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = null
  maximum_capacity  = var.spark.maximum_capacity
  auto_stop_minutes = var.spark.auto_stop_minutes
  architecture      = var.spark.architecture
}

module "catalog" {
  source = "./modules/catalog"

  name         = local.name
  bucket_names = module.lake.bucket_names
  tables_file  = "${path.root}/catalog.json"
}

module "observability" {
  source = "./modules/observability"

  name                 = local.name
  template_file        = "${path.root}/../../template.yaml"
  alarm_emails         = var.alarm_emails
  monthly_budget_usd   = var.monthly_budget_usd
  data_key_arn         = aws_kms_key.data.arn
  database_identifier  = module.database.identifier
  spark_application_id = module.spark.application_id
}
