variable "name" {
  description = "What the names of all resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name has 2 to 21 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id begins with vpc-."
  }
}

variable "subnet_ids" {
  description = "Private networks in two zones at least."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "RDS wants networks in two zones."
  }
}

variable "client_security_group_ids" {
  description = "Who may connect, by a name of ours to the security group."
  type        = map(string)

  validation {
    condition     = length(var.client_security_group_ids) > 0
    error_message = "A database that nobody reaches is of no use."
  }
}

variable "instance_class" {
  description = "Class of the instance."
  type        = string
  default     = "db.t4g.micro"

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "instance_class begins with db."
  }
}

variable "multi_az" {
  description = "Whether a second instance stands by in another zone, at the price of another one."
  type        = bool
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether the database can only be deleted after switching this off."
  type        = bool
  nullable    = false
}

variable "backup_days" {
  description = "Days for which backups are kept."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days is 1 to 35."
  }
}

variable "password_version" {
  description = "Raise it by one to set a new password; then restart the tasks."
  type        = number
  default     = 1

  validation {
    condition     = var.password_version >= 1 && floor(var.password_version) == var.password_version
    error_message = "password_version is a whole number from 1 on."
  }
}
