# A role for each service, with the policies that `make docs` writes from infra/api-calls.json and
# infra/unrecorded-permissions.yaml. Not here: the roles of people, and Terraform's own (bootstrap).

locals {
  # Each may do what it does with the lake, and no other's.
  jobs = ["ingest-raw", "stage-trips", "replay-quarantine", "build-curated"]

  # Role to the services that take it on.
  services = merge(
    {
      dagster   = ["ecs-tasks"]
      dashboard = ["ecs-tasks"]
      execution = ["ecs-tasks"]
    },
    { for job in local.jobs : job => ["glue"] },
    var.warehouse ? { redshift = ["redshift", "redshift-serverless"] } : {},
    var.replicate ? { replication = ["s3"] } : {},
    var.optimize ? { optimizer = ["glue"] } : {},
  )

  # Role to its policies.
  policies = merge(
    {
      dagster = concat(
        ["dagster", "shell"],
        var.runs_are_tasks ? ["dagster-runs"] : [],
      )
      dashboard = ["dashboard", "shell"]
      deploy    = ["deploy"]
      execution = ["execution"]
    },
    { for job in local.jobs : job => [job] },
    var.warehouse ? { redshift = ["redshift"] } : {},
    var.replicate ? { replication = ["replication"] } : {},
    var.optimize ? { optimizer = ["optimizer"] } : {},
  )

  attached = merge([for role, names in local.policies : { for name in names : "${role}/${name}" => { role = role, policy = name } }]...)

  for_people = toset(["dagster", "deploy"])
}

data "aws_iam_policy_document" "trust" {
  for_each = local.policies

  dynamic "statement" {
    for_each = contains(keys(local.services), each.key) ? [local.services[each.key]] : []

    content {
      actions = ["sts:AssumeRole"]

      principals {
        type        = "Service"
        identifiers = [for service in statement.value : "${service}.amazonaws.com"]
      }

      # ECS says for whom it acts. The others are not documented to: with the condition nobody could take the role on, and
      # who passes it to them needs iam:PassRole in this account anyway.
      dynamic "condition" {
        for_each = contains(statement.value, "ecs-tasks") ? [1] : []

        content {
          test     = "StringEquals"
          variable = "aws:SourceAccount"
          values   = [var.account_id]
        }
      }
    }
  }

  dynamic "statement" {
    for_each = contains(local.for_people, each.key) && length(var.operators) > 0 ? [1] : []

    content {
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = var.operators
      }
    }
  }

  # A role that nobody may take on has to say so: an empty policy is refused.
  dynamic "statement" {
    for_each = contains(keys(local.services), each.key) || length(var.operators) > 0 ? [] : [1]

    content {
      effect  = "Deny"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = ["arn:${var.partition}:iam::${var.account_id}:root"]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.policies

  name               = "${var.name}-${each.key}"
  description        = "NYC taxi lakehouse: ${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json

  # By this tag Redshift knows which database role who logs in by IAM has.
  tags = each.key == "dashboard" ? { RedshiftDbRoles = "taxi_dashboard" } : {}
}

locals {
  words = {
    name       = var.name
    databases  = "${replace(var.name, "-", "_")}_"
    account_id = var.account_id
    region     = var.region
    partition  = var.partition
    bucket     = var.bucket
    log_group  = var.log_group
    key_arn    = var.key_arn
  }
}

resource "aws_iam_role_policy" "this" {
  for_each = local.attached

  name   = each.value.policy
  role   = aws_iam_role.this[each.value.role].id
  policy = templatefile("${path.module}/policies/${each.value.policy}.json", local.words)
}

# Apart: the workgroup that these name is made with a role that has to be able to read by then.
resource "aws_iam_role_policy" "warehouse" {
  for_each = toset(var.warehouse ? ["dagster", "dashboard"] : [])

  name = "warehouse"
  role = aws_iam_role.this[each.key].id

  policy = templatefile("${path.module}/policies/${each.key}-warehouse.json", merge(local.words, {
    workgroup_arn        = var.workgroup_arn
    warehouse_secret_arn = var.warehouse_secret_arn
  }))
}
