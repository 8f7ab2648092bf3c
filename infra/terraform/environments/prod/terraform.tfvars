# Protected against data loss: a standby, a month of backups, drops that cannot be deleted.
environment = "prod"
region      = "eu-central-1"

network = {
  cidr_block          = "10.22.0.0/16"
  zone_count          = 3
  interface_endpoints = ["sqs", "secretsmanager"]
}

lake = {
  min_raw_retention_days    = 365
  processed_retention_days  = 730
  curated_retention_days    = 730
  quarantine_retention_days = 90
  object_lock               = true
  force_destroy             = false
}

database = {
  engine                    = "postgres"
  instance_class            = "db.r7g.large"
  multi_az                  = true
  allocated_storage_gib     = 200
  max_allocated_storage_gib = 1000
  backup_retention_days     = 35
  deletion_protection       = true
}

spark = {
  maximum_capacity  = { cpu = "128 vCPU", memory = "512 GB", disk = "2560 GB" }
  auto_stop_minutes = 15
  architecture      = "ARM64"
}

alarm_emails       = ["data-team@example.com"]
monthly_budget_usd = 1500
