output "connection" {
  description = "The Airflow connection `opensearch_default`, as JSON text."
  value       = module.collection.connection
}

output "dashboards_url" {
  description = "Address of OpenSearch Dashboards."
  value       = module.collection.dashboards_url
}

output "what_does_not_exist_here" {
  description = "What a domain has and a collection lacks, and what stands in for it."
  value       = module.collection.what_does_not_exist_here
}
