output "arn" {
  description = "ARN of the domain. Known at plan, so that roles can name it before it is there."
  value       = local.domain_arn
}

output "name" {
  description = "Name of the domain."
  value       = aws_opensearch_domain.this.domain_name
}

output "endpoint" {
  description = "Host name of the domain's API, without scheme and port (https, 443)."
  value       = aws_opensearch_domain.this.endpoint
}

output "dashboards_url" {
  description = "Address of OpenSearch Dashboards."
  value       = "https://${aws_opensearch_domain.this.endpoint}/_dashboards"
}

output "saml_urls" {
  description = "Single sign-on URLs for the identity provider's app: `sp_initiated` for a login that begins at Dashboards, `idp_initiated` for one that begins at the identity provider."
  value = {
    sp_initiated  = "https://${aws_opensearch_domain.this.endpoint}/_dashboards/_opendistro/_security/saml/acs"
    idp_initiated = "https://${aws_opensearch_domain.this.endpoint}/_dashboards/_opendistro/_security/saml/acs/idpinitiated"
  }
}

output "security_group_id" {
  description = "Security group of the domain; null for access `public`."
  value       = one(aws_security_group.this[*].id)
}

output "master_role_arn" {
  description = "ARN of the master role, which sets up roles and role mappings."
  value       = aws_iam_role.master.arn
}

output "roles" {
  description = "The OpenSearch roles, by name, as the security plugin's API takes them."
  value       = local.roles
}

output "role_mappings" {
  description = "Who has which OpenSearch role, by the role's name, as the security plugin's API takes them."
  value       = local.role_mappings
}

output "http_actions" {
  description = "The IAM actions on the domain that each kind of principal needs, by kind: loader, sync, analyst, master."
  value       = { for kind, verbs in local.verbs : kind => [for verb in verbs : "es:ESHttp${verb}"] }
}

output "log_group_names" {
  description = "The domain's log groups, by kind of log."
  value       = { for kind, group in aws_cloudwatch_log_group.this : kind => group.name }
}

output "volume_gib" {
  description = "Size of each data node's volume in GiB."
  value       = var.volume_gib
}
