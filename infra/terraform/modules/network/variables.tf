variable "name" {
  type        = string
  nullable    = false
  description = "Prefix of each resource's name, as penstock-<environment>."

  validation {
    condition     = can(regex("^penstock-[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "The name must be penstock-<environment>, the environment in up to 16 lower-case letters, digits and hyphens."
  }
}

variable "cidr_block" {
  type        = string
  nullable    = false
  description = "Private addresses of the VPC, such as 10.20.0.0/16. Each subnet gets a sixteenth. It cannot be changed later."

  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && can(regex("/(1[6-9]|2[0-2])$", var.cidr_block))
    error_message = "The CIDR block must be an IPv4 network from /16 to /22, such as 10.20.0.0/16."
  }
}

variable "zone_count" {
  type        = number
  nullable    = false
  description = "Availability zones with subnets. Each costs an address of each interface endpoint."

  validation {
    condition     = contains([2, 3], var.zone_count)
    error_message = "The subnets must lie in 2 or 3 zones: RDS wants two, and there is no use for a fourth."
  }
}

variable "interface_endpoints" {
  type        = set(string)
  nullable    = false
  description = "Services that are reached from the VPC through an interface endpoint. Each is billed by the hour and zone."

  validation {
    condition = alltrue([
      for service in var.interface_endpoints :
      contains(["sqs", "secretsmanager", "emr-serverless", "rds", "monitoring", "logs"], service)
    ])
    error_message = "The interface endpoints must be out of sqs, secretsmanager, emr-serverless, rds, monitoring, logs."
  }
}

variable "data_key_arn" {
  type        = string
  nullable    = false
  description = "KMS key of the flow logs' log group. Its policy must let CloudWatch Logs use it."
}
