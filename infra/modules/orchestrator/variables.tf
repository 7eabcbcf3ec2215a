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

variable "image" {
  description = "The container image, with its tag."
  type        = string

  validation {
    condition     = can(regex("^[^:]+(:[0-9]+)?/.+:[A-Za-z0-9._-]+$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image has a repository and a tag that stays what it is, so not latest."
  }
}

variable "architecture" {
  description = "Processor that the image was built for."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "architecture is ARM64 or X86_64."
  }
}

variable "task_role_arn" {
  description = "The role that containers act as."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam:", var.task_role_arn))
    error_message = "task_role_arn is an ARN of iam."
  }
}

variable "execution_role_arn" {
  description = "The role by which ECS pulls the image, reads secrets and logs."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam:", var.execution_role_arn))
    error_message = "execution_role_arn is an ARN of iam."
  }
}

variable "log_group" {
  description = "Where containers log to."
  type        = string

  validation {
    condition     = startswith(var.log_group, "/")
    error_message = "log_group begins with a slash."
  }
}

variable "environment" {
  description = "Variables of the containers."
  type        = map(string)

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "Names of variables are upper case."
  }
}

variable "secrets" {
  description = "Variables of the containers whose value is a secret, to its ARN."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:aws[a-z-]*:secretsmanager:", arn))])
    error_message = "secrets are ARNs of Secrets Manager."
  }
}

variable "load_balancer" {
  description = "Whether an internal load balancer answers, by TLS."
  type        = bool
  nullable    = false
}

variable "certificate_arn" {
  description = "Its certificate; only read where load_balancer is true."
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

variable "one_task" {
  description = "Whether webserver, daemon and code server are one task, runs its processes; else services of their own, and each run a task."
  type        = bool
  nullable    = false
}

variable "cpu" {
  description = "CPU units of that one task, or of each service and run."
  type        = number
  default     = 512

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu)
    error_message = "cpu is 256, 512, 1024, 2048 or 4096."
  }
}

variable "memory" {
  description = "MB of memory of that one task, or of each service and run."
  type        = number
  default     = 2048

  validation {
    condition     = var.memory >= 1024 && var.memory % 1024 == 0
    error_message = "memory is a multiple of 1024."
  }
}
