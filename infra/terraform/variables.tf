variable "environment" {
  type        = string
  nullable    = false
  description = "Name of the environment: dev, staging, prod, or that of a developer's copy. It is part of every resource name: penstock-<environment>-…"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.environment))
    error_message = "The environment must be at most 16 lower-case letters, digits and hyphens, and must begin with a letter."
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
  description = "The only account in which this environment may be created. Null allows the account of the credentials."

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "The account id must be 12 digits in quotes, because it may begin with 0."
  }
}

variable "network" {
  type = object({
    cidr_block          = string
    zone_count          = number
    interface_endpoints = set(string)
  })
  nullable    = false
  description = "Addresses, zones and interface endpoints of the VPC. See modules/network. The writer needs the endpoint sqs."

  validation {
    condition     = contains(var.network.interface_endpoints, "sqs")
    error_message = "The interface endpoints must include sqs: the writer sends to its dead-letter queue through it."
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
  description = "Retention and protection of the data. See modules/lake. Drops are retained for the longest retention of any contract, and at least for min_raw_retention_days."
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
  description = "Engine, size and protection of the database. See modules/database."
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
  description = "Maximum capacity of all Spark jobs together, and the idle time after which the application stops. See modules/spark."
}

variable "alarm_emails" {
  type        = list(string)
  nullable    = false
  description = "E-mail addresses that receive the alarms. Each must confirm its subscription."
}

variable "monthly_budget_usd" {
  type        = number
  nullable    = false
  description = "Monthly budget of the account in US dollars. Exceeding it sends notifications and stops nothing."
}
