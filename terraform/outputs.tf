output "domain_endpoint" {
  description = "Host name of the domain's API, without scheme and port (https, 443)."
  value       = module.opensearch.endpoint
}

output "domain_arn" {
  description = "ARN of the domain."
  value       = module.opensearch.arn
}

output "dashboards_url" {
  description = "Address of OpenSearch Dashboards. A browser can log in with `domain.saml` or `domain.cognito`; without, through a tunnel that signs (see dashboards.md)."
  value       = module.opensearch.dashboards_url
}

output "saml_urls" {
  description = "Single sign-on URLs of the domain, for the identity provider's app: `sp_initiated` and `idp_initiated`."
  value       = module.opensearch.saml_urls
}

output "master_role_arn" {
  description = "ARN of the domain's master role. Whoever assumes it may do everything in the domain."
  value       = module.opensearch.master_role_arn
}

output "security_documents" {
  description = "OpenSearch roles and role mappings, as the DAG okta_opensearch_setup applies them (Airflow Variable `oktalogger_security`)."
  value       = local.security_documents
}

output "pipeline_policy" {
  description = "IAM policy, as JSON, for the role of an Airflow outside this stack."
  value       = local.pipeline_policy
}

output "analyst_policy" {
  description = "IAM policy, as JSON, for those who read."
  value       = local.analyst_policy
}

output "airflow_environment" {
  description = "Environment variables for an Airflow outside this stack: the secrets backend and oktalogger's settings. No secret is among them."
  value = merge(local.settings, {
    AIRFLOW__SECRETS__BACKEND        = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
    AIRFLOW__SECRETS__BACKEND_KWARGS = module.secrets.backend_kwargs
    OKTALOGGER_DASHBOARDS_URL        = module.opensearch.dashboards_url
  })
}

output "fill_commands" {
  description = "For each Okta connection made without a credential: the command that fills its secret."
  value       = module.secrets.fill_commands
}

output "kms_key_arn" {
  description = "ARN of the key that encrypts everything."
  value       = local.kms_key_arn
}

output "vpc_id" {
  description = "Id of the VPC; null where nothing is in one."
  value       = local.vpc_id
}

output "private_subnet_ids" {
  description = "Ids of the private subnets; null where nothing is in a VPC."
  value       = local.subnet_ids
}

output "nat_public_ips" {
  description = "Addresses from which Okta sees the requests of the environment, where this stack made the NAT gateways."
  value       = one(module.network[*].nat_public_ips)
}

output "domain_security_group_id" {
  description = "Security group of the domain; null for access `public`."
  value       = module.opensearch.security_group_id
}

output "mwaa_environment" {
  description = "Name of the Amazon MWAA environment; null without one."
  value       = one(module.mwaa[*].name)
}

output "mwaa_webserver_url" {
  description = "Address of Airflow's web page; null without Amazon MWAA."
  value       = one(module.mwaa[*].webserver_url)
}

output "mwaa_bucket" {
  description = "Bucket of the Amazon MWAA environment, for `make mwaa-deploy`; null without one."
  value       = one(module.mwaa[*].bucket)
}

output "mwaa_execution_role_arn" {
  description = "ARN of the role as which every DAG of the Amazon MWAA environment runs; null without one."
  value       = one(module.mwaa[*].execution_role_arn)
}

output "alarm_arns" {
  description = "ARNs of the alarms, by name; null without alarms."
  value       = one(module.alarms[*].alarm_arns)
}

output "archive_bucket" {
  description = "Bucket of the archive; null without `archive`."
  value       = one(module.archive[*].bucket)
}

output "archive_policy" {
  description = "IAM policy, as JSON, for the role of an Airflow outside this stack that writes to the archive; null without `archive`."
  value       = one(module.archive[*].writer_policy)
}
