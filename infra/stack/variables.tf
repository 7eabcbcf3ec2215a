variable "name" {
  description = "What the names of all resources begin with."
  type        = string
  default     = "taxi"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name)) && startswith(var.name, "taxi")
    error_message = "name has 2 to 21 lower-case letters, digits and hyphens, and begins with taxi, as the alarms do that taxi-assets health reads."
  }
}

variable "profile" {
  description = "small: what a person pays for. prod: what a team runs."
  type        = string

  validation {
    condition     = contains(["small", "prod"], var.profile)
    error_message = "profile is small or prod."
  }
}

variable "bucket" {
  description = "Name of the lake's bucket, unique in all of AWS; empty: NAME-lake-ACCOUNT-REGION."
  type        = string
  default     = ""

  validation {
    condition     = var.bucket == "" || can(regex("^[a-z0-9][a-z0-9-]{1,54}[a-z0-9]$", var.bucket))
    error_message = "bucket has 3 to 56 lower-case letters, digits and hyphens, or is empty."
  }
}

variable "alert_email" {
  description = "Who gets alerts, and what the budget says, by e-mail; they have to confirm. Empty: nobody."
  type        = string
  default     = ""

  validation {
    condition     = var.alert_email == "" || can(regex("^[^@ ]+@[^@ ]+$", var.alert_email))
    error_message = "alert_email is an address, or empty."
  }
}

variable "monthly_budget_usd" {
  description = "What a month may cost, in USD. The profile small has 50 unless told otherwise; prod must be told."
  type        = number
  default     = null

  validation {
    condition     = var.monthly_budget_usd != null || var.profile == "small"
    error_message = "The profile prod needs monthly_budget_usd: what may a month cost?"
  }
}

variable "orchestrator" {
  description = "Whether Dagster runs on ECS; else on somebody's machine, by the roles that operators may take on."
  type        = bool
  default     = true
  nullable    = false
}

variable "dashboard" {
  description = "Whether the dashboard runs on ECS besides. The profile prod has it always."
  type        = bool
  default     = false
  nullable    = false
}

variable "warehouse" {
  description = "Whether there is a Redshift workgroup; else DuckDB over S3 answers."
  type        = bool
  default     = true
  nullable    = false
}

variable "image_tag" {
  description = "Tag of the container image in the registry: the commit that it was built from."
  type        = string
  default     = "none"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag is a tag that stays what it is, so not latest."
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

variable "certificate_arn" {
  description = "Certificate of the load balancers; the profile prod needs it."
  type        = string
  default     = ""

  validation {
    condition     = (var.certificate_arn == "" && var.profile == "small") || can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "certificate_arn is an ARN of ACM; only the profile small does without."
  }
}

variable "ui_url" {
  description = "Where people see Dagster's pages, for links in alerts."
  type        = string
  default     = "http://127.0.0.1:3000"

  validation {
    condition     = can(regex("^https?://", var.ui_url))
    error_message = "ui_url begins with http:// or https://."
  }
}

variable "dashboard_url" {
  description = "Where people see the dashboard, for links to reports."
  type        = string
  default     = "http://127.0.0.1:8501"

  validation {
    condition     = can(regex("^https?://", var.dashboard_url))
    error_message = "dashboard_url begins with http:// or https://."
  }
}

variable "secrets" {
  description = "Settings that are secrets, to the ARN of a secret called NAME/…: TAXI_SLACK_WEBHOOK_URL, TAXI_HEARTBEAT_URL, TAXI_OIDC_CLIENT_SECRET, TAXI_OIDC_COOKIE_SECRET."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, arn in var.secrets : contains(["TAXI_SLACK_WEBHOOK_URL", "TAXI_HEARTBEAT_URL", "TAXI_OIDC_CLIENT_SECRET", "TAXI_OIDC_COOKIE_SECRET"], name) && can(regex("^arn:aws[a-z-]*:secretsmanager:[^:]+:[0-9]+:secret:taxi", arn))])
    error_message = "secrets are settings that are secret, each with the ARN of a secret whose name begins with that of the lakehouse."
  }
}

