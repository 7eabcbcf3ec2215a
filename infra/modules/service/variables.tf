variable "name" {
  description = "Name of the service and of what belongs to it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,40}$", var.name))
    error_message = "name has 2 to 41 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "cluster_arn" {
  description = "The ECS cluster."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:ecs:", var.cluster_arn))
    error_message = "cluster_arn is an ARN of ecs."
  }
}

variable "task_definition_arn" {
  description = "What it runs."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:ecs:", var.task_definition_arn))
    error_message = "task_definition_arn is an ARN of ECS."
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
  description = "Networks of the tasks."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids are networks in two zones at least."
  }
}

variable "public_ip" {
  description = "Whether a task has a public address, by which it reaches the internet; nothing reaches it there."
  type        = bool
  nullable    = false
}

variable "security_group_id" {
  description = "The group of its tasks."
  type        = string

  validation {
    condition     = startswith(var.security_group_id, "sg-")
    error_message = "security_group_id begins with sg-."
  }
}

variable "only_one" {
  description = "Whether there may never be two of its task, so that a deployment stops the old one first."
  type        = bool
  default     = false
  nullable    = false
}

variable "registry_arn" {
  description = "Where Cloud Map keeps its name; empty: it has none."
  type        = string
  default     = ""

  validation {
    condition     = var.registry_arn == "" || can(regex("^arn:aws[a-z-]*:servicediscovery:", var.registry_arn))
    error_message = "registry_arn is an ARN of Cloud Map, or empty."
  }
}

variable "page" {
  description = "The container whose page an internal load balancer shows by TLS, its port and where it says that it is healthy; null: none does."
  type = object({
    container = string
    port      = number
    health    = string
  })
  default = null

  validation {
    condition     = var.page == null ? true : startswith(var.page.health, "/")
    error_message = "health is a path."
  }
}

variable "certificate_arn" {
  description = "Its certificate; only read where there is a page."
  type        = string
  default     = ""

  validation {
    condition     = var.certificate_arn == "" || can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "certificate_arn is an ARN of acm, or empty."
  }
}

variable "client_cidr" {
  description = "Addresses from which the load balancer is reached: those of the VPC, or of a VPN into it."
  type        = string

  validation {
    condition     = can(cidrhost(var.client_cidr, 0)) && var.client_cidr != "0.0.0.0/0"
    error_message = "client_cidr is a network, and not the whole internet."
  }
}
