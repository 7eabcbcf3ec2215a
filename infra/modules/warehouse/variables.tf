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
  description = "Private networks in three zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) == 3
    error_message = "Redshift Serverless wants networks in three zones."
  }
}

variable "client_security_group_ids" {
  description = "Who may connect, by a name of ours to the security group."
  type        = map(string)

  validation {
    condition     = length(var.client_security_group_ids) > 0
    error_message = "A workgroup that nobody reaches is of no use."
  }
}

variable "role_arn" {
  description = "The role by which Redshift reads the lake."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::", var.role_arn))
    error_message = "role_arn is an ARN of an IAM role."
  }
}

variable "database" {
  description = "Name of the database."
  type        = string
  default     = "taxi"

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,63}$", var.database))
    error_message = "database is an SQL name in lower case."
  }
}

variable "base_rpu" {
  description = "Redshift processing units that answer a query at least: 4, or 8 to 512 in steps of 8."
  type        = number

  validation {
    condition     = var.base_rpu == 4 || (var.base_rpu >= 8 && var.base_rpu <= 512 && var.base_rpu % 8 == 0)
    error_message = "base_rpu is 4, or 8 to 512 in steps of 8."
  }
}

variable "max_rpu" {
  description = "Units up to which Redshift scales."
  type        = number

  validation {
    condition     = var.max_rpu >= var.base_rpu && var.max_rpu <= 512 && (var.max_rpu == 4 || var.max_rpu % 8 == 0)
    error_message = "max_rpu is 4, or 8 to 512 in steps of 8, and not below base_rpu."
  }
}

variable "rpu_hours_a_month" {
  description = "Unit-hours of a month after which the workgroup answers no more until the next; 0: no limit."
  type        = number

  validation {
    condition     = var.rpu_hours_a_month >= 0 && floor(var.rpu_hours_a_month) == var.rpu_hours_a_month
    error_message = "rpu_hours_a_month is a whole number, 0 or more."
  }
}

variable "enhanced_vpc_routing" {
  description = "Whether Redshift reads S3 through the VPC, by its gateway endpoint, instead of its own network."
  type        = bool
  default     = false
  nullable    = false
}
