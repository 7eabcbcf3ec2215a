variable "region" {
  description = "The AWS region."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-\\d$", var.region))
    error_message = "region is a region's code, such as us-east-1."
  }
}

variable "repository" {
  description = "OWNER/NAME on GitHub whose workflows may deploy; empty: none."
  type        = string
  default     = ""

  validation {
    condition     = var.repository == "" || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository is OWNER/NAME, or empty."
  }
}

variable "deploy_policy_arns" {
  description = "Managed policies of the role that workflows take on: what Terraform may make. AdministratorAccess, or narrower ones of yours."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.deploy_policy_arns : can(regex("^arn:aws[a-z-]*:iam::", arn))])
    error_message = "deploy_policy_arns are ARNs of IAM policies."
  }
}
