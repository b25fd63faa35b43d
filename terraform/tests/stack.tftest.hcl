mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  okta_connections = { okta_default = { org_url = "https://company.okta.com", credential_version = 1 } }
  okta_credentials = { okta_default = "planted-token" }
}

run "everything_with_mwaa" {
  variables {
    mwaa     = { environment_variables = { OTHER = "1" } }
    archive  = { object_lock = { mode = "governance", days = 90 } }
    settings = { OKTALOGGER_START_DATE = "2026-11-01T00:00:00Z" }
    alarms   = { sns_topic_arns = ["arn:aws:sns:us-east-1:123456789012:alarms"], dag_ids = ["okta_system_log", "okta_detections"] }
  }

  assert {
    condition     = length(module.network) == 1 && length(output.nat_public_ips) == 1 && length(output.private_subnet_ids) == 2
    error_message = "A VPC with one NAT gateway."
  }

  assert {
    condition     = output.mwaa_environment == "oktalogger" && length([for name in keys(output.alarm_arns) : name if strcontains(name, "okta_")]) == 9 && alltrue([for word in ["gap", "rejected"] : contains(keys(output.alarm_arns), "oktalogger-${word}")])
    error_message = "The environment, three alarms for each DAG, one for each that only fails, and one for each word."
  }

  assert {
    condition     = strcontains(module.mwaa[0].startup_script, "export OKTALOGGER_OKTA_CONN_IDS='okta_default'\nexport OKTALOGGER_OPENSEARCH_CONN_ID='opensearch_default'\nexport OKTALOGGER_RECONCILE_CHANNEL='alarms'\nexport OKTALOGGER_START_DATE='2026-11-01T00:00:00Z'\nexport OTHER='1'\n")
    error_message = "Settings reach Airflow by the startup script."
  }

  assert {
    condition = jsondecode(local.settings.OKTALOGGER_DETECTION_NOTIFIERS) == {
      alarms = {
        class       = "airflow.providers.amazon.aws.notifications.sns.SnsNotifier"
        aws_conn_id = null
        region_name = "us-east-1"
        target_arn  = "arn:aws:sns:us-east-1:123456789012:alarms"
        subject     = "{{ alert.title }}"
        message     = "{{ alert.text }}"
      }
    } && local.settings.OKTALOGGER_RECONCILE_CHANNEL == "alarms" && local.settings.OKTALOGGER_CHECK_CHANNEL == "alarms"
    error_message = "Airflow's tasks tell the topic what they find."
  }

  assert {
    condition     = [for statement in jsondecode(local.pipeline_policy).Statement : statement.Resource if try(statement.Action == "sns:Publish", false)] == ["arn:aws:sns:us-east-1:123456789012:alarms"]
    error_message = "They may publish to that topic, and to no other."
  }

  assert {
    condition     = length(module.archive) == 1 && output.archive_bucket != null && jsondecode(output.archive_policy).Statement[0].Action == ["s3:GetObject", "s3:PutObject"]
    error_message = "An archive to which Airflow's role may write."
  }

  assert {
    condition     = output.airflow_environment.OKTALOGGER_ARCHIVE == "s3://${output.archive_bucket}/okta"
    error_message = "And the setting that names it."
  }

  assert {
    condition     = output.security_documents.role_mappings.oktalogger_loader.backend_roles == [output.mwaa_execution_role_arn]
    error_message = "The execution role is the loader."
  }
}

