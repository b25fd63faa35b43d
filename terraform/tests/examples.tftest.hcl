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
