# A task definition for Fargate: containers of the lakehouse's image, as its user, on a root that is read-only.
# Not here: who keeps it running (service).

locals {
  # What a container writes: its own files, and in the last three the agent of Session Manager
  # (aws/containers-roadmap, issue 1359).
  volumes = {
    tmp            = "/tmp"
    managed-agents = "/managed-agents"
    ssm            = "/var/lib/amazon/ssm"
    ssm-logs       = "/var/log/amazon/ssm"
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.family
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = var.task_role_arn
  execution_role_arn       = var.execution_role_arn

  container_definitions = jsonencode([
    for name, container in var.containers : merge(
      {
        name                   = name
        image                  = var.image
        essential              = true
        user                   = "1000:1000"
        readonlyRootFilesystem = true
        environment            = [for key, value in var.environment : { name = key, value = value }]
        secrets                = [for key, arn in var.secrets : { name = key, valueFrom = arn }]
        linuxParameters        = { initProcessEnabled = true } # ends what a run leaves behind
        systemControls         = []
        volumesFrom            = []
        portMappings           = container.port == null ? [] : [{ containerPort = container.port, hostPort = container.port, protocol = "tcp" }]
        dependsOn              = container.after == null ? [] : [{ containerName = container.after, condition = "HEALTHY" }]
        # Each has folders of its own for what it writes.
        mountPoints = [for volume, path in local.volumes : { sourceVolume = "${name}-${volume}", containerPath = path, readOnly = false }]

        logConfiguration = {
          logDriver = "awslogs"
          options   = { "awslogs-group" = var.log_group, "awslogs-region" = var.region, "awslogs-stream-prefix" = name }
        }
      },
      length(container.command) == 0 ? {} : { command = container.command },
      container.health == null ? {} : {
        healthCheck = { command = concat(["CMD"], container.health), interval = 30, timeout = 20, retries = 3, startPeriod = container.starts }
      },
    )
  ])

  runtime_platform {
    cpu_architecture        = var.architecture
    operating_system_family = "LINUX"
  }

  dynamic "volume" {
    for_each = setproduct(keys(var.containers), keys(local.volumes))

    content {
      name = "${volume.value[0]}-${volume.value[1]}"
    }
  }
}
