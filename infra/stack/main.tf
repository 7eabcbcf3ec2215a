# The whole lakehouse, in one of two sizes. What differs between them is in the locals below and nowhere else.
# Not here: providers, state, tags (envs/).

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  small      = var.profile == "small"
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name
  bucket     = var.bucket != "" ? var.bucket : "${var.name}-lake-${local.account_id}-${local.region}"
  log_group  = "/aws-glue/${var.name}"
  dashboard  = var.orchestrator && (var.dashboard || !local.small)
  database   = "taxi"

  nat_gateways = !var.orchestrator || local.small ? 0 : var.nat_in_each_zone ? 3 : 1
  subnet_ids   = local.small ? module.network.public_subnet_ids : module.network.private_subnet_ids

  redshift = {
    base_rpu          = coalesce(var.redshift_base_rpu, local.small ? 4 : 32)
    max_rpu           = coalesce(var.redshift_max_rpu, local.small ? 32 : 512)
    rpu_hours_a_month = coalesce(var.redshift_rpu_hours_a_month, local.small ? 20 : 0)
  }

  budget_usd = coalesce(var.monthly_budget_usd, 50)

  # Who may connect to the warehouse: what runs here, or nobody but by a group that operators give their way in.
  clients = merge(
    var.orchestrator ? { dagster = module.orchestrator[0].security_group_id } : {},
    local.dashboard ? { dashboard = module.dashboard[0].security_group_id } : {},
    { operators = aws_security_group.operators.id },
  )
}

module "network" {
  source = "../modules/network"

  name         = var.name
  region       = local.region
  nat_gateways = local.nat_gateways
  flow_logs    = !local.small
}

# Whoever forwards a port into the VPC does so from a machine of this group.
resource "aws_security_group" "operators" {
  name        = "${var.name}-operators"
  description = "Machines of operators in the VPC"
  vpc_id      = module.network.vpc_id
}

module "lake" {
  source = "../modules/lake"

  providers = {
    aws         = aws
    aws.replica = aws.replica
  }

  name                 = var.name
  bucket               = local.bucket
  account_id           = local.account_id
  force_destroy        = !var.protect
  replicate            = var.replicate
  replication_role_arn = lookup(module.identity.role_arns, "replication", "")
}

module "glue" {
  source = "../modules/glue"

  name               = var.name
  account_id         = local.account_id
  bucket             = module.lake.bucket
  role_arns          = module.identity.role_arns
  max_workers        = var.glue_max_workers
  optimized_tables   = var.optimized_tables
  optimizer_role_arn = lookup(module.identity.role_arns, "optimizer", "")
}

module "identity" {
  source = "../modules/identity"

  name                 = var.name
  account_id           = local.account_id
  region               = local.region
  partition            = local.partition
  bucket               = local.bucket
  log_group            = local.log_group
  key_arn              = module.monitoring.key_arn
  warehouse            = var.warehouse
  workgroup_arn        = var.warehouse ? module.warehouse[0].workgroup_arn : ""
  warehouse_secret_arn = var.warehouse ? module.warehouse[0].admin_secret_arn : ""
  runs_are_tasks       = var.orchestrator && !local.small
  replicate            = var.replicate
  optimize             = length(var.optimized_tables) > 0
  operators            = var.operators
}

module "monitoring" {
  source = "../modules/monitoring"

  name                 = var.name
  account_id           = local.account_id
  region               = local.region
  partition            = local.partition
  bucket               = local.bucket
  email                = var.alert_email
  dead_drop_queue_name = module.lake.dead_drop_queue_name
  orchestrated         = var.orchestrator
  database_identifier  = var.orchestrator ? module.database[0].identifier : ""
  services             = merge(var.orchestrator ? module.orchestrator[0].service_names : {}, local.dashboard ? { dashboard = module.dashboard[0].service_name } : {})
  trail                = var.trail
  force_destroy        = !var.protect
}

module "cost" {
  source = "../modules/cost"

  name                          = var.name
  monthly_budget_usd            = local.budget_usd
  topic_arn                     = module.monitoring.topic_arn
  email                         = var.alert_email
  anomaly_detection             = var.anomaly_detection
  activate_cost_allocation_tags = var.activate_cost_allocation_tags
}

module "warehouse" {
  source = "../modules/warehouse"
  count  = var.warehouse ? 1 : 0

