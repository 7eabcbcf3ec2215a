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

module "task" {
  source = "../task"

  family = "${var.name}-dashboard"
  region = var.region

  containers = {
    dashboard = {
      command = ["taxi-assets", "dashboard", "--host", "0.0.0.0", "--port", "8501"]
      health  = ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
      port    = 8501
    }
  }

  cpu                = var.cpu
  memory             = var.memory
  image              = var.image
  architecture       = var.architecture
  task_role_arn      = var.task_role_arn
  execution_role_arn = var.execution_role_arn
  log_group          = var.log_group
  environment        = var.environment
  secrets            = var.secrets
}

module "service" {
  source = "../service"

  name                = "${var.name}-dashboard"
  cluster_arn         = var.cluster_arn
  task_definition_arn = module.task.arn
  vpc_id              = var.vpc_id
  subnet_ids          = var.subnet_ids
  public_ip           = var.public_ip
  security_group_id   = aws_security_group.this.id
  page                = var.load_balancer ? { container = "dashboard", port = 8501, health = "/_stcore/health" } : null
  certificate_arn     = var.certificate_arn
  client_cidr         = var.client_cidr
}
