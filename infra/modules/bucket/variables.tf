variable "bucket" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket has 3 to 63 lower-case letters, digits and hyphens (no dots: TLS certificates do not cover them)."
  }
}

variable "force_destroy" {
  description = "Whether terraform destroy deletes the bucket with everything in it. Never where the data matters."
  type        = bool
  nullable    = false
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

variable "transitions" {
  description = "Folder to the storage classes that its objects move to, each with the days after which."
  type        = map(map(number))
  default     = {}

  validation {
    condition     = alltrue([for moves in values(var.transitions) : alltrue([for days in values(moves) : days >= 30])])
    error_message = "S3 moves nothing to a cheaper class before 30 days."
  }
}

variable "expirations" {
  description = "Folder to the days after which its objects go; an empty name is the whole bucket."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for days in values(var.expirations) : days >= 1])
    error_message = "An object lives for a day at least."
  }
}

variable "policy_documents" {
  description = "Policies in JSON that the bucket has besides TLS only."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for document in var.policy_documents : can(jsondecode(document))])
    error_message = "policy_documents are JSON."
  }
}
