# The lakehouse that a team runs. Not here: anything that both
# environments have (stack/).

provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

provider "aws" {
  alias  = "replica"
  region = var.region == "us-west-2" ? "us-east-1" : "us-west-2"

  default_tags {
    tags = local.tags
  }
}

locals {
  tags = {
    Project     = "nyc-taxi-lakehouse"
    Environment = "prod"
    ManagedBy   = "terraform"
  }
}

module "lakehouse" {
  source = "../../stack"

  providers = {
    aws         = aws
    aws.replica = aws.replica
  }

  profile     = "prod"
  alert_email = var.alert_email
  image_tag   = var.image_tag
  operators   = var.operators

  monthly_budget_usd = var.monthly_budget_usd
  certificate_arn    = var.certificate_arn
  ui_url             = var.ui_url
  dashboard_url      = var.dashboard_url
  replicate          = true
  multi_az           = true
}
