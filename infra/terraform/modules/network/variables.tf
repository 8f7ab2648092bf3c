variable "name" {
  type        = string
  nullable    = false
  description = "Prefix of every resource name, as penstock-<environment>."

  validation {
    condition     = can(regex("^penstock-[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "The name must be penstock-<environment>, with an environment of at most 16 lower-case letters, digits and hyphens."
  }
}

variable "cidr_block" {
  type        = string
  nullable    = false
  description = "Private address range of the VPC, such as 10.20.0.0/16. Each subnet has one sixteenth of it. It cannot be changed later."

  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && can(regex("/(1[6-9]|2[0-2])$", var.cidr_block))
    error_message = "The CIDR block must be an IPv4 network from /16 to /22, such as 10.20.0.0/16."
  }
}

variable "zone_count" {
  type        = number
  nullable    = false
  description = "Number of availability zones with subnets. Each interface endpoint is billed in each of them."

  validation {
    condition     = contains([2, 3], var.zone_count)
    error_message = "The number of zones must be 2 or 3: RDS requires two, and a fourth has no use."
  }
}

variable "interface_endpoints" {
  type        = set(string)
  nullable    = false
  description = "Services that are reached from the VPC through an interface endpoint. Each is billed per hour and zone."

  validation {
    condition = alltrue([
      for service in var.interface_endpoints :
      contains(["sqs", "secretsmanager", "emr-serverless", "rds", "monitoring", "logs"], service)
    ])
    error_message = "Each interface endpoint must be one of sqs, secretsmanager, emr-serverless, rds, monitoring, logs."
  }
}

variable "data_key_arn" {
  type        = string
  nullable    = false
  description = "KMS key of the log group of the flow logs. Its policy must permit CloudWatch Logs to use it."
}
