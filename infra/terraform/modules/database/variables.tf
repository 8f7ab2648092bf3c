variable "name" {
  type        = string
  nullable    = false
  description = "Prefix of every resource name, as penstock-<environment>."

  validation {
    condition     = can(regex("^penstock-[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "The name must be penstock-<environment>, with an environment of at most 16 lower-case letters, digits and hyphens."
  }
}

variable "engine" {
  type        = string
  nullable    = false
  description = "postgres for RDS PostgreSQL, aurora-postgresql for Aurora. Changing it creates a new, empty database."

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
    error_message = "Aurora does not support micro and small instances. Use db.t4g.medium or larger."
  }
}

variable "multi_az" {
  type        = bool
  nullable    = false
  description = "Whether there is a standby (RDS) or a second instance (Aurora) in another zone."
}

variable "allocated_storage_gib" {
  type        = number
  nullable    = false
  description = "Initial storage in GiB. Aurora ignores it and allocates storage as needed."

  validation {
    condition     = var.allocated_storage_gib >= 20 && var.allocated_storage_gib <= 65536
    error_message = "The storage must be from 20 to 65,536 GiB."
  }
}

variable "max_allocated_storage_gib" {
  type        = number
  nullable    = false
  description = "Maximum storage in GiB, up to which it grows automatically. The database stops if the disk is full."

  validation {
    condition     = var.max_allocated_storage_gib >= var.allocated_storage_gib * 1.1
    error_message = "The maximum storage must be at least 10 % larger than the initial storage, as RDS requires."
  }
}

variable "backup_retention_days" {
  type        = number
  nullable    = false
  description = "Number of days within which the database can be restored to any second."

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "Backups must be retained for 1 to 35 days."
  }
}

variable "deletion_protection" {
  type        = bool
  nullable    = false
  description = "Whether a destroy is prevented. It also sets whether a destroy takes a final snapshot."
}

variable "subnet_ids" {
  type        = list(string)
  nullable    = false
  description = "Subnets in at least two zones, without a route to the internet."

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "RDS requires subnets in at least two zones, even for a single instance."
  }
}

variable "security_group_id" {
  type        = string
  nullable    = false
  description = "Security group that accepts connections from the clients of the database only."
}

variable "data_key_arn" {
  type        = string
  nullable    = false
  description = "KMS key of storage, backups, logs, Performance Insights and the secret of the master user."
}
