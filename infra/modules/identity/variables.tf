variable "name" {
  description = "What the names of all resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name has 2 to 21 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "account_id" {
  description = "The AWS account, 12 digits."
  type        = string

  validation {
    condition     = can(regex("^\\d{12}$", var.account_id))
    error_message = "account_id has 12 digits."
  }
}

variable "region" {
  description = "The AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-\\d$", var.region))
    error_message = "region is a region's code, such as us-east-1."
  }
}

variable "partition" {
  description = "The AWS partition: aws, aws-cn or aws-us-gov."
  type        = string

  validation {
    condition     = can(regex("^aws(-[a-z]+)*$", var.partition))
    error_message = "partition is aws or begins with aws-."
  }
}

variable "bucket" {
  description = "Name of the lake's bucket."
  type        = string

  validation {
    condition     = length(var.bucket) >= 3
    error_message = "bucket is the name of a bucket."
  }
}

variable "log_group" {
  description = "What the jobs' log groups begin with."
  type        = string

  validation {
    condition     = startswith(var.log_group, "/")
    error_message = "log_group begins with a slash."
  }
}

variable "key_arn" {
  description = "The key that alerts are encrypted with."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.key_arn))
    error_message = "key_arn is an ARN of kms."
  }
}

variable "warehouse" {
  description = "Whether there is a Redshift workgroup."
  type        = bool
  nullable    = false
}

variable "workgroup_arn" {
  description = "That workgroup; only read where warehouse is true."
  type        = string
  default     = ""

  validation {
    condition     = var.workgroup_arn == "" || can(regex("^arn:aws[a-z-]*:redshift-serverless:", var.workgroup_arn))
    error_message = "workgroup_arn is an ARN of redshift-serverless, or empty."
  }
}

variable "warehouse_secret_arn" {
  description = "The secret of the workgroup's administrator; only read where warehouse is true."
  type        = string
  default     = ""

  validation {
    condition     = var.warehouse_secret_arn == "" || can(regex("^arn:aws[a-z-]*:secretsmanager:", var.warehouse_secret_arn))
    error_message = "warehouse_secret_arn is an ARN of secretsmanager, or empty."
  }
}

variable "runs_are_tasks" {
  description = "Whether each run of Dagster is an ECS task of its own."
  type        = bool
  nullable    = false
}

variable "replicate" {
  description = "Whether S3 copies the lake to another region."
  type        = bool
  nullable    = false
}

variable "optimize" {
  description = "Whether Glue compacts tables."
  type        = bool
  nullable    = false
}

variable "operators" {
  description = "ARNs of the IAM roles or users that may act as dagster and deploy, as people do from their own machine."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.operators : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(role|user)/", arn))])
    error_message = "operators are ARNs of IAM roles or users."
  }
}
