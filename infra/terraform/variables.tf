variable "environment" {
  type        = string
  nullable    = false
  description = "dev, staging, prod, or the name of a developer's copy. Part of each name: penstock-<environment>-…"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.environment))
    error_message = "The environment must be up to 16 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "region" {
  type        = string
  nullable    = false
  description = "AWS region, such as eu-central-1."

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "The region must look like eu-central-1."
  }
}

variable "account_id" {
  type        = string
  default     = null
  description = "The only account that this environment may be made in. Null allows whichever the credentials are of."

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "The account id must be 12 digits, in quotes: it may begin with 0."
  }
}

variable "network" {
  type = object({
    cidr_block          = string
    zone_count          = number
    interface_endpoints = set(string)
  })
  nullable    = false
  description = "Addresses, zones and interface endpoints of the VPC: see modules/network. The writer needs the endpoint sqs."

  validation {
    condition     = contains(var.network.interface_endpoints, "sqs")
    error_message = "The interface endpoints must have sqs: the writer sends to its dead-letter queue through it."
  }
}

variable "lake" {
  type = object({
    min_raw_retention_days    = number
    processed_retention_days  = number
    curated_retention_days    = number
    quarantine_retention_days = number
    object_lock               = bool
    force_destroy             = bool
  })
  nullable    = false
  description = "Retention, and how hard data is to lose: see modules/lake. Drops are kept as long as the longest retention that a contract asks for, and at least min_raw_retention_days."
}

variable "database" {
  type = object({
    engine                    = string
    instance_class            = string
    multi_az                  = bool
    allocated_storage_gib     = number
    max_allocated_storage_gib = number
    backup_retention_days     = number
    deletion_protection       = bool
  })
  nullable    = false
  description = "Kind, size and safety of the database: see modules/database."
}

variable "spark" {
  type = object({
    maximum_capacity = object({
      cpu    = string
      memory = string
      disk   = string
    })
    auto_stop_minutes = number
    architecture      = string
  })
  nullable    = false
  description = "The most that Spark jobs may take together, and when the application stops: see modules/spark."
}

variable "alarm_emails" {
  type        = list(string)
  nullable    = false
  description = "Addresses that alarms go to. Each must confirm the message that it gets."
}

variable "monthly_budget_usd" {
  type        = number
  nullable    = false
  description = "What the account may cost a month, in US dollars. Passing it raises alarms and stops nothing."
}
