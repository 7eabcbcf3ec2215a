output "topic_arn" {
  description = "The topic of alerts, for TAXI_ALERT_TOPIC_ARN."
  value       = aws_sns_topic.alerts.arn

  depends_on = [aws_sns_topic_policy.alerts]
}

output "key_arn" {
  description = "The key that alerts are encrypted with."
  value       = aws_kms_key.alerts.arn
}

output "container_log_group" {
  description = "Where containers log to."
  value       = aws_cloudwatch_log_group.containers.name
}
