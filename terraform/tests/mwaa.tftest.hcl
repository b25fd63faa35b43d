mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                   = "oktalogger"
  kms_key_arn            = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  vpc_id                 = "vpc-0123456789abcdef0"
  subnet_ids             = ["subnet-a", "subnet-b"]
  secrets_backend_kwargs = "{\"connections_prefix\": \"oktalogger/connections\"}"
  pipeline_policy        = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
}

run "defaults" {
  module {
    source = "./modules/mwaa"
  }

  assert {
    condition     = aws_mwaa_environment.this.airflow_version == "3.3.1" && aws_mwaa_environment.this.environment_class == "mw1.small" && aws_mwaa_environment.this.max_workers == 2
    error_message = "Airflow 3.3.1 on a small environment with up to two workers."
  }

  assert {
    condition     = aws_mwaa_environment.this.endpoint_management == "SERVICE" && aws_mwaa_environment.this.webserver_access_mode == "PUBLIC_ONLY"
    error_message = "Amazon MWAA keeps its endpoints; the web page is reached after a login by IAM."
  }

  assert {
    condition     = aws_mwaa_environment.this.kms_key == var.kms_key_arn && one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn && alltrue([for group in aws_cloudwatch_log_group.this : group.kms_key_id == var.kms_key_arn])
    error_message = "One key for environment, bucket and logs."
  }

  assert {
    condition     = sort([for group in aws_cloudwatch_log_group.this : group.name]) == tolist(["airflow-oktalogger-DAGProcessing", "airflow-oktalogger-Scheduler", "airflow-oktalogger-Task", "airflow-oktalogger-WebServer", "airflow-oktalogger-Worker"]) && alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 30])
    error_message = "The log groups are made beforehand under Amazon MWAA's names, with retention."
  }

  assert {
    condition     = aws_mwaa_environment.this.airflow_configuration_options["secrets.backend"] == "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend" && aws_mwaa_environment.this.airflow_configuration_options["secrets.backend_kwargs"] == var.secrets_backend_kwargs
    error_message = "The secrets backend is wired."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_egress_rule.out : rule.to_port] == [443] && aws_vpc_security_group_ingress_rule.itself.referenced_security_group_id == aws_security_group.this.id
    error_message = "Out to port 443, in from itself."
  }

  assert {
    condition     = aws_mwaa_environment.this.plugins_s3_path == null && length(aws_s3_object.dags) == 0 && output.startup_script == "#!/bin/sh\n"
    error_message = "Without a package nothing is uploaded but an empty startup script."
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy && aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_public_access_block.this.block_public_policy && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "The bucket is versioned, closed to the public, and not thrown away with what is in it."
  }
}

run "with_package" {
  module {
    source = "./modules/mwaa"
  }

  variables {
    package_folder        = "./tests/fixtures/package"
    airflow_version       = "2.11.2"
    webserver_access      = "private"
    egress_ports          = [443, 5432]
    access_log_bucket     = "access-logs"
    configuration_options = { "core.parallelism" = "16" }
    environment_variables = { OKTALOGGER_OKTA_CONN_IDS = "okta_default", GREETING = "it's $HOME" }
  }

  assert {
    condition     = keys(aws_s3_object.dags) == [".airflowignore", "okta_system_log.py"] && aws_s3_object.dags["okta_system_log.py"].key == "dags/okta_system_log.py" && aws_s3_object.dags["okta_system_log.py"].source_hash == filemd5("./tests/fixtures/package/dags/okta_system_log.py")
    error_message = "The DAGs are uploaded, and again when they change."
  }

  # A changed file is a new version, and a new version is an update of the environment.
  assert {
    condition     = aws_mwaa_environment.this.plugins_s3_object_version == aws_s3_object.plugins[0].version_id && aws_mwaa_environment.this.requirements_s3_object_version == aws_s3_object.requirements[0].version_id && aws_mwaa_environment.this.startup_script_s3_object_version == aws_s3_object.startup.version_id
    error_message = "The environment names the versions that were uploaded."
  }

  assert {
    condition     = aws_s3_object.requirements[0].source_hash == filemd5("./tests/fixtures/package/requirements.txt") && aws_s3_object.plugins[0].source_hash == filemd5("./tests/fixtures/package/plugins.zip")
    error_message = "Requirements and plugins are uploaded again when they change."
  }

  assert {
    condition     = output.startup_script == "#!/bin/sh\nexport GREETING='it'\\''s $HOME'\nexport OKTALOGGER_OKTA_CONN_IDS='okta_default'\necho \"ready\"\n"
    error_message = "Values are quoted for the shell, and the package's own startup script follows."
  }

  assert {
    condition     = aws_mwaa_environment.this.airflow_configuration_options["core.parallelism"] == "16" && aws_mwaa_environment.this.webserver_access_mode == "PRIVATE_ONLY" && aws_mwaa_environment.this.airflow_version == "2.11.2"
    error_message = "Options, access and version are as asked for."
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.out) == 2 && aws_s3_bucket_logging.this[0].target_bucket == "access-logs"
    error_message = "Another port, and access logs."
  }
}

run "micro" {
  command = plan

  module {
    source = "./modules/mwaa"
  }

  variables {
    environment_class = "mw1.micro"
  }

  assert {
    condition     = aws_mwaa_environment.this.min_workers == 1 && aws_mwaa_environment.this.max_workers == 1
    error_message = "A micro environment does not scale."
  }
}
