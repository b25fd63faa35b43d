output "airflow_url" {
  description = "Address of Airflow's web page, inside the VPC."
  value       = module.oktalogger.mwaa_webserver_url
}

output "bucket" {
  description = "Bucket of the environment, for `make mwaa-deploy`."
  value       = module.oktalogger.mwaa_bucket
}

output "environment" {
  description = "Name of the environment, for `make mwaa-deploy`."
  value       = module.oktalogger.mwaa_environment
}

output "dashboards_url" {
  description = "Address of OpenSearch Dashboards, inside the VPC."
  value       = module.oktalogger.dashboards_url
}

output "saml_urls" {
  description = "Single sign-on URLs for the identity provider's app."
  value       = module.oktalogger.saml_urls
}
