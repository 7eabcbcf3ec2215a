output "bucket" {
  description = "Name of the lake's bucket."
  value       = module.bucket.bucket
}

output "drop_queue_url" {
  description = "The queue that hears of files dropped into raw/inbox/."
  value       = aws_sqs_queue.drops.url

  depends_on = [aws_s3_bucket_notification.this]
}

output "dead_drop_queue_name" {
  description = "The queue of messages that nobody could take."
  value       = aws_sqs_queue.dead_drops.name
}

output "lifecycle" {
  description = "The rules by which objects move and go."
  value       = module.bucket.lifecycle
}
