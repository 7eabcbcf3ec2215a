# Redshift Serverless over the lake: never public, a password that nobody knows, an end to what a month may cost.
# Not here: schemas, views and database roles (the asset operations/warehouse makes them), who may log in (identity).

resource "aws_security_group" "this" {
  name        = "${var.name}-warehouse"
  description = "Redshift Serverless of the lakehouse"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = var.client_security_group_ids

  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = each.value
  from_port                    = 5439
  to_port                      = 5439
  ip_protocol                  = "tcp"
  description                  = "SQL from ${each.key}"
}

resource "aws_redshiftserverless_namespace" "this" {
  namespace_name        = var.name
  db_name               = var.database
  admin_username        = "administrator"
  manage_admin_password = true
  iam_roles             = [var.role_arn]
  default_iam_role_arn  = var.role_arn
  log_exports           = ["connectionlog", "userlog", "useractivitylog"]
}

resource "aws_redshiftserverless_workgroup" "this" {
  namespace_name       = aws_redshiftserverless_namespace.this.namespace_name
  workgroup_name       = var.name
  base_capacity        = var.base_rpu
  max_capacity         = var.max_rpu
  publicly_accessible  = false
  enhanced_vpc_routing = var.enhanced_vpc_routing
  subnet_ids           = var.subnet_ids
  security_group_ids   = [aws_security_group.this.id]

  config_parameter {
    parameter_key   = "require_ssl"
    parameter_value = "true"
  }

  config_parameter {
    parameter_key   = "max_query_execution_time"
    parameter_value = "600" # seconds; the longest question of ours ends after two minutes
  }
}

resource "aws_redshiftserverless_usage_limit" "this" {
  count = var.rpu_hours_a_month > 0 ? 1 : 0

  resource_arn  = aws_redshiftserverless_workgroup.this.arn
  usage_type    = "serverless-compute"
  amount        = var.rpu_hours_a_month
  period        = "monthly"
  breach_action = "deactivate"
}
