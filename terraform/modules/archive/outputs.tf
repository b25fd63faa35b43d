output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket
}

output "place" {
  description = "Where oktalogger finds it: the setting `OKTALOGGER_ARCHIVE`."
  value       = "s3://${aws_s3_bucket.this.bucket}/okta"
}

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "writer_policy" {
  description = "IAM policy, as JSON, for whoever writes to the archive: it writes and reads, and deletes nothing."
  value       = local.writer_policy
}
