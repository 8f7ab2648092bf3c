variable "name" {
  type        = string
  nullable    = false
  description = "Prefix of every resource name, as penstock-<environment>."

  validation {
    condition     = can(regex("^penstock-[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "The name must be penstock-<environment>, with an environment of at most 16 lower-case letters, digits and hyphens."
  }
}

variable "bucket_arns" {
  type = object({
    raw        = string
    processed  = string
    quarantine = string
    artifacts  = string
  })
  nullable    = false
  description = "ARNs of the lake's buckets that a job reads or writes."
}

variable "data_key_arn" {
  type        = string
  nullable    = false
  description = "KMS key of the buckets and of the log group."
}

variable "subnet_ids" {
  type        = list(string)
  nullable    = false
  description = "Private subnets of the workers. They are used only if security_group_id is set."
}

variable "security_group_id" {
  type        = string
  default     = null
  description = "Security group of the workers in the VPC. If it is null, they run in EMR's own network: a job needs only S3."
}

variable "maximum_capacity" {
  type = object({
    cpu    = string
    memory = string
    disk   = string
  })
  nullable    = false
  description = "Maximum capacity of all jobs together, such as 32 vCPU, 128 GB, 640 GB. It limits the cost per hour: a job that does not fit waits."

  validation {
    condition     = can(regex("^[1-9][0-9]* ?vCPU$", var.maximum_capacity.cpu))
    error_message = "The cpu must be a number of vCPU, such as \"32 vCPU\"."
  }

  validation {
    condition     = can(regex("^[1-9][0-9]* ?GB$", var.maximum_capacity.memory)) && can(regex("^[1-9][0-9]* ?GB$", var.maximum_capacity.disk))
    error_message = "The memory and the disk must be numbers of GB, such as \"128 GB\"."
  }
}

variable "initial_capacity" {
  type = map(object({
    worker_count = number
    cpu          = string
    memory       = string
    disk         = string
  }))
  default     = {}
  nullable    = false
  description = "Pre-initialised workers of a started application, by kind (Driver, Executor). They are billed even when idle. The default is none."

  validation {
    condition     = alltrue([for kind in keys(var.initial_capacity) : contains(["Driver", "Executor"], kind)])
    error_message = "Each kind of worker must be Driver or Executor."
  }
}

variable "auto_stop_minutes" {
  type        = number
  nullable    = false
  description = "Idle time in minutes after which the application stops. A stopped application is free."

  validation {
    condition     = var.auto_stop_minutes >= 1 && var.auto_stop_minutes <= 10080
    error_message = "The application must stop after 1 to 10,080 idle minutes."
  }
}

variable "architecture" {
  type        = string
  nullable    = false
  description = "Instruction set: ARM64 (20 % cheaper) or X86_64. The wheel of the engine must be built for it."

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "The architecture must be ARM64 or X86_64."
  }
}
