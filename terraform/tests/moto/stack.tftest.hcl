# The whole stack, applied to moto (an AWS stand-in) and planned once more. tests/terraform/test_moto.py runs it, looks
# that the second plan is empty, and looks for secrets in the state. Overridden is what moto cannot do:
# * the domain: the provider waits ten minutes before it first asks whether one is ready
# * the environment: moto has no Amazon MWAA
# * the bucket's policy: moto leaves conditions out of account, so "only over TLS" would mean "never"
# * the bucket's lifecycle: the provider waits a minute for something that moto does not report
# * rules that name a security group: moto forgets their description, and each plan would set it again

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "testing" # so that nobody's own credentials reach AWS from here
  secret_key                  = "testing"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}

override_resource {
  target = module.opensearch.aws_opensearch_domain.this
  values = { endpoint = "vpc-oktalogger-abc.us-east-1.es.amazonaws.com" }
}

override_resource {
  target = module.mwaa[0].aws_mwaa_environment.this
  values = {
    arn           = "arn:aws:airflow:us-east-1:123456789012:environment/oktalogger"
    webserver_url = "oktalogger.c1.us-east-1.airflow.amazonaws.com"
  }
}

override_resource {
  target = module.mwaa[0].aws_s3_bucket_policy.this
}

override_resource {
  target = module.mwaa[0].aws_s3_bucket_lifecycle_configuration.this
}

override_resource {
  target = module.mwaa[0].aws_vpc_security_group_ingress_rule.itself
}

override_resource {
  target = module.mwaa[0].aws_vpc_security_group_egress_rule.itself
}

override_resource {
  target = module.opensearch.aws_vpc_security_group_ingress_rule.group
}

variables {
  okta_connections = {
    okta_default = { org_url = "https://company.okta.com", credential_version = 1 }
    okta_emea    = { org_url = "https://emea.okta.com", auth = "private_key_jwt", client_id = "0oa1", key_id = "k1", credential_version = 1 }
    okta_later   = { org_url = "https://later.okta.com" }
  }

  okta_credentials = {
    okta_default = "planted-okta-token"
    okta_emea    = "planted-okta-key"
  }

  mwaa               = { package_folder = "./tests/fixtures/package" }
  alarms             = { sns_topic_arns = ["arn:aws:sns:us-east-1:123456789012:alarms"] }
  analyst_arns       = ["arn:aws:iam::123456789012:role/analyst"]
  setup_from_airflow = true
  domain             = { create_service_linked_role = true }
}

run "apply" {
  assert {
    condition     = output.mwaa_environment == "oktalogger"
    error_message = "The stack was applied."
  }
}

run "second_plan" {
  command = plan
}
