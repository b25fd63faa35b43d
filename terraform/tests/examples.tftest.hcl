# Each example, as a user would apply it.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  okta_org_url = "https://company.okta.com"
}

run "existing_airflow" {
  module {
    source = "./examples/existing-airflow"
  }

  variables {
    airflow_role_name = "airflow-worker"
    airflow_ip_ranges = ["203.0.113.0/28"]
  }

  assert {
    condition     = keys(output.fill_commands) == ["okta_default"] && aws_iam_role_policy.airflow.role == "airflow-worker"
    error_message = "The role gets its policy, and the token is put in by hand."
  }
}

run "complete_mwaa" {
  module {
    source = "./examples/complete-mwaa"
  }

  variables {
    okta_token      = "planted-token"
    package_folder  = "./tests/fixtures/package"
    alarm_topic_arn = "arn:aws:sns:us-east-1:123456789012:alarms"
  }

  assert {
    condition     = output.environment == "oktalogger" && length(output.okta_sees) == 1
    error_message = "An environment whose address Okta can know."
  }
}

run "existing_vpc" {
  module {
    source = "./examples/existing-vpc"
  }

  override_data {
    target = module.oktalogger.data.aws_region.this
    values = { id = "eu-central-1", name = "eu-central-1" }
  }

  variables {
    region             = "eu-central-1"
    package_folder     = "./tests/fixtures/package"
    kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    vpc_id             = "vpc-0123456789abcdef0"
    private_subnet_ids = ["subnet-a", "subnet-b", "subnet-c"]
    okta_client_id     = "0oa1"
    okta_key_id        = "k1"
    okta_private_key   = "planted-key"
    idp_entity_id      = "http://www.okta.com/exk1"
    idp_metadata_xml   = "<xml/>"
    administrator_arns = ["arn:aws:iam::123456789012:role/administrator"]
    alarm_topic_arns   = ["arn:aws:sns:eu-central-1:123456789012:alarms"]
  }

  assert {
    condition     = output.environment == "oktalogger"
    error_message = "An environment in the VPC that was there."
  }
}

run "dashboards_cognito" {
  module {
    source = "./examples/dashboards-cognito"
  }

  variables {
    airflow_role_arns  = ["arn:aws:iam::123456789012:role/airflow-worker"]
    administrator_arns = ["arn:aws:iam::123456789012:role/administrator"]
    allowed_ip_ranges  = ["203.0.113.0/28"]
  }

  assert {
    condition     = aws_cognito_user_group.this["analysts"].role_arn == aws_iam_role.people["analysts"].arn && aws_iam_role_policy.analysts.policy == module.oktalogger.analyst_policy
    error_message = "Analysts get a role that reads, whoever is in no group one that does nothing."
  }
}

run "dashboards_tunnel" {
  module {
    source = "./examples/dashboards-tunnel"
  }

  variables {
    analyst_arns = ["arn:aws:iam::123456789012:role/analyst"]
  }

  assert {
    condition     = aws_instance.tunnel.subnet_id == module.oktalogger.private_subnet_ids[0] && strcontains(output.tunnel_command, "host=${module.oktalogger.domain_endpoint},portNumber=443")
    error_message = "A machine in a private subnet, and a command that leads through it to the domain."
  }
}

run "serverless" {
  module {
    source = "./examples/serverless"
  }

  variables {
    kms_key_arn               = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    vpc_id                    = "vpc-0123456789abcdef0"
    subnet_ids                = ["subnet-a", "subnet-b"]
    airflow_role_name         = "airflow-worker"
    airflow_security_group_id = "sg-0123456789abcdef0"
  }

  assert {
    condition     = aws_iam_role_policy.airflow.policy == module.collection.client_policy && jsondecode(output.connection).extra.service == "aoss"
    error_message = "The role reaches the collection, and Airflow signs for it."
  }
}
