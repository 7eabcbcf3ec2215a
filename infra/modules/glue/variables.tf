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

variable "bucket" {
  description = "Name of the lake's bucket."
  type        = string

  validation {
    condition     = length(var.bucket) >= 3
    error_message = "bucket is the name of a bucket."
  }
}

variable "role_arns" {
  description = "Job (as in stage-trips) to the role that it runs as; it may have others."
  type        = map(string)

  validation {
    condition     = alltrue([for arn in values(var.role_arns) : can(regex("^arn:aws[a-z-]*:iam::", arn))])
    error_message = "role_arns are ARNs of IAM roles."
  }
}

variable "glue_version" {
  description = "Version of Glue for jobs that are made; taxi-assets deploy sets TAXI_GLUE_VERSION afterwards."
  type        = string
  default     = "5.1"

  validation {
    condition     = contains(["5.0", "5.1", "6.0"], var.glue_version)
    error_message = "glue_version is 5.0, 5.1 or 6.0: older ones have no TIMESTAMP_NTZ."
  }
}

variable "max_workers" {
  description = "Workers (G.1X) up to which a job scales by itself."
  type        = number
  default     = 10

  validation {
    condition     = var.max_workers >= 2 && var.max_workers <= 10 && floor(var.max_workers) == var.max_workers
    error_message = "max_workers is 2 to 10."
  }
}

variable "max_concurrent_runs" {
  description = "Runs of one job at the same time; Dagster's pools ask for four at most."
  type        = number
  default     = 5

  validation {
    condition     = var.max_concurrent_runs >= 1 && var.max_concurrent_runs <= 20
    error_message = "max_concurrent_runs is 1 to 20."
  }
}

variable "timeout_minutes" {
  description = "Minutes after which Glue ends a run."
  type        = number
  default     = 60

  validation {
    condition     = var.timeout_minutes >= 1 && var.timeout_minutes <= 2880
    error_message = "timeout_minutes is 1 to 2880."
  }
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([7, 14, 30, 60, 90, 180, 365], var.log_retention_days)
    error_message = "log_retention_days is 7, 14, 30, 60, 90, 180 or 365."
  }
}

variable "optimized_tables" {
  description = "Tables of the quality layer that Glue compacts; they must exist, so not before the first month."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for table in var.optimized_tables : contains(["check_history", "run_metrics"], table)])
    error_message = "Only check_history and run_metrics of the quality layer: versions of other tables can be rolled back to."
  }
}

variable "optimizer_role_arn" {
  description = "Role by which Glue compacts; only read where optimized_tables has any."
  type        = string
  default     = ""

  validation {
    condition     = var.optimizer_role_arn == "" || can(regex("^arn:aws[a-z-]*:iam::", var.optimizer_role_arn))
    error_message = "optimizer_role_arn is an ARN of an IAM role, or empty."
  }
}
