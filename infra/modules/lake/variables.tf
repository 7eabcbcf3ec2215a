variable "name" {
  description = "What the names of all resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name has 2 to 21 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "bucket" {
  description = "Name of the lake's bucket, unique in all of AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,54}[a-z0-9]$", var.bucket))
    error_message = "bucket has 3 to 56 lower-case letters, digits and hyphens (no dots: TLS certificates do not cover them; the replica's name is 8 longer)."
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

variable "force_destroy" {
  description = "Whether terraform destroy deletes the bucket with everything in it. Never where the data matters."
  type        = bool
  nullable    = false
}

variable "days_until_infrequent_access" {
  description = "Days after which an object of raw, staging and curated moves to Standard-IA."
  type        = number
  default     = 30

  validation {
    condition     = var.days_until_infrequent_access >= 30
    error_message = "S3 moves nothing to Standard-IA before 30 days."
  }
}

variable "days_until_archive" {
  description = "Days after which an object of raw, staging and curated moves to Glacier Instant Retrieval."
  type        = number
  default     = 90

  validation {
    condition     = var.days_until_archive >= 60
    error_message = "days_until_archive is 60 at least: Standard-IA bills 30 days of an object, and one gets there after 30."
  }
}

variable "noncurrent_days" {
  description = "Days for which an object that was overwritten or deleted can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_days >= 7
    error_message = "noncurrent_days is 7 at least: a mistake takes some days to be noticed."
  }
}

variable "replicate" {
  description = "Whether raw and curated are copied to a bucket in the region of the provider aws.replica."
  type        = bool
  nullable    = false
}

variable "replication_role_arn" {
  description = "Role by which S3 copies the lake; only read where replicate is true."
  type        = string
  default     = ""

  validation {
    condition     = var.replication_role_arn == "" || can(regex("^arn:aws[a-z-]*:iam::", var.replication_role_arn))
    error_message = "replication_role_arn is an ARN of an IAM role, or empty."
  }
}
