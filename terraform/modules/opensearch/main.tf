# The domain. Who may reach it is in access.tf, who may do what inside it in security.tf, its logs in logs.tf.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.id

  # Put together, not read from the resource: its policy and the clients' roles name it, and would wait in a circle.
  domain_arn = "arn:${local.partition}:es:${local.region}:${local.account}:domain/${var.name}"

  in_vpc    = var.access == "vpc"
  burstable = startswith(var.instance_type, "t")
}

resource "aws_iam_service_linked_role" "opensearch" {
  count = var.create_service_linked_role ? 1 : 0

  aws_service_name = "opensearchservice.amazonaws.com"
  description      = "Lets OpenSearch Service place the network interfaces of its domains."
}

resource "aws_opensearch_domain" "this" {
  domain_name     = var.name
  engine_version  = "OpenSearch_${var.engine_version}"
  access_policies = local.access_policy
  tags            = var.tags

  cluster_config {
    instance_type            = var.instance_type
    instance_count           = var.instance_count
    zone_awareness_enabled   = var.zone_count > 1
    dedicated_master_enabled = var.dedicated_master_type != null
    dedicated_master_type    = var.dedicated_master_type
    dedicated_master_count   = var.dedicated_master_type == null ? null : var.dedicated_master_count

    dynamic "zone_awareness_config" {
      for_each = var.zone_count > 1 ? [var.zone_count] : []

      content {
        availability_zone_count = zone_awareness_config.value
      }
    }
  }

  ebs_options {
    ebs_enabled = true
    volume_type = "gp3"
    volume_size = var.volume_gib
    iops        = local.iops
    throughput  = local.throughput
  }

  encrypt_at_rest {
    enabled    = true
    kms_key_id = var.kms_key_arn
  }

  node_to_node_encryption {
    enabled = true
  }

  domain_endpoint_options {
    enforce_https       = true
    tls_security_policy = "Policy-Min-TLS-1-2-PFS-2023-10"
  }

  advanced_security_options {
    enabled                        = true
    anonymous_auth_enabled         = false
    internal_user_database_enabled = false

    master_user_options {
      master_user_arn = aws_iam_role.master.arn
    }
  }

  dynamic "cognito_options" {
    for_each = var.cognito[*]

    content {
      enabled          = true
      user_pool_id     = cognito_options.value.user_pool_id
      identity_pool_id = cognito_options.value.identity_pool_id
      role_arn         = cognito_options.value.role_arn
    }
  }

  dynamic "vpc_options" {
    for_each = local.in_vpc ? [1] : []

    content {
      subnet_ids         = slice(var.subnet_ids, 0, var.zone_count)
      security_group_ids = [aws_security_group.this[0].id]
    }
  }

  # Auto-Tune does not exist on burstable instances.
  auto_tune_options {
    desired_state       = local.burstable ? "DISABLED" : "ENABLED"
    rollback_on_disable = "NO_ROLLBACK"
  }

  off_peak_window_options {
    enabled = true

    off_peak_window {
      window_start_time {
        hours   = var.off_peak_start_hour
        minutes = 0
      }
    }
  }

  software_update_options {
    auto_software_update_enabled = var.automatic_software_updates
  }

  # Each written out: a dynamic block hides from scanners that all of them are on.
  log_publishing_options {
    enabled                  = true
    log_type                 = "ES_APPLICATION_LOGS"
    cloudwatch_log_group_arn = aws_cloudwatch_log_group.this["application-logs"].arn
  }

  log_publishing_options {
    enabled                  = true
    log_type                 = "SEARCH_SLOW_LOGS"
    cloudwatch_log_group_arn = aws_cloudwatch_log_group.this["search-logs"].arn
  }

  log_publishing_options {
    enabled                  = true
    log_type                 = "INDEX_SLOW_LOGS"
    cloudwatch_log_group_arn = aws_cloudwatch_log_group.this["index-logs"].arn
  }

  log_publishing_options {
    enabled                  = true
    log_type                 = "AUDIT_LOGS"
    cloudwatch_log_group_arn = aws_cloudwatch_log_group.this["audit-logs"].arn
  }

  #checkov:skip=CKV_AWS_318:Three dedicated masters cost more than a small team's whole domain; dedicated_master_type turns them on, and the example existing-vpc does.
  #checkov:skip=CKV2_AWS_59:Three dedicated masters again, asked for by another check; the same reason as for CKV_AWS_318.

  # OpenSearch Service looks whether it may write its logs when the domain is made, and fails where it may not yet.
  depends_on = [
    aws_cloudwatch_log_resource_policy.this,
    aws_iam_service_linked_role.opensearch,
    terraform_data.guard,
  ]
}
