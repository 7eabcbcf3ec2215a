# Dagster on ECS Fargate: code server, daemon and webserver, in one task or in three services. Not here: the image
# (image/), its repository (registry), Dagster's database (database), the dashboard of the numbers (dashboard).

locals {
  workspace = "/opt/dagster/workspace.yaml"

  containers = {
    code = {
      command = ["dagster", "api", "grpc", "-h", "0.0.0.0", "-p", "4000", "-m", "taxi_assets.definitions"]
      health  = ["dagster", "api", "grpc-health-check", "-p", "4000"]
      port    = 4000
    }
    daemon = {
      command = ["dagster-daemon", "run", "-w", local.workspace]
      health  = ["dagster-daemon", "liveness-check"]
      starts  = 300 # its first sign of life comes after the code server's
      after   = var.one_task ? "code" : null
    }
    webserver = {
      command = ["dagster-webserver", "-h", "0.0.0.0", "-p", "3000", "-w", local.workspace]
      health  = ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/server_info', timeout=5)"]
      port    = 3000
      after   = var.one_task ? "code" : null
    }
  }

  # Service to its containers.
  services = var.one_task ? { dagster = keys(local.containers) } : { for name in keys(local.containers) : name => [name] }

  # Task definition to its containers; that of a run is started by Dagster, which gives its command.
  tasks = merge(
    { for service, names in local.services : service => { for name in names : name => local.containers[name] } },
    var.one_task ? {} : { run = { run = { command = [] } } },
  )

  environment = merge(
    var.environment,
    { DAGSTER_HOME = var.one_task ? "/opt/dagster/small" : "/opt/dagster/prod" },
    var.one_task ? {} : {
      DAGSTER_RUN_TASK_DEFINITION = "${var.name}-run"
      DAGSTER_CODE_SERVER_HOST    = "code.${var.name}.internal"
    },
  )
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "disabled" # its metrics cost more than the smallest task
  }
}

resource "aws_security_group" "this" {
  name        = "${var.name}-dagster"
  description = "Dagster: code server, daemon, webserver, runs"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.this.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
  description       = "AWS, the TLC's site, Slack"
}

resource "aws_vpc_security_group_ingress_rule" "code" {
  count = var.one_task ? 0 : 1

  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = aws_security_group.this.id
  from_port                    = 4000
  to_port                      = 4000
  ip_protocol                  = "tcp"
  description                  = "Daemon, webserver and runs ask the code server"
}

module "task" {
  source   = "../task"
  for_each = local.tasks

  family             = "${var.name}-${each.key}"
  region             = var.region
  containers         = each.value
  cpu                = var.cpu
  memory             = var.memory
  image              = var.image
  architecture       = var.architecture
  task_role_arn      = var.task_role_arn
  execution_role_arn = var.execution_role_arn
  log_group          = var.log_group
  environment        = local.environment
  secrets            = var.secrets
}

module "service" {
  source   = "../service"
  for_each = local.services

  name                = "${var.name}-${each.key}"
  cluster_arn         = aws_ecs_cluster.this.arn
  task_definition_arn = module.task[each.key].arn
  vpc_id              = var.vpc_id
  subnet_ids          = var.subnet_ids
  public_ip           = var.public_ip
  security_group_id   = aws_security_group.this.id
  only_one            = contains(each.value, "daemon")
  registry_arn        = each.key == "code" ? aws_service_discovery_service.code[0].arn : ""
  page                = var.load_balancer && contains(each.value, "webserver") ? { container = "webserver", port = 3000, health = "/server_info" } : null
  certificate_arn     = var.certificate_arn
  client_cidr         = var.client_cidr
}

# --- the code server's name

resource "aws_service_discovery_private_dns_namespace" "this" {
  count = var.one_task ? 0 : 1

  name        = "${var.name}.internal"
  description = "Names of the lakehouse's services"
  vpc         = var.vpc_id
}

resource "aws_service_discovery_service" "code" {
  count = var.one_task ? 0 : 1

  name = "code"

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this[0].id
    routing_policy = "MULTIVALUE"

    dns_records {
      ttl  = 10
      type = "A"
    }
  }

  health_check_custom_config {
    failure_threshold = 1
  }
}
