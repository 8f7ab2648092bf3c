variable "name" {
  type        = string
  nullable    = false
  description = "Prefix of each resource's name, as penstock-<environment>. The queues and functions of the template are found by it."

  validation {
    condition     = can(regex("^penstock-[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "The name must be penstock-<environment>, the environment in up to 16 lower-case letters, digits and hyphens."
  }
}

variable "template_file" {
  type        = string
  nullable    = false
  description = "Path of template.yaml. The dashboard shows the functions and queues that it defines."
}

variable "alarm_emails" {
  type        = list(string)
  nullable    = false
  description = "Addresses that alarms go to. Each gets a message first and must confirm it."

  validation {
    condition     = alltrue([for email in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "Each alarm email must be an address such as data-team@example.com."
  }
}

variable "monthly_budget_usd" {
  type        = number
  nullable    = false
  description = "What the account may cost a month, in US dollars. Passing it raises alarms and stops nothing."

  validation {
    condition     = var.monthly_budget_usd >= 1
    error_message = "The budget must be at least 1 US dollar."
  }
}

variable "data_key_arn" {
  type        = string
  nullable    = false
  description = "KMS key of the alarm topic. Its policy must let CloudWatch, Budgets and EventBridge use it (README)."
}

variable "database_identifier" {
  type        = string
  nullable    = false
  description = "DBInstanceIdentifier whose load the dashboard shows."
}

variable "spark_application_id" {
  type        = string
  nullable    = false
  description = "EMR Serverless application whose jobs the dashboard shows."
}
