mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix             = "oktalogger"
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  opensearch         = { host = "vpc-mock.us-east-1.es.amazonaws.com", region = "us-east-1" }
  security_documents = "{\"roles\": {}, \"role_mappings\": {}}"
}

run "a_token_and_an_oauth_app" {
  module {
    source = "./modules/secrets"
  }

  variables {
    recovery_window_days = 30

    okta_connections = {
      okta_default = { org_url = "https://company.okta.com", credential_version = 3 }
      okta_emea    = { org_url = "https://emea.okta.com", auth = "private_key_jwt", client_id = "0oa1", key_id = "k1", credential_version = 1 }
    }

    okta_credentials = { okta_default = "planted-token", okta_emea = "planted-key" }
  }

  assert {
    condition     = aws_secretsmanager_secret.okta["okta_default"].name == "oktalogger/connections/okta_default" && aws_secretsmanager_secret.okta["okta_emea"].recovery_window_in_days == 30 && aws_secretsmanager_secret.okta["okta_emea"].kms_key_id == var.kms_key_arn
    error_message = "A secret for each org, where Airflow looks for it."
  }

  assert {
    condition     = aws_secretsmanager_secret_version.okta["okta_default"].secret_string_wo_version == 3 && aws_secretsmanager_secret_version.okta["okta_default"].secret_string == null
    error_message = "The token is written, and never read back."
  }

  assert {
    condition = jsondecode(aws_secretsmanager_secret_version.opensearch.secret_string) == {
      conn_type = "opensearch"
      host      = "vpc-mock.us-east-1.es.amazonaws.com"
      port      = 443
      extra     = { auth = "sigv4", service = "es", region = "us-east-1" }
    }
    error_message = "The connection to OpenSearch holds no credential."
  }

  assert {
    condition = jsondecode(output.backend_kwargs) == {
      connections_prefix         = "oktalogger/connections"
      connections_lookup_pattern = "^(okta_default|okta_emea|opensearch_default)$"
      variables_prefix           = "oktalogger/variables"
      variables_lookup_pattern   = "^oktalogger_security$"
      config_prefix              = null
      region_name                = "us-east-1"
    }
    error_message = "Airflow asks Secrets Manager for these and for nothing else."
  }

  assert {
    condition     = length(output.secret_arns) == 4 && length(output.fill_commands) == 0
    error_message = "Two orgs, OpenSearch and the setup DAG's documents."
  }
}

run "filled_by_hand" {
  module {
    source = "./modules/secrets"
  }

  variables {
    # Left out, `terraform test` says that it "must remain unset during the apply phase"; `terraform apply` does not.
    okta_credentials = {}

    okta_connections = {
      okta_default = { org_url = "https://company.okta.com" }
      okta_app     = { org_url = "https://company.okta.com", auth = "private_key_jwt", client_id = "0oa1" }
    }
  }

  assert {
    condition     = length(aws_secretsmanager_secret.okta) == 2 && length(aws_secretsmanager_secret_version.okta) == 0
    error_message = "The secrets are there, and empty."
  }

  assert {
    condition     = jsondecode(split("okta_default.json: ", output.fill_commands.okta_default)[1]) == { conn_type = "okta", host = "https://company.okta.com", extra = { auth = "ssws" }, password = "THE API TOKEN" }
    error_message = "The command shows what to fill a token's secret with."
  }

  assert {
    condition     = jsondecode(split("okta_app.json: ", output.fill_commands.okta_app)[1]).extra == { auth = "private_key_jwt", client_id = "0oa1", private_key = "THE PRIVATE KEY" }
    error_message = "The command shows what to fill a key's secret with."
  }
}
