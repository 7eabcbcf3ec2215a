# An ECS service of one task, and the internal load balancer by which people of the VPC see its page, if it has one.
# Not here: what runs in it (task), its security group, which others name.

resource "aws_ecs_service" "this" {
  name                               = var.name
  cluster                            = var.cluster_arn
  task_definition                    = var.task_definition_arn
  desired_count                      = 1
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  enable_execute_command             = true
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  health_check_grace_period_seconds  = var.page == null ? null : 120
  deployment_maximum_percent         = var.only_one ? 100 : 200
  deployment_minimum_healthy_percent = var.only_one ? 0 : 100

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = var.public_ip
  }

  dynamic "service_registries" {
    for_each = var.registry_arn == "" ? [] : [var.registry_arn]

    content {
      registry_arn = service_registries.value
    }
  }

  dynamic "load_balancer" {
    for_each = aws_lb_target_group.this[*].arn

    content {
      target_group_arn = load_balancer.value
      container_name   = var.page.container
      container_port   = var.page.port
    }
  }

  depends_on = [aws_lb_listener.this]
}

# --- the load balancer

locals {
  pages = var.page == null ? 0 : 1
}

resource "aws_security_group" "load_balancer" {
  count = local.pages

  name        = "${var.name}-lb"
  description = "Load balancer of ${var.name}"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  count = local.pages

  security_group_id = aws_security_group.load_balancer[0].id
  cidr_ipv4         = var.client_cidr
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
  description       = "HTTPS from the VPC"
}

resource "aws_vpc_security_group_egress_rule" "load_balancer" {
  count = local.pages

  security_group_id            = aws_security_group.load_balancer[0].id
  referenced_security_group_id = var.security_group_id
  from_port                    = var.page.port
  to_port                      = var.page.port
  ip_protocol                  = "tcp"
  description                  = "To the page"
}

resource "aws_vpc_security_group_ingress_rule" "page" {
  count = local.pages

  security_group_id            = var.security_group_id
  referenced_security_group_id = aws_security_group.load_balancer[0].id
  from_port                    = var.page.port
  to_port                      = var.page.port
  ip_protocol                  = "tcp"
  description                  = "From the load balancer"
}

resource "aws_lb" "this" {
  count = local.pages

  name                       = var.name
  internal                   = true
  load_balancer_type         = "application"
  security_groups            = aws_security_group.load_balancer[*].id
  subnets                    = var.subnet_ids
  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "this" {
  count = local.pages

  name        = var.name
  port        = var.page.port
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = var.vpc_id

  health_check {
    path = var.page.health
  }

  # A page talks to the process that drew it.
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 86400
  }
}

resource "aws_lb_listener" "this" {
  count = local.pages

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
