# What Airflow's secrets backend hands out: connections to Okta and OpenSearch, and the documents for the setup DAG.

data "aws_region" "this" {}

locals {
  filled = { for id, org in var.okta_connections : id => org if org.credential_version > 0 }

  opensearch_document = {
    conn_type = "opensearch"
    host      = var.opensearch.host
    port      = 443
    extra = { for key, value in {
      auth           = "sigv4"
      service        = "es"
      region         = var.opensearch.region
      dashboards_url = var.opensearch.dashboards_url
    } : key => value if value != null }
  }
}

resource "aws_secretsmanager_secret" "okta" {
  for_each = var.okta_connections

  name                    = "${var.prefix}/connections/${each.key}"
  description             = "Airflow connection ${each.key}: System Log of ${each.value.org_url}."
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_window_days
  tags                    = var.tags

  #checkov:skip=CKV2_AWS_57:Okta has no API by which a Lambda function could rotate a token; an OAuth app's keys are rotated by raising credential_version.
}

# Write-only: what it says goes to Secrets Manager and is in neither plan nor state.
resource "aws_secretsmanager_secret_version" "okta" {
  for_each = local.filled

  secret_id                = aws_secretsmanager_secret.okta[each.key].id
  secret_string_wo_version = each.value.credential_version
  # As plugins/oktalogger/hooks/okta.py reads it.
  secret_string_wo = jsonencode({ for key, value in {
    conn_type = "okta"
    host      = each.value.org_url
    password  = each.value.auth == "ssws" ? var.okta_credentials[each.key] : null
    extra = { for key, value in {
      auth        = each.value.auth
      client_id   = each.value.client_id
      key_id      = each.value.key_id
      private_key = each.value.auth == "ssws" ? null : var.okta_credentials[each.key]
    } : key => value if value != null }
  } : key => value if value != null })
}

resource "aws_secretsmanager_secret" "opensearch" {
  name                    = "${var.prefix}/connections/${var.opensearch_conn_id}"
  description             = "Airflow connection ${var.opensearch_conn_id}: the OpenSearch domain, signed for with the worker's role."
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_window_days
  tags                    = var.tags

  #checkov:skip=CKV2_AWS_57:It holds an address and no credential: there is nothing to rotate.
}

resource "aws_secretsmanager_secret_version" "opensearch" {
  secret_id     = aws_secretsmanager_secret.opensearch.id
  secret_string = jsonencode(local.opensearch_document)
}

resource "aws_secretsmanager_secret" "security" {
  name                    = "${var.prefix}/variables/oktalogger_security"
  description             = "Airflow Variable oktalogger_security: OpenSearch roles and role mappings for the DAG okta_opensearch_setup."
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_window_days
  tags                    = var.tags

  #checkov:skip=CKV2_AWS_57:It holds role documents and no credential: there is nothing to rotate.
}

resource "aws_secretsmanager_secret_version" "security" {
  secret_id     = aws_secretsmanager_secret.security.id
  secret_string = var.security_documents
}
