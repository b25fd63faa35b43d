output "name" {
  description = "Name of the environment."
  value       = aws_mwaa_environment.this.name
}

output "arn" {
  description = "ARN of the environment."
  value       = aws_mwaa_environment.this.arn
}

output "webserver_url" {
  description = "Address of Airflow's web page."
  value       = "https://${aws_mwaa_environment.this.webserver_url}"
}

output "execution_role_arn" {
  description = "ARN of the role as which every DAG runs."
  value       = aws_iam_role.execution.arn
}

output "execution_role_name" {
  description = "Name of the role as which every DAG runs."
  value       = aws_iam_role.execution.name
}

output "security_group_id" {
  description = "Security group of the environment, to be let into what it must reach."
  value       = aws_security_group.this.id
}

output "bucket" {
  description = "Name of the bucket with DAGs, plugins and requirements."
  value       = aws_s3_bucket.this.bucket
}

output "startup_script" {
  description = "The startup script, which exports the environment variables."
  value       = local.startup
}

output "log_group_names" {
  description = "Airflow's log groups, by part of Airflow."
  value       = { for part, group in aws_cloudwatch_log_group.this : part => group.name }
}
