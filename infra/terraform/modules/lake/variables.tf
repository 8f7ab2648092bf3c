variable "name" {
  type        = string
  nullable    = false
  description = "Prefix of every resource name, as penstock-<environment>."

  validation {
    condition     = can(regex("^penstock-[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "The name must be penstock-<environment>, with an environment of at most 16 lower-case letters, digits and hyphens."
  }
}

variable "data_key_arn" {
  type        = string
  nullable    = false
  description = "KMS key of the buckets. Uploads with another key are denied."
}

variable "retention_days" {
  type = object({
    raw        = number
    processed  = number
    curated    = number
    quarantine = number
  })
  nullable    = false
  description = "Days after which an object expires, by bucket. Contracts and jobs (artifacts) do not expire."

  validation {
    condition     = alltrue([for days in values(var.retention_days) : days >= 15 && days <= 36500 && floor(days) == days])
    error_message = "Each retention must be a whole number of days from 15 to 36,500: a dead letter is retained for 14 days, and its object must still exist."
  }
}

variable "object_lock" {
  type        = bool
  nullable    = false
  description = "Whether drops cannot be changed or deleted during their retention. It cannot be disabled again."
}

variable "force_destroy" {
  type        = bool
  nullable    = false
  description = "Whether a destroy deletes the buckets with all objects. For short-lived copies only."

  validation {
    condition     = !(var.force_destroy && var.object_lock)
    error_message = "force_destroy and object_lock cannot both be true."
  }
}
