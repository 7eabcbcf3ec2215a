variable "name" {
  description = "What the names of all resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name has 2 to 21 lower-case letters, digits and hyphens, a letter first."
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

variable "cidr" {
  description = "Addresses of the VPC, a /20: six networks of 256 are cut from it."
  type        = string
  default     = "10.42.0.0/20"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/20")
    error_message = "cidr is a /20 network, such as 10.42.0.0/20."
  }
}

variable "nat_gateways" {
  description = "NAT gateways, by which private networks reach the internet: 0, 1, or 3 (one in each zone)."
  type        = number

  validation {
    condition     = contains([0, 1, 3], var.nat_gateways)
    error_message = "nat_gateways is 0, 1 or 3."
  }
}

variable "flow_logs" {
  description = "Whether refused connections are logged."
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