variable "more_environment" {
  description = "Further settings of the containers, such as TAXI_FROM, TAXI_WATCH_FROM, TAXI_OIDC_METADATA_URL."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.more_environment) : startswith(name, "TAXI_")])
    error_message = "Settings begin with TAXI_."
  }
}

variable "operators" {
  description = "ARNs of the IAM roles or users that may act as dagster and deploy."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.operators : can(regex("^arn:aws[a-z-]*:iam::\\d{12}:(role|user)/", arn))])
    error_message = "operators are ARNs of IAM roles or users."
  }
}

variable "redshift_base_rpu" {
  description = "Redshift processing units at least: 4, or 8 to 512 in steps of 8. By default 4 in small, 32 in prod."
  type        = number
  default     = null

  validation {
    condition     = var.redshift_base_rpu == null ? true : (var.redshift_base_rpu == 4 || (var.redshift_base_rpu >= 8 && var.redshift_base_rpu <= 512 && var.redshift_base_rpu % 8 == 0))
    error_message = "redshift_base_rpu is 4, or 8 to 512 in steps of 8."
  }
}

variable "redshift_max_rpu" {
  description = "Units up to which Redshift scales. By default 32 in small, 512 in prod."
  type        = number
  default     = null

  validation {
    condition     = var.redshift_max_rpu == null ? true : (var.redshift_max_rpu >= 8 && var.redshift_max_rpu <= 512 && var.redshift_max_rpu % 8 == 0)
    error_message = "redshift_max_rpu is 8 to 512 in steps of 8."
  }
}

variable "redshift_rpu_hours_a_month" {
  description = "Unit-hours of a month after which Redshift answers no more; 0: no limit. By default 20 in small, 0 in prod."
  type        = number
  default     = null

  validation {
    condition     = var.redshift_rpu_hours_a_month == null ? true : var.redshift_rpu_hours_a_month >= 0
    error_message = "redshift_rpu_hours_a_month is 0 or more."
  }
}

variable "glue_max_workers" {
  description = "Workers (G.1X) up to which a job scales by itself."
  type        = number
  default     = 10

  validation {
    condition     = var.glue_max_workers >= 2 && var.glue_max_workers <= 10
    error_message = "glue_max_workers is 2 to 10."
  }
}

variable "replicate" {
  description = "Whether raw, curated and quality are copied to another region."
  type        = bool
  default     = false
  nullable    = false
}

variable "multi_az" {
  description = "Whether Dagster's Postgres has a second instance standing by."
  type        = bool
  default     = false
  nullable    = false
}

variable "nat_in_each_zone" {
  description = "Whether the profile prod has a NAT gateway in each zone instead of one."
  type        = bool
  default     = false
  nullable    = false
}

variable "trail" {
  description = "Whether CloudTrail keeps who changed what."
  type        = bool
  default     = true
  nullable    = false
}

variable "anomaly_detection" {
  description = "Whether unexpected costs are looked for; an account has one such monitor of all services."
  type        = bool
  default     = true
  nullable    = false
}

variable "activate_cost_allocation_tags" {
  description = "Whether bills are split by the tag Project. AWS knows the tag a day after the first resource."
  type        = bool
  default     = false
  nullable    = false
}

variable "protect" {
  description = "Whether the lake, the database and the images outlive terraform destroy: it fails while they have something in them."
  type        = bool
  default     = true
  nullable    = false
}

variable "optimized_tables" {
  description = "Tables of the quality layer that Glue compacts; they must exist, so not before the first month."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for table in var.optimized_tables : contains(["check_history", "run_metrics"], table)])
    error_message = "Only check_history and run_metrics."
  }
}

variable "database_password_version" {
  description = "Raise it by one to give Dagster's Postgres a new password; then restart the tasks."
  type        = number
  default     = 1

  validation {
    condition     = var.database_password_version >= 1 && floor(var.database_password_version) == var.database_password_version
    error_message = "database_password_version is a whole number from 1 on."
  }
}
