variable "region" {
  description = "The AWS region."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-\\d$", var.region))
    error_message = "region is a region's code, such as us-east-1."
  }
}

variable "alert_email" {
  description = "Who gets alerts, and what the budget says, by e-mail; they have to confirm."
  type        = string

  validation {
    condition     = var.alert_email == "" || can(regex("^[^@ ]+@[^@ ]+$", var.alert_email))
    error_message = "alert_email is an address, or empty."
  }
}

variable "image_tag" {
  description = "Tag of the container image: the commit that it was built from."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", var.image_tag))
    error_message = "image_tag is a tag."
  }
}

variable "operators" {
  description = "ARNs of the IAM roles or users that may act as dagster and deploy."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.operators : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(role|user)/", arn))])
    error_message = "operators are ARNs of IAM roles or users."
  }
}

variable "monthly_budget_usd" {
  description = "What a month may cost, in USD."
  type        = number

  validation {
    condition     = var.monthly_budget_usd >= 1
    error_message = "monthly_budget_usd is 1 at least."
  }
}

variable "certificate_arn" {
  description = "Certificate of the load balancers."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "certificate_arn is an ARN of ACM."
  }
}

variable "ui_url" {
  description = "Where people see Dagster's pages."
  type        = string

  validation {
    condition     = startswith(var.ui_url, "https://")
    error_message = "ui_url begins with https://."
  }
}

variable "dashboard_url" {
  description = "Where people see the dashboard."
  type        = string

  validation {
    condition     = startswith(var.dashboard_url, "https://")
    error_message = "dashboard_url begins with https://."
  }
}
