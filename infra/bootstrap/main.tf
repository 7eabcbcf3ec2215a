# What has to be there before the environments: a bucket for Terraform's state, and a role for the workflow that deploys.
# Not here: anything of the lakehouse (envs/). The state of this configuration stays where it was applied: it is a
# bucket and a role, which can be imported.

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = "nyc-taxi-lakehouse"
      Environment = "bootstrap"
      ManagedBy   = "terraform"
    }
  }
}

data "aws_caller_identity" "current" {}

# S3 deletes no bucket that has anything in it.
module "state" {
  source = "../modules/bucket"

  bucket          = "taxi-terraform-${data.aws_caller_identity.current.account_id}-${var.region}"
  force_destroy   = false
  noncurrent_days = 90
}

# --- the workflow that deploys, without a key that could be lost

resource "aws_iam_openid_connect_provider" "github" {
  count = var.repository == "" ? 0 : 1

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "github" {
  count = var.repository == "" ? 0 : 1

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github[0].arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    # Only jobs that name an environment, which GitHub lets people approve.
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.repository}:environment:dev", "repo:${var.repository}:environment:prod"]
    }
  }
}

resource "aws_iam_role" "github" {
  count = var.repository == "" ? 0 : 1

  name               = "taxi-terraform"
  description        = "Terraform, by the deployment workflow"
  assume_role_policy = data.aws_iam_policy_document.github[0].json
}

resource "aws_iam_role_policy_attachment" "github" {
  for_each = var.repository == "" ? [] : var.deploy_policy_arns

  role       = aws_iam_role.github[0].name
  policy_arn = each.key
}
