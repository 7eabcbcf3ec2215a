# The dashboard as an ECS service. Not here: the cluster and Dagster (orchestrator), where its numbers come from
# (warehouse, lake).

resource "aws_security_group" "this" {
  name        = "${var.name}-dashboard"
  description = "The dashboard of the lakehouse"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.this.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
  description       = "AWS, and who signs people in"
}

resource "aws_ecs_task_definition" "this" {
  family                   = "${var.name}-dashboard"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = var.task_role_arn
  execution_role_arn       = var.execution_role_arn

  container_definitions = jsonencode([{
    name                   = "dashboard"
    image                  = var.image
    command                = ["taxi-assets", "dashboard", "--host", "0.0.0.0", "--port", "8501"]
    essential              = true
    user                   = "1000:1000"
    readonlyRootFilesystem = true
    environment            = [for name, value in var.environment : { name = name, value = value }]
    secrets                = [for name, arn in var.secrets : { name = name, valueFrom = arn }]
    portMappings           = [{ containerPort = 8501, hostPort = 8501, protocol = "tcp" }]
    linuxParameters        = { initProcessEnabled = true }
    systemControls         = []
    volumesFrom            = []
    mountPoints            = [for volume, path in local.volumes : { sourceVolume = volume, containerPath = path, readOnly = false }]

    healthCheck = {
      command     = ["CMD", "python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
      interval    = 30
      timeout     = 20
      retries     = 3
      startPeriod = 120
    }

    logConfiguration = {
      logDriver = "awslogs"
      options   = { "awslogs-group" = var.log_group, "awslogs-region" = var.region, "awslogs-stream-prefix" = "dashboard" }
    }
  }])

  runtime_platform {
    cpu_architecture        = var.architecture
    operating_system_family = "LINUX"
  }

  dynamic "volume" {
    for_each = local.volumes

    content {
      name = volume.key
    }
  }
}

locals {
  # What a container writes: the agent of Session Manager has to, in the last three.
  volumes = {
    tmp            = "/tmp"
    managed-agents = "/managed-agents"
    ssm            = "/var/lib/amazon/ssm"
    ssm-logs       = "/var/log/amazon/ssm"
  }
}

resource "aws_ecs_service" "this" {
  name                               = "${var.name}-dashboard"
  cluster                            = var.cluster_arn
  task_definition                    = aws_ecs_task_definition.this.arn
  desired_count                      = 1
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  enable_execute_command             = true
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  health_check_grace_period_seconds  = var.load_balancer ? 120 : null
  deployment_maximum_percent         = 200
  deployment_minimum_healthy_percent = 100

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = var.public_ip
  }

  dynamic "load_balancer" {
    for_each = aws_lb_target_group.this[*].arn

    content {
      target_group_arn = load_balancer.value
      container_name   = "dashboard"
      container_port   = 8501
    }
  }

  depends_on = [aws_lb_listener.this]
}

# --- an internal load balancer, by which people of the VPC see it

resource "aws_security_group" "load_balancer" {
  count = var.load_balancer ? 1 : 0

  name        = "${var.name}-dashboard-lb"
  description = "Load balancer of the dashboard"
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
  from_port                    = 8501
  to_port                      = 8501
  ip_protocol                  = "tcp"
  description                  = "To the dashboard"
}

resource "aws_vpc_security_group_ingress_rule" "dashboard" {
  count = var.load_balancer ? 1 : 0

  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = aws_security_group.load_balancer[0].id
  from_port                    = 8501
  to_port                      = 8501
  ip_protocol                  = "tcp"
  description                  = "From the load balancer"
}

resource "aws_lb" "this" {
  count = var.load_balancer ? 1 : 0

  name                       = "${var.name}-dashboard"
  internal                   = true
  load_balancer_type         = "application"
  security_groups            = aws_security_group.load_balancer[*].id
  subnets                    = var.subnet_ids
  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "this" {
  count = var.load_balancer ? 1 : 0

  name        = "${var.name}-dashboard"
  port        = 8501
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = var.vpc_id

  health_check {
    path = "/_stcore/health"
  }

  # A page talks to the process that drew it.
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 86400
  }
}

resource "aws_lb_listener" "this" {
  count = var.load_balancer ? 1 : 0

  load_balancer_arn = aws_lb.this[0].arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[0].arn
  }
}
