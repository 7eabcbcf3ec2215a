output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.id

  # Who writes needs a bucket that keeps versions and refuses what it should.
  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_policy.this]
}

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "lifecycle" {
  description = "The rules by which objects move and go."
  value       = aws_s3_bucket_lifecycle_configuration.this.rule
}
