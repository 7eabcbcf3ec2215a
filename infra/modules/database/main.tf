# Postgres for Dagster's runs, events and ticks. Not here: anything of the lake; it can be lost without a number lost.

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "Dagster's Postgres"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = var.client_security_group_ids

  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = each.value
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
  description                  = "SQL from ${each.key}"
}

resource "aws_db_subnet_group" "this" {
  name       = "${var.name}-dagster"
  subnet_ids = var.subnet_ids
}

# A password of our own, and none that RDS manages: RDS would change it every seven days, and ECS hands a secret to a task
# once, at its start. It is in no state file: both arguments are write-only.
ephemeral "aws_secretsmanager_random_password" "new" {
  password_length     = 40
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "password" {
  name                    = "${var.name}/database-password"
  description             = "Password of Dagster's Postgres, user dagster."
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "password" {
  secret_id                = aws_secretsmanager_secret.password.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.new.random_password
  secret_string_wo_version = var.password_version
}

# Read back, so that an apply which stopped between the two cannot leave two passwords.
ephemeral "aws_secretsmanager_secret_version" "password" {
  secret_id  = aws_secretsmanager_secret_version.password.secret_id
  version_id = aws_secretsmanager_secret_version.password.version_id
}

# Postgres 15 and later takes TLS only, by the parameter group that RDS comes with.
resource "aws_db_instance" "this" {
  identifier             = "${var.name}-dagster"
  engine                 = "postgres"
  engine_version         = "17"
  instance_class         = var.instance_class
  allocated_storage      = 20 # GB, the least of gp3
  max_allocated_storage  = 100
  storage_type           = "gp3"
  storage_encrypted      = true
  db_name                = "dagster"
  username               = "dagster"
  password_wo            = ephemeral.aws_secretsmanager_secret_version.password.secret_string
  password_wo_version    = var.password_version
  port                   = 5432
  multi_az               = var.multi_az
  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]

  auto_minor_version_upgrade      = true
  backup_retention_period         = var.backup_days
  backup_window                   = "04:00-05:00"
  maintenance_window              = "sun:05:30-sun:06:30"
  copy_tags_to_snapshot           = true
  deletion_protection             = var.deletion_protection
  skip_final_snapshot             = !var.deletion_protection
  final_snapshot_identifier       = var.deletion_protection ? "${var.name}-dagster-final" : null
  enabled_cloudwatch_logs_exports = ["postgresql"]
}