run "notifiers_of_ones_own" {
  variables {
    mwaa     = {}
    alarms   = { sns_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:alarms"] }
    settings = { OKTALOGGER_CHECK_CHANNEL = "soc", OKTALOGGER_DETECTION_NOTIFIERS = "{\"soc\": {\"class\": \"my.Notifier\"}}" }
  }

  assert {
    condition     = keys(jsondecode(local.settings.OKTALOGGER_DETECTION_NOTIFIERS)) == ["alarms", "soc"] && local.settings.OKTALOGGER_CHECK_CHANNEL == "soc" && local.settings.OKTALOGGER_RECONCILE_CHANNEL == "alarms"
    error_message = "One's own notifiers and channels stand beside that of the alarms."
  }
}

run "alarms_without_words" {
  variables {
    mwaa   = {}
    alarms = { sns_topic_arns = ["arn:aws:sns:us-east-1:123456789012:alarms"], tell = false }
  }

  assert {
    condition     = !can(local.settings.OKTALOGGER_DETECTION_NOTIFIERS) && !can(local.settings.OKTALOGGER_CHECK_CHANNEL) && !strcontains(local.pipeline_policy, "sns:Publish")
    error_message = "The tasks fail instead, which the alarms on failed runs hear."
  }
}

run "domain_for_an_airflow_elsewhere_in_the_vpc" {
  variables {
    airflow_role_arns = ["arn:aws:iam::123456789012:role/airflow-worker"]
    domain            = { client_security_group_ids = { airflow = "sg-0123456789abcdef0" } }
  }

  assert {
    condition     = length(module.network) == 1 && length(output.nat_public_ips) == 0
    error_message = "The domain alone needs no way out, and no NAT gateway is paid for."
  }

  assert {
    condition     = output.mwaa_environment == null && output.alarm_arns == null && output.domain_security_group_id != null
    error_message = "No environment, no alarms."
  }

  assert {
    condition     = output.airflow_environment.OKTALOGGER_OKTA_CONN_IDS == "okta_default" && !strcontains(jsonencode(output.airflow_environment), "planted")
    error_message = "The settings for Airflow hold no secret."
  }
}

run "public_domain_without_vpc" {
  # A stack of its own: in place of another one the plan would refuse it.
  state_key = "public_domain_without_vpc"

  variables {
    airflow_role_arns = ["arn:aws:iam::123456789012:role/airflow-worker"]
    domain            = { access = "public", allowed_ip_ranges = ["203.0.113.0/28"] }
    kms_key_arn       = "arn:aws:kms:us-east-1:123456789012:key/11111111-1111-1111-1111-111111111111"
  }

  assert {
    condition     = length(module.network) == 0 && output.vpc_id == null && length(aws_kms_key.this) == 0 && output.kms_key_arn == var.kms_key_arn
    error_message = "Neither VPC nor key is made."
  }

  # The domain's policy and the role's own are added up: a condition in one alone would be none.
  assert {
    condition     = jsondecode(output.pipeline_policy).Statement[0].Condition.IpAddress["aws:SourceIp"] == ["203.0.113.0/28"] && jsondecode(output.analyst_policy).Statement[0].Condition.IpAddress["aws:SourceIp"] == ["203.0.113.0/28"]
    error_message = "The roles' own policies have the same condition on the address."
  }
}

run "public_domain_with_mwaa" {
  # A stack of its own: in place of another one the plan would refuse it.
  state_key = "public_domain_with_mwaa"

  variables {
    mwaa   = {}
    domain = { access = "public", allowed_ip_ranges = ["203.0.113.0/28"] }
  }

  assert {
    condition     = jsondecode(output.pipeline_policy).Statement[0].Condition.IpAddress["aws:SourceIp"] == ["203.0.113.0/28", "203.0.113.99/32"]
    error_message = "The environment's own way out is among the addresses."
  }

  assert {
    condition     = length(module.network) == 1 && output.domain_security_group_id == null
    error_message = "The VPC is for the environment alone."
  }
}

run "own_vpc_and_three_zones" {
  # A stack of its own: in place of another one the plan would refuse it.
  state_key = "own_vpc_and_three_zones"

  variables {
    mwaa         = {}
    existing_vpc = { vpc_id = "vpc-0123456789abcdef0", private_subnet_ids = ["subnet-a", "subnet-b", "subnet-c"] }
    domain       = { instance_count = 3, zone_count = 3 }
  }

  assert {
    condition     = length(module.network) == 0 && output.vpc_id == "vpc-0123456789abcdef0" && output.private_subnet_ids == tolist(["subnet-a", "subnet-b", "subnet-c"])
    error_message = "No VPC is made."
  }
}
