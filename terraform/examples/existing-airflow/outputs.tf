output "airflow_environment" {
  description = "Environment variables for Airflow's schedulers and workers."
  value       = module.oktalogger.airflow_environment
}

output "fill_commands" {
  description = "How to put the Okta token into its secret."
  value       = module.oktalogger.fill_commands
}

output "dashboards_url" {
  description = "Address of OpenSearch Dashboards."
  value       = module.oktalogger.dashboards_url
}
