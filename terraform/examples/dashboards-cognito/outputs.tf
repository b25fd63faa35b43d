output "dashboards_url" {
  description = "Address of OpenSearch Dashboards."
  value       = module.oktalogger.dashboards_url
}

output "user_pool_id" {
  description = "Id of the user pool, to add people to."
  value       = aws_cognito_user_pool.this.id
}

output "identity_pool_id" {
  description = "Id of the identity pool, for the mapping by group."
  value       = aws_cognito_identity_pool.this.id
}
