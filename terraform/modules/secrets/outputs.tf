output "secret_arns" {
  description = "ARNs of the secrets, for the policy of whoever reads them."
  value = concat(
    [for id in sort(keys(aws_secretsmanager_secret.okta)) : aws_secretsmanager_secret.okta[id].arn],
    [aws_secretsmanager_secret.opensearch.arn, aws_secretsmanager_secret.security.arn],
  )
}

output "connections_prefix" {
  description = "`connections_prefix` of Airflow's secrets backend."
  value       = "${var.prefix}/connections"
}

output "variables_prefix" {
  description = "`variables_prefix` of Airflow's secrets backend."
  value       = "${var.prefix}/variables"
}

output "backend_kwargs" {
  description = "`[secrets] backend_kwargs` of Airflow, as JSON: the region, the prefixes, and patterns so that no other lookup costs an API call."
  value = jsonencode({
    connections_prefix         = "${var.prefix}/connections"
    connections_lookup_pattern = "^(${join("|", [for id in sort(concat(keys(var.okta_connections), [var.opensearch_conn_id])) : replace(id, ".", "\\.")])})$"
    variables_prefix           = "${var.prefix}/variables"
    variables_lookup_pattern   = "^oktalogger_security$"
    config_prefix              = null
    region_name                = data.aws_region.this.id
  })
}

output "fill_commands" {
  description = "For each Okta connection made without a credential: the command that fills its secret. Put the credential into the file first, and delete the file afterwards."
  value = {
    for id, org in var.okta_connections : id => join(" ", [
      "aws secretsmanager put-secret-value --secret-id ${var.prefix}/connections/${id} --secret-string file://${id}.json",
      "# ${id}.json:",
      jsonencode({ for key, value in {
        conn_type = "okta"
        host      = org.org_url
        password  = org.auth == "ssws" ? "THE API TOKEN" : null
        extra = { for key, value in {
          auth        = org.auth
          client_id   = org.client_id
          key_id      = org.key_id
          private_key = org.auth == "ssws" ? null : "THE PRIVATE KEY"
        } : key => value if value != null }
      } : key => value if value != null }),
    ]) if org.credential_version == 0
  }
}
