output "environment" {
  description = "What tasks of Dagster need to know of it, but for the password."
  value = {
    DAGSTER_PG_HOST     = aws_db_instance.this.address
    DAGSTER_PG_PORT     = tostring(aws_db_instance.this.port)
    DAGSTER_PG_USERNAME = aws_db_instance.this.username
    DAGSTER_PG_DB       = aws_db_instance.this.db_name
  }
}

output "password_secret_arn" {
  description = "The secret that is the password, for DAGSTER_PG_PASSWORD."
  value       = aws_secretsmanager_secret.password.arn
}

output "identifier" {
  description = "Name of the instance, as CloudWatch's dimension DBInstanceIdentifier has it."
  value       = aws_db_instance.this.identifier
}
