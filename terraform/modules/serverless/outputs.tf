output "endpoint" {
  description = "Host name of the collection, for `OKTALOGGER_OPENSEARCH_*` or the connection `opensearch_default`."
  value       = trimprefix(aws_opensearchserverless_collection.this.collection_endpoint, "https://")
}

output "dashboards_url" {
  description = "Address of OpenSearch Dashboards; people sign in with IAM."
  value       = aws_opensearchserverless_collection.this.dashboard_endpoint
}

output "connection" {
  description = "The Airflow connection `opensearch_default` for the collection, as JSON text. It holds no credential."
  value = jsonencode({
    conn_type = "opensearch"
    host      = trimprefix(aws_opensearchserverless_collection.this.collection_endpoint, "https://")
    port      = 443
    extra     = { auth = "sigv4", service = "aoss", region = data.aws_region.this.id, dashboards_url = aws_opensearchserverless_collection.this.dashboard_endpoint }
  })
}

output "client_policy" {
  description = "IAM policy, as JSON, without which nobody reaches the collection's API or Dashboards, whatever its data access policies say."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "OwnCollection"
        Effect   = "Allow"
        Action   = "aoss:APIAccessAll"
        Resource = "arn:${data.aws_partition.this.partition}:aoss:${data.aws_region.this.id}:${data.aws_caller_identity.this.account_id}:collection/${aws_opensearchserverless_collection.this.id}"
      },
      {
        # AWS knows one resource for it: the dashboards of the account.
        Sid      = "Dashboards"
        Effect   = "Allow"
        Action   = "aoss:DashboardsAccessAll"
        Resource = "arn:${data.aws_partition.this.partition}:aoss:${data.aws_region.this.id}:${data.aws_caller_identity.this.account_id}:dashboards/default"
      },
    ]
  })
}

output "what_does_not_exist_here" {
  description = "What a domain has and a collection lacks, and what stands in for it."
  value = {
    alerting  = "No monitors. Turn on okta_detections_after_load instead of okta_detections."
    retention = "No Index State Management. Months stay until somebody deletes them; AWS's lifecycle policies are for collections of the type TIMESERIES."
    roles     = "No security plugin. The data access policies of this module say who may do what, and okta_opensearch_setup puts index templates only."
    refresh   = "Not on request. What was stored within a minute may be missing in coverage and in detections."
    snapshots = "None of your own. What Okta has deleted is here only, unless it is archived."
    alarms    = "The alarms of modules/alarms are for a domain. Watch SearchOCU and IndexingOCU of AWS/AOSS, and the runs of Airflow."
  }
}
