# The stack in the ways in which its policies differ. tests/terraform/test_policies.py and test_permissions.py read the
# states and judge the policies in them as AWS would; each ARN is another one here, so that no policy is right by accident.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = module.opensearch.aws_iam_role.master
  values = { arn = "arn:aws:iam::123456789012:role/oktalogger-opensearch-master" }
}

override_resource {
  target = module.secrets.aws_secretsmanager_secret.okta
  values = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:oktalogger/connections/okta_default-AbCdEf" }
}

override_resource {
  target = module.secrets.aws_secretsmanager_secret.opensearch
  values = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:oktalogger/connections/opensearch_default-AbCdEf" }
}

override_resource {
  target = module.secrets.aws_secretsmanager_secret.security
  values = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:oktalogger/variables/oktalogger_security-AbCdEf" }
}

override_resource {
  target = module.opensearch.aws_cloudwatch_log_group.this
  values = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/OpenSearchService/domains/oktalogger/application-logs" }
}

variables {
  okta_connections = { okta_default = { org_url = "https://company.okta.com", credential_version = 1 } }
  okta_credentials = { okta_default = "planted-token" }
  analyst_arns     = ["arn:aws:iam::123456789012:role/analyst"]
}

run "mwaa" {
  variables {
    mwaa = {}
  }

  override_resource {
    target = module.mwaa[0].aws_iam_role.execution
    values = { arn = "arn:aws:iam::123456789012:role/oktalogger-mwaa-execution" }
  }

  override_resource {
    target = module.mwaa[0].aws_s3_bucket.this
    values = { arn = "arn:aws:s3:::oktalogger-mwaa-1" }
  }

  override_resource {
    target = module.network[0].aws_cloudwatch_log_group.flow
    values = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vpc/oktalogger/flow-logs" }
  }

  override_resource {
    target = module.network[0].aws_iam_role.flow
    values = { arn = "arn:aws:iam::123456789012:role/oktalogger-vpc-flow-logs" }
  }
}

run "mwaa_while_setting_up" {
  variables {
    mwaa                = {}
    setup_from_airflow  = true
    master_trusted_arns = ["arn:aws:iam::123456789012:role/administrator"]
  }

  override_resource {
    target = module.mwaa[0].aws_iam_role.execution
    values = { arn = "arn:aws:iam::123456789012:role/oktalogger-mwaa-execution" }
  }

  override_resource {
    target = module.mwaa[0].aws_s3_bucket.this
    values = { arn = "arn:aws:s3:::oktalogger-mwaa-1" }
  }
}

run "elsewhere_over_the_internet" {
  # A stack of its own: in place of another one the plan would refuse it.
  state_key = "elsewhere_over_the_internet"

  variables {
    airflow_role_arns = ["arn:aws:iam::123456789012:role/airflow-worker"]
    domain            = { access = "public", allowed_ip_ranges = ["203.0.113.0/28"] }
  }
}

run "people_by_saml_over_the_internet" {
  # A stack of its own: in place of another one the plan would refuse it.
  state_key = "people_by_saml_over_the_internet"

  variables {
    airflow_role_arns = ["arn:aws:iam::123456789012:role/airflow-worker"]

    domain = {
      access              = "public"
      allowed_ip_ranges   = ["203.0.113.0/28"]
      saml                = { entity_id = "http://www.okta.com/exk1", metadata_xml = "<xml/>" }
      analyst_saml_groups = ["security-analysts"]
    }
  }
}
