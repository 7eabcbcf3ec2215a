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

variable "email" {
  description = "Who gets alerts by e-mail; they have to confirm. Empty: nobody."
  type        = string
  default     = ""

  validation {
    condition     = var.email == "" || can(regex("^[^@ ]+@[^@ ]+$", var.email))
    error_message = "email is an address, or empty."
  }
}

variable "most_quarantined_percent" {
  description = "Percent of a month in quarantine above which an alarm rings."
  type        = number
  default     = 5

  validation {
    condition     = var.most_quarantined_percent > 0 && var.most_quarantined_percent <= 100
    error_message = "most_quarantined_percent is more than 0, and 100 at most."
  }
}

variable "dead_drop_queue_name" {
  description = "The queue of messages that nobody could take."
  type        = string

  validation {
    condition     = length(var.dead_drop_queue_name) > 0
    error_message = "dead_drop_queue_name is the name of a queue."
  }
}

variable "orchestrated" {
  description = "Whether Dagster runs here: its heartbeat is expected, and its database watched."
  type        = bool
  nullable    = false
}

variable "database_identifier" {
  description = "Name of Dagster's RDS instance; only read where orchestrated is true."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[a-z0-9-]*$", var.database_identifier))
    error_message = "database_identifier is the name of an RDS instance."
  }
}

variable "services" {
  description = "ECS services that are watched, by a name of ours."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for service in values(var.services) : length(service) > 0])
    error_message = "services are names of ECS services."
  }
}

variable "trail" {
  description = "Whether CloudTrail keeps who changed what, objects of the lake included."
  type        = bool
  nullable    = false
}

variable "force_destroy" {
  description = "Whether terraform destroy deletes the bucket of the trail with everything in it."
  type        = bool
  nullable    = false
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
