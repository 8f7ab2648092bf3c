variable "name" {
  type        = string
  nullable    = false
  description = "Prefix of each resource's name, as penstock-<environment>."

  validation {
    condition     = can(regex("^penstock-[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "The name must be penstock-<environment>, the environment in up to 16 lower-case letters, digits and hyphens."
  }
}

variable "engine" {
  type        = string
  nullable    = false
  description = "postgres for RDS PostgreSQL, aurora-postgresql for Aurora. Changing it makes a new, empty database."

  validation {
    condition     = contains(["postgres", "aurora-postgresql"], var.engine)
    error_message = "The engine must be postgres or aurora-postgresql."
  }
}

variable "instance_class" {
  type        = string
  nullable    = false
  description = "Size of the instance, such as db.t4g.micro or db.r7g.large. Aurora's smallest is db.t4g.medium."

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "The instance class must look like db.t4g.micro."
  }

  validation {
    condition     = var.engine == "postgres" || !can(regex("\\.(micro|small)$", var.instance_class))
    error_message = "Aurora has no micro and no small instances: take db.t4g.medium or larger."
  }
}

variable "multi_az" {
  type        = bool
  nullable    = false
  description = "Whether a standby (RDS) or a second instance (Aurora) waits in another zone."
}

variable "allocated_storage_gib" {
  type        = number
  nullable    = false
  description = "Storage to begin with, in GiB. Aurora takes what it needs and ignores this."

  validation {
    condition     = var.allocated_storage_gib >= 20 && var.allocated_storage_gib <= 65536
    error_message = "The storage must be from 20 to 65,536 GiB."
  }
}

variable "max_allocated_storage_gib" {
  type        = number
  nullable    = false
  description = "What the storage may grow to by itself, in GiB. A full disk stops the database, so this is the room for surprises."

  validation {
    condition     = var.max_allocated_storage_gib >= var.allocated_storage_gib * 1.1
    error_message = "The storage must be allowed to grow by a tenth at least: RDS refuses less."
  }
}

variable "backup_retention_days" {
  type        = number
  nullable    = false
  description = "Days for which the database can be restored to any second."

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "Backups must be kept from 1 to 35 days."
  }
}

variable "deletion_protection" {
  type        = bool
  nullable    = false
  description = "Whether a destroy is refused. Where it is on, a last snapshot is taken too when it has been switched off."
}

variable "subnet_ids" {
  type        = list(string)
  nullable    = false
  description = "Subnets in at least two zones, without a way to the internet."

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "RDS wants subnets in at least two zones, also for a single instance."
  }
}

variable "security_group_id" {
  type        = string
  nullable    = false
  description = "Security group that lets the database's clients in, and nobody else."
}

variable "data_key_arn" {
  type        = string
  nullable    = false
  description = "KMS key for storage, backups, logs, Performance Insights and the master user's secret."
}