  name                      = var.name
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.private_subnet_ids
  client_security_group_ids = local.clients
  role_arn                  = module.identity.role_arns["redshift"]
  database                  = local.database
  base_rpu                  = local.redshift.base_rpu
  max_rpu                   = local.redshift.max_rpu
  rpu_hours_a_month         = local.redshift.rpu_hours_a_month
  enhanced_vpc_routing      = !local.small
}

module "registry" {
  source = "../modules/registry"

  name         = var.name
  force_delete = !var.protect
}

module "database" {
  source = "../modules/database"
  count  = var.orchestrator ? 1 : 0

  name                      = var.name
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.private_subnet_ids
  client_security_group_ids = { dagster = module.orchestrator[0].security_group_id }
  multi_az                  = var.multi_az
  deletion_protection       = var.protect
  password_version          = var.database_password_version
}

locals {
  # Exactly the names that taxi_assets/settings.py reads.
  taxi_env = merge(
    {
      TAXI_PROFILE         = "aws"
      TAXI_REGION          = local.region
      TAXI_LAKE            = "s3://${module.lake.bucket}"
      TAXI_DROP_QUEUE_URL  = module.lake.drop_queue_url
      TAXI_GLUE_JOB_PREFIX = module.glue.job_prefix
      TAXI_GLUE_LOG_GROUP  = module.glue.log_group
      TAXI_GLUE_WORKERS    = tostring(var.glue_max_workers)
      TAXI_DATABASE_PREFIX = module.glue.database_prefix
      TAXI_ALERT_TOPIC_ARN = module.monitoring.topic_arn
      TAXI_UI_URL          = var.ui_url
      TAXI_DASHBOARD_URL   = var.dashboard_url
    },
    var.warehouse ? {
      TAXI_REDSHIFT_WORKGROUP  = module.warehouse[0].workgroup
      TAXI_REDSHIFT_DATABASE   = module.warehouse[0].database
      TAXI_REDSHIFT_RPU        = tostring(module.warehouse[0].base_rpu)
      TAXI_REDSHIFT_SECRET_ARN = module.warehouse[0].admin_secret_arn
      TAXI_REDSHIFT_IAM_ROLE   = module.identity.role_arns["redshift"]
    } : {},
  )

  container_environment = merge(local.taxi_env, var.more_environment, { AWS_DEFAULT_REGION = local.region })

  # The dashboard logs in as itself, and never as the administrator.
  dashboard_environment = { for name, value in local.container_environment : name => value if name != "TAXI_REDSHIFT_SECRET_ARN" }
}

module "orchestrator" {
  source = "../modules/orchestrator"
  count  = var.orchestrator ? 1 : 0

  name               = var.name
  region             = local.region
  vpc_id             = module.network.vpc_id
  subnet_ids         = local.subnet_ids
  public_ip          = local.small
  image              = "${module.registry.repository_url}:${var.image_tag}"
  architecture       = var.architecture
  task_role_arn      = module.identity.role_arns["dagster"]
  execution_role_arn = module.identity.role_arns["execution"]
  log_group          = module.monitoring.container_log_group
  environment        = merge(local.container_environment, module.database[0].environment, { TAXI_LOG_BUCKET = module.lake.bucket })
  secrets            = merge({ for name, arn in var.secrets : name => arn if !startswith(name, "TAXI_OIDC_") }, { DAGSTER_PG_PASSWORD = module.database[0].password_secret_arn })
  one_task           = local.small
  load_balancer      = !local.small
  certificate_arn    = var.certificate_arn
  client_cidr        = module.network.cidr
}

module "dashboard" {
  source = "../modules/dashboard"
  count  = local.dashboard ? 1 : 0

  name               = var.name
  region             = local.region
  cluster_arn        = module.orchestrator[0].cluster_arn
  vpc_id             = module.network.vpc_id
  subnet_ids         = local.subnet_ids
  public_ip          = local.small
  image              = "${module.registry.repository_url}:${var.image_tag}"
  architecture       = var.architecture
  task_role_arn      = module.identity.role_arns["dashboard"]
  execution_role_arn = module.identity.role_arns["execution"]
  log_group          = module.monitoring.container_log_group
  environment        = local.dashboard_environment
  secrets            = { for name, arn in var.secrets : name => arn if startswith(name, "TAXI_OIDC_") }
  load_balancer      = !local.small
  certificate_arn    = var.certificate_arn
  client_cidr        = module.network.cidr
}
