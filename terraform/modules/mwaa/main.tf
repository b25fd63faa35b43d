# The Airflow environment. Its bucket is in bucket.tf, its role in role.tf.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.id

  # Put together, not read: the role's policy names the environment before it is there.
  environment_arn = "arn:${local.partition}:airflow:${local.region}:${local.account}:environment/${var.name}"

  max_workers = max(var.min_workers, coalesce(var.max_workers, var.environment_class == "mw1.micro" ? 1 : 2))

  configuration = merge(var.configuration_options, {
    "secrets.backend"        = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
    "secrets.backend_kwargs" = var.secrets_backend_kwargs
  })
}

# Made beforehand, under the names that Amazon MWAA uses: otherwise it makes them itself, without retention, and they
# outlive the environment.
resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["DAGProcessing", "Scheduler", "Task", "WebServer", "Worker"])

  name              = "airflow-${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags

  #checkov:skip=CKV_AWS_338:How long is the user's to say; a run's outcome is also in Airflow's database and in the ledger.
}

resource "aws_security_group" "this" {
  name        = "${var.name}-mwaa"
  description = "The Airflow environment ${var.name}: its parts among themselves, and out to the ports that it needs."
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-mwaa" })

  #checkov:skip=CKV2_AWS_5:Attached to the environment, which checkov does not follow.
}

resource "aws_vpc_security_group_ingress_rule" "itself" {
  security_group_id            = aws_security_group.this.id
  description                  = "Airflow's parts among themselves"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "-1"
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "itself" {
  security_group_id            = aws_security_group.this.id
  description                  = "Airflow's parts among themselves"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "-1"
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "out" {
  for_each = toset([for port in var.egress_ports : tostring(port)])

  security_group_id = aws_security_group.this.id
  description       = "To Okta, OpenSearch and AWS, port ${each.key}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
  tags              = var.tags
}

resource "aws_mwaa_environment" "this" {
  name                            = var.name
  airflow_version                 = var.airflow_version
  environment_class               = var.environment_class
  min_workers                     = var.min_workers
  max_workers                     = local.max_workers
  schedulers                      = var.schedulers
  webserver_access_mode           = var.webserver_access == "public" ? "PUBLIC_ONLY" : "PRIVATE_ONLY"
  weekly_maintenance_window_start = var.maintenance_window_start
  execution_role_arn              = aws_iam_role.execution.arn
  kms_key                         = var.kms_key_arn
  airflow_configuration_options   = local.configuration
  tags                            = var.tags

  # The provider's CUSTOMER mode waits for a state that never comes (hashicorp/terraform-provider-aws#37223).
  endpoint_management = "SERVICE"

  source_bucket_arn                = aws_s3_bucket.this.arn
  dag_s3_path                      = "dags/"
  plugins_s3_path                  = one(aws_s3_object.plugins[*].key)
  plugins_s3_object_version        = one(aws_s3_object.plugins[*].version_id)
  requirements_s3_path             = one(aws_s3_object.requirements[*].key)
  requirements_s3_object_version   = one(aws_s3_object.requirements[*].version_id)
  startup_script_s3_path           = aws_s3_object.startup.key
  startup_script_s3_object_version = aws_s3_object.startup.version_id

  network_configuration {
    security_group_ids = [aws_security_group.this.id]
    subnet_ids         = var.subnet_ids
  }

  logging_configuration {
    dag_processing_logs {
      enabled   = true
      log_level = var.log_level
    }

    scheduler_logs {
      enabled   = true
      log_level = var.log_level
    }

    task_logs {
      enabled   = true
      log_level = var.log_level
    }

    webserver_logs {
      enabled   = true
      log_level = var.log_level
    }

    worker_logs {
      enabled   = true
      log_level = var.log_level
    }
  }

  # Creation takes half an hour and fails only then, with INCORRECT_CONFIGURATION, where one of these is not there yet.
  depends_on = [
    aws_cloudwatch_log_group.this,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.pipeline,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
    aws_s3_object.dags,
    aws_vpc_security_group_egress_rule.itself,
    aws_vpc_security_group_egress_rule.out,
    aws_vpc_security_group_ingress_rule.itself,
  ]
}
