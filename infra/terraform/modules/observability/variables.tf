variable "name" {
  type        = string
  nullable    = false
  description = "Prefix of every resource name, as penstock-<environment>, including the queues and functions of the template."

  validation {
    condition     = can(regex("^penstock-[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "The name must be penstock-<environment>, with an environment of at most 16 lower-case letters, digits and hyphens."
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
  description = "E-mail addresses that receive the alarms. Each must confirm its subscription."

  validation {
    condition     = alltrue([for email in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "Each alarm email must be an address such as data-team@example.com."
  }
}

variable "monthly_budget_usd" {
  type        = number
  nullable    = false
  description = "Monthly budget of the account in US dollars. Exceeding it sends notifications and stops nothing."

  validation {
    condition     = var.monthly_budget_usd >= 1
    error_message = "The budget must be at least 1 US dollar."
  }
}

variable "data_key_arn" {
  type        = string
  nullable    = false
  description = "KMS key of the alarm topic. Its policy must permit CloudWatch, Budgets and EventBridge to use it (README)."
}

variable "database_identifier" {
  type        = string
  nullable    = false
  description = "DBInstanceIdentifier of the database on the dashboard."
}

variable "spark_application_id" {
  type        = string
  nullable    = false
  description = "Id of the EMR Serverless application on the dashboard."
}
