variable "name" {
  description = "What the names of all resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name has 2 to 21 lower-case letters, digits and hyphens, a letter first."
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

variable "topic_arn" {
  description = "The SNS topic that hears of it."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:", var.topic_arn))
    error_message = "topic_arn is an ARN of an SNS topic."
  }
}

variable "email" {
  description = "Who hears of it by e-mail besides; empty: nobody."
  type        = string
  default     = ""

  validation {
    condition     = var.email == "" || can(regex("^[^@ ]+@[^@ ]+$", var.email))
    error_message = "email is an address, or empty."
  }
}

variable "anomaly_usd" {
  description = "What a day may cost more than expected, in USD, before somebody hears of it."
  type        = number
  default     = 5

  validation {
    condition     = var.anomaly_usd > 0
    error_message = "anomaly_usd is more than 0."
  }
}

variable "anomaly_detection" {
  description = "Whether unexpected costs are looked for; an account has one monitor of all services at most."
  type        = bool
  default     = true
  nullable    = false
}

variable "activate_cost_allocation_tags" {
  description = "Whether the tag Project is made one that bills are split by. AWS knows it a day after the first resource."
  type        = bool
  default     = false
  nullable    = false
}
