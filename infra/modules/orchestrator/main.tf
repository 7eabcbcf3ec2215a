# Dagster on ECS Fargate: code server, daemon and webserver, in one task or in three services. Not here: the image
# (image/), its repository (registry), Dagster's database (database), the dashboard of the numbers (dashboard).

locals {
  workspace = "/opt/dagster/workspace.yaml"
  home      = var.one_task ? "/opt/dagster/small" : "/opt/dagster/prod"

  containers = {
    code = {
      command = ["dagster", "api", "grpc", "-h", "0.0.0.0", "-p", "4000", "-m", "taxi_assets.definitions"]
      health  = ["CMD", "dagster", "api", "grpc-health-check", "-p", "4000"]
      port    = 4000
      starts  = 120
    }
    daemon = {
      command = ["dagster-daemon", "run", "-w", local.workspace]
      health  = ["CMD", "dagster-daemon", "liveness-check"]
      port    = null
      starts  = 300 # its first sign of life comes after the code server's
    }
    webserver = {
      command = ["dagster-webserver", "-h", "0.0.0.0", "-p", "3000", "-w", local.workspace]
      health  = ["CMD", "python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/server_info', timeout=5)"]
      port    = 3000
      starts  = 120
    }
  }

  # Service to its containers.
  services = var.one_task ? { dagster = keys(local.containers) } : { for name in keys(local.containers) : name => [name] }

  environment = merge(
    var.environment,
    { DAGSTER_HOME = local.home },
    var.one_task ? {} : {
      DAGSTER_RUN_TASK_DEFINITION = "${var.name}-run"
      DAGSTER_CODE_SERVER_HOST    = "code.${var.name}.internal"
    },
  )

  # What a container writes: the agent of Session Manager has to, in these three (aws/containers-roadmap, issue 1359).
  volumes = {
    tmp            = "/tmp"
    managed-agents = "/managed-agents"
    ssm            = "/var/lib/amazon/ssm"
    ssm-logs       = "/var/log/amazon/ssm"
  }

  base = {
    image                  = var.image
    essential              = true
    user                   = "1000:1000"
    readonlyRootFilesystem = true
    environment            = [for name, value in local.environment : { name = name, value = value }]
    secrets                = [for name, arn in var.secrets : { name = name, valueFrom = arn }]
    linuxParameters        = { initProcessEnabled = true } # ends what a run leaves behind
    systemControls         = []
    volumesFrom            = []
  }

  definitions = {
    for name, container in local.containers : name => merge(local.base, {
      name             = name
      command          = container.command
      portMappings     = container.port == null ? [] : [{ containerPort = container.port, hostPort = container.port, protocol = "tcp" }]
      healthCheck      = { command = container.health, interval = 30, timeout = 20, retries = 3, startPeriod = container.starts }
      logConfiguration = { logDriver = "awslogs", options = merge(local.log, { "awslogs-stream-prefix" = name }) }
      # Each has a folder of its own for what it writes.
      mountPoints = [for volume, path in local.volumes : { sourceVolume = "${name}-${volume}", containerPath = path, readOnly = false }]
      # The daemon loads nothing before the code server answers.
      dependsOn = var.one_task && name != "code" ? [{ containerName = "code", condition = "HEALTHY" }] : []
    })
  }

  log = { "awslogs-group" = var.log_group, "awslogs-region" = var.region }
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

resource "aws_ecs_task_definition" "service" {
  for_each = local.services

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = var.task_role_arn
  execution_role_arn       = var.execution_role_arn
  container_definitions    = jsonencode([for name in each.value : local.definitions[name]])

  runtime_platform {
    cpu_architecture        = var.architecture
    operating_system_family = "LINUX"
  }

  dynamic "volume" {
    for_each = setproduct(each.value, keys(local.volumes))

    content {
      name = "${volume.value[0]}-${volume.value[1]}"
    }
  }
}

resource "aws_ecs_service" "this" {
  for_each = local.services

  name                               = "${var.name}-${each.key}"
  cluster                            = aws_ecs_cluster.this.id
  task_definition                    = aws_ecs_task_definition.service[each.key].arn
  desired_count                      = 1
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  enable_execute_command             = true
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  health_check_grace_period_seconds  = var.load_balancer && contains(each.value, "webserver") ? 120 : null
  deployment_maximum_percent         = contains(each.value, "daemon") ? 100 : 200 # never two daemons
  deployment_minimum_healthy_percent = contains(each.value, "daemon") ? 0 : 100

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = var.public_ip
  }

  dynamic "service_registries" {
    for_each = !var.one_task && each.key == "code" ? aws_service_discovery_service.code[*].arn : []

    content {
      registry_arn = service_registries.value
    }
  }

  dynamic "load_balancer" {
    for_each = var.load_balancer && contains(each.value, "webserver") ? aws_lb_target_group.webserver[*].arn : []

    content {
      target_group_arn = load_balancer.value
      container_name   = "webserver"
      container_port   = 3000
    }
  }

  depends_on = [aws_lb_listener.webserver]
}

# --- a task for each run, and the code server's name

resource "aws_ecs_task_definition" "run" {
  count = var.one_task ? 0 : 1

  family                   = "${var.name}-run"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = var.task_role_arn
  execution_role_arn       = var.execution_role_arn

  container_definitions = jsonencode([merge(local.base, {
    name             = "run"
    portMappings     = []
    logConfiguration = { logDriver = "awslogs", options = merge(local.log, { "awslogs-stream-prefix" = "run" }) }
    mountPoints      = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
  })])

  runtime_platform {
    cpu_architecture        = var.architecture
    operating_system_family = "LINUX"
  }

  volume {
    name = "tmp"
  }
}

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

# --- an internal load balancer, by which people of the VPC see Dagster's pages

resource "aws_security_group" "load_balancer" {
  count = var.load_balancer ? 1 : 0

  name        = "${var.name}-dagster-lb"
  description = "Load balancer of Dagster's pages"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  count = var.load_balancer ? 1 : 0

  security_group_id = aws_security_group.load_balancer[0].id
  cidr_ipv4         = var.client_cidr
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
  description       = "HTTPS from the VPC"
}

resource "aws_vpc_security_group_egress_rule" "load_balancer" {
  count = var.load_balancer ? 1 : 0

  security_group_id            = aws_security_group.load_balancer[0].id
  referenced_security_group_id = aws_security_group.this.id
  from_port                    = 3000
  to_port                      = 3000
  ip_protocol                  = "tcp"
  description                  = "To the webserver"
}

resource "aws_vpc_security_group_ingress_rule" "webserver" {
  count = var.load_balancer ? 1 : 0

  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = aws_security_group.load_balancer[0].id
  from_port                    = 3000
  to_port                      = 3000
  ip_protocol                  = "tcp"
  description                  = "From the load balancer"
}

resource "aws_lb" "this" {
  count = var.load_balancer ? 1 : 0

  name                       = "${var.name}-dagster"
  internal                   = true
  load_balancer_type         = "application"
  security_groups            = aws_security_group.load_balancer[*].id
  subnets                    = var.subnet_ids
  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "webserver" {
  count = var.load_balancer ? 1 : 0

  name        = "${var.name}-dagster"
  port        = 3000
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = var.vpc_id

  health_check {
    path = "/server_info"
  }
}

resource "aws_lb_listener" "webserver" {
  count = var.load_balancer ? 1 : 0

  load_balancer_arn = aws_lb.this[0].arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.webserver[0].arn
  }
}
