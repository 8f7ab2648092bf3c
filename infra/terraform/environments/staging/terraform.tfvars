# A small version of prod, with the same engine, a standby and the same endpoints, so that tests are representative.
environment = "staging"
region      = "eu-central-1"

network = {
  cidr_block          = "10.21.0.0/16"
  zone_count          = 2
  interface_endpoints = ["sqs", "secretsmanager"]
}

lake = {
  min_raw_retention_days    = 30
  processed_retention_days  = 90
  curated_retention_days    = 90
  quarantine_retention_days = 30
  object_lock               = false
  force_destroy             = false
}

database = {
  engine                    = "postgres"
  instance_class            = "db.t4g.medium"
  multi_az                  = true
  allocated_storage_gib     = 50
  max_allocated_storage_gib = 200
  backup_retention_days     = 7
  deletion_protection       = false
}

spark = {
  maximum_capacity  = { cpu = "32 vCPU", memory = "128 GB", disk = "640 GB" }
  auto_stop_minutes = 10
  architecture      = "ARM64"
}

alarm_emails       = ["data-team@example.com"]
monthly_budget_usd = 300
