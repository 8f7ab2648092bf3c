locals {
  is_aurora     = var.engine == "aurora-postgresql"
  database_name = "penstock"
  master_user   = "penstock_master"
  port          = 5432

  # The major version only. Minor versions are installed automatically in the maintenance window.
  engine_version = "16"

  # Interval of enhanced monitoring in seconds. A shorter one costs more log data.
  monitoring_interval = 60
  # The free tier of Performance Insights.
  performance_insights_days = 7

  ca_certificate     = "rds-ca-rsa2048-g1"
  backup_window      = "01:00-02:00"
  maintenance_window = "sun:02:30-sun:03:30"
  log_exports        = ["postgresql", "iam-db-auth-error"]

  # Environments with deletion protection, such as prod, also have a final snapshot.
  final_snapshot = var.deletion_protection ? "${var.name}-final" : null
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Subnets of the Penstock database, without a route to the internet"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV2_AWS_69:rds.force_ssl is in the parameter group; checkov does not support dynamic blocks

  count = local.is_aurora ? 0 : 1

  identifier     = var.name
  engine         = var.engine
  engine_version = local.engine_version
  instance_class = var.instance_class
  multi_az       = var.multi_az
  db_name        = local.database_name
  port           = local.port

  username                            = local.master_user
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.data_key_arn
  iam_database_authentication_enabled = true

  storage_type          = "gp3"
  allocated_storage     = var.allocated_storage_gib
  max_allocated_storage = var.max_allocated_storage_gib
  storage_encrypted     = true
  kms_key_id            = var.data_key_arn

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false
  ca_cert_identifier     = local.ca_certificate
  parameter_group_name   = aws_db_parameter_group.this[0].name

  backup_retention_period    = var.backup_retention_days
  backup_window              = local.backup_window
  maintenance_window         = local.maintenance_window
  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true
  delete_automated_backups   = !var.deletion_protection
  deletion_protection        = var.deletion_protection
  skip_final_snapshot        = !var.deletion_protection
  final_snapshot_identifier  = local.final_snapshot

  database_insights_mode                = "standard"
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.data_key_arn
  performance_insights_retention_period = local.performance_insights_days
  monitoring_interval                   = local.monitoring_interval
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports       = local.log_exports

  # Otherwise RDS creates the log groups itself, without a key and without a retention.
  depends_on = [aws_cloudwatch_log_group.exports, aws_iam_role_policy_attachment.monitoring]
}

resource "aws_rds_cluster" "this" {
  #checkov:skip=CKV2_AWS_8:RDS provides point-in-time restore; a second backup plan would store the same data again

  count = local.is_aurora ? 1 : 0

  cluster_identifier = var.name
  engine             = var.engine
  engine_version     = local.engine_version
  database_name      = local.database_name
  port               = local.port

  master_username                     = local.master_user
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = var.data_key_arn
  iam_database_authentication_enabled = true

  storage_encrypted = true
  kms_key_id        = var.data_key_arn

  db_subnet_group_name            = aws_db_subnet_group.this.name
  vpc_security_group_ids          = [var.security_group_id]
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this[0].name

  backup_retention_period      = var.backup_retention_days
  preferred_backup_window      = local.backup_window
  preferred_maintenance_window = local.maintenance_window
  copy_tags_to_snapshot        = true
  delete_automated_backups     = !var.deletion_protection
  deletion_protection          = var.deletion_protection
  skip_final_snapshot          = !var.deletion_protection
  final_snapshot_identifier    = local.final_snapshot

  enabled_cloudwatch_logs_exports = local.log_exports

  depends_on = [aws_cloudwatch_log_group.exports]
}

resource "aws_rds_cluster_instance" "this" {
  count = local.is_aurora ? (var.multi_az ? 2 : 1) : 0

  identifier           = "${var.name}-${count.index + 1}"
  cluster_identifier   = aws_rds_cluster.this[0].id
  engine               = var.engine
  engine_version       = local.engine_version
  instance_class       = var.instance_class
  db_subnet_group_name = aws_db_subnet_group.this.name
  publicly_accessible  = false
  ca_cert_identifier   = local.ca_certificate

  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.data_key_arn
  performance_insights_retention_period = local.performance_insights_days
  monitoring_interval                   = local.monitoring_interval
  monitoring_role_arn                   = aws_iam_role.monitoring.arn

  depends_on = [aws_iam_role_policy_attachment.monitoring]
}
