# The lakehouse of a person, or to try changes in: what it costs idle is in docs/deploy.md. Not here: anything that both
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
    Environment = "dev"
    ManagedBy   = "terraform"
  }
}

module "lakehouse" {
  source = "../../stack"

  providers = {
    aws         = aws
    aws.replica = aws.replica
  }

  profile      = "small"
  alert_email  = var.alert_email
  image_tag    = var.image_tag
  operators    = var.operators
  orchestrator = var.orchestrator
  warehouse    = var.warehouse
  protect      = false # what is tried here may go
}
