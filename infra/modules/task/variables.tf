variable "family" {
  description = "Name of the task definition."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.family))
    error_message = "family has letters, digits, hyphens and underscores."
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

variable "containers" {
  description = "Container to its command (empty: whoever starts the task gives one), the command that says whether it is healthy and the seconds that it is given to start, its port, and the container that has to be healthy before it."
  type = map(object({
    command = list(string)
    health  = optional(list(string))
    starts  = optional(number, 120)
    port    = optional(number)
    after   = optional(string)
  }))

  validation {
    condition     = length(var.containers) > 0
    error_message = "A task has a container at least."
  }
}

variable "cpu" {
  description = "CPU units of the task."
  type        = number
  default     = 512

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu)
    error_message = "cpu is 256, 512, 1024, 2048 or 4096."
  }
}

variable "memory" {
  description = "MB of memory of the task."
  type        = number
  default     = 2048

  validation {
    condition     = var.memory >= 1024 && var.memory % 1024 == 0
    error_message = "memory is a multiple of 1024."
  }
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
