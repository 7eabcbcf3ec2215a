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
  default     = ""

  validation {
    condition     = var.alert_email == "" || can(regex("^[^@ ]+@[^@ ]+$", var.alert_email))
    error_message = "alert_email is an address, or empty."
  }
}

variable "image_tag" {
  description = "Tag of the container image: the commit that it was built from."
  type        = string
  default     = "none"

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

variable "orchestrator" {
  description = "Whether Dagster runs on ECS; else on somebody's machine."
  type        = bool
  default     = true
  nullable    = false
}

variable "warehouse" {
  description = "Whether there is a Redshift workgroup."
  type        = bool
  default     = true
  nullable    = false
}
