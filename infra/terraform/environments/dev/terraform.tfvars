# Small, in two zones, and easy to delete.
environment = "dev"
region      = "eu-central-1"

network = {
  cidr_block          = "10.20.0.0/20"
  zone_count          = 2
  interface_endpoints = ["sqs"]
}

lake = {
  min_raw_retention_days    = 30
  processed_retention_days  = 30
  curated_retention_days    = 30
  quarantine_retention_days = 30
  object_lock               = false
  force_destroy             = true
}

database = {
  engine                    = "postgres"
  instance_class            = "db.t4g.micro"
  multi_az                  = false
  allocated_storage_gib     = 20
  max_allocated_storage_gib = 50
  backup_retention_days     = 1
  deletion_protection       = false
}

spark = {
  maximum_capacity  = { cpu = "16 vCPU", memory = "64 GB", disk = "320 GB" }
  auto_stop_minutes = 5
  architecture      = "ARM64"
}

alarm_emails       = []
monthly_budget_usd = 100
