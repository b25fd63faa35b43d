output "airflow_url" {
  description = "Address of Airflow's web page."
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

output "okta_sees" {
  description = "Addresses from which Okta sees the requests."
  value       = module.oktalogger.nat_public_ips
}

output "dashboards_url" {
  description = "Address of OpenSearch Dashboards."
  value       = module.oktalogger.dashboards_url
}
