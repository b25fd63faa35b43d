mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_iam_role.master
  values = { arn = "arn:aws:iam::123456789012:role/oktalogger-opensearch-master" }
}

variables {
  name        = "oktalogger"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  vpc_id      = "vpc-0123456789abcdef0"
  subnet_ids  = ["subnet-a", "subnet-b", "subnet-c"]
}

run "defaults" {
  module {
    source = "./modules/opensearch"
  }

  assert {
    condition     = aws_opensearch_domain.this.engine_version == "OpenSearch_2.19"
    error_message = "2.19 by default."
  }

  assert {
    condition     = aws_opensearch_domain.this.cluster_config[0].zone_awareness_enabled && aws_opensearch_domain.this.cluster_config[0].zone_awareness_config[0].availability_zone_count == 2 && !aws_opensearch_domain.this.cluster_config[0].dedicated_master_enabled
    error_message = "Two zones, no dedicated masters."
  }

  assert {
    condition     = aws_opensearch_domain.this.ebs_options[0].volume_type == "gp3" && aws_opensearch_domain.this.ebs_options[0].volume_size == 20
    error_message = "gp3 volumes of 20 GiB."
  }

  assert {
    condition     = aws_opensearch_domain.this.encrypt_at_rest[0].kms_key_id == var.kms_key_arn && aws_opensearch_domain.this.node_to_node_encryption[0].enabled
    error_message = "Encrypted at rest with our key, and between nodes."
  }

  assert {
    condition     = aws_opensearch_domain.this.domain_endpoint_options[0].enforce_https && aws_opensearch_domain.this.domain_endpoint_options[0].tls_security_policy == "Policy-Min-TLS-1-2-PFS-2023-10"
    error_message = "HTTPS only, TLS 1.2 with forward secrecy."
  }

  assert {
    condition     = aws_opensearch_domain.this.advanced_security_options[0].enabled && !aws_opensearch_domain.this.advanced_security_options[0].internal_user_database_enabled && !aws_opensearch_domain.this.advanced_security_options[0].anonymous_auth_enabled
    error_message = "Fine-grained access control without a user database and without anonymous users."
  }

  assert {
    condition     = aws_opensearch_domain.this.advanced_security_options[0].master_user_options[0].master_user_arn == aws_iam_role.master.arn
    error_message = "The master user is a role of its own."
  }

  assert {
    condition     = aws_opensearch_domain.this.vpc_options[0].subnet_ids == toset(["subnet-a", "subnet-b"])
    error_message = "As many subnets as zones."
  }

  assert {
    condition     = { for option in aws_opensearch_domain.this.log_publishing_options : option.log_type => option.enabled } == { ES_APPLICATION_LOGS = true, SEARCH_SLOW_LOGS = true, INDEX_SLOW_LOGS = true, AUDIT_LOGS = true }
    error_message = "Error, slow and audit logs are all on."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 90 && group.kms_key_id == var.kms_key_arn])
    error_message = "Logs are encrypted and kept for 90 days."
  }

  assert {
    condition     = aws_opensearch_domain.this.auto_tune_options[0].desired_state == "DISABLED"
    error_message = "Burstable instances have no Auto-Tune."
  }

  assert {
    condition     = length(aws_iam_service_linked_role.opensearch) == 0 && length(aws_cloudwatch_log_resource_policy.this) == 1
    error_message = "What an account has once is left alone; the log policy is made."
  }

  assert {
    condition     = [for statement in jsondecode(aws_opensearch_domain.this.access_policies).Statement : statement.Sid] == ["Master"]
    error_message = "With nobody named only the master role gets in."
  }
}

run "large" {
  module {
    source = "./modules/opensearch"
  }

  variables {
    engine_version             = "3.1"
    instance_type              = "r7g.large.search"
    instance_count             = 3
    zone_count                 = 3
    dedicated_master_type      = "m7g.large.search"
    volume_gib                 = 500
    volume_iops                = 6000
    volume_throughput_mib      = 250
    create_service_linked_role = true
    create_log_resource_policy = false
    client_security_group_ids  = { airflow = "sg-0123456789abcdef0" }
    client_cidr_blocks         = ["10.20.0.0/16"]
    cognito                    = { user_pool_id = "us-east-1_Aa1", identity_pool_id = "us-east-1:00000000-0000-0000-0000-000000000000", role_arn = "arn:aws:iam::123456789012:role/cognito" }
    loader_arns                = ["arn:aws:iam::123456789012:role/b", "arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/a"]
    sync_arns                  = ["arn:aws:iam::123456789012:user/c"]
    analyst_arns               = ["arn:aws:iam::123456789012:role/d"]
    index_prefix               = "okta"
  }

  assert {
    condition     = aws_opensearch_domain.this.engine_version == "OpenSearch_3.1" && aws_opensearch_domain.this.cluster_config[0].dedicated_master_count == 3 && aws_opensearch_domain.this.auto_tune_options[0].desired_state == "ENABLED"
    error_message = "Version 3, three dedicated masters, Auto-Tune."
  }

  assert {
    condition     = aws_opensearch_domain.this.ebs_options[0].iops == 6000 && aws_opensearch_domain.this.ebs_options[0].throughput == 250
    error_message = "The volumes are as asked for."
  }

  assert {
    condition     = aws_iam_service_linked_role.opensearch[0].aws_service_name == "opensearchservice.amazonaws.com" && length(aws_cloudwatch_log_resource_policy.this) == 0
    error_message = "The service-linked role has OpenSearch Service's name, and the log policy is left to the account."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.group["airflow"].from_port == 443 && aws_vpc_security_group_ingress_rule.range["10.20.0.0/16"].to_port == 443 && length(aws_vpc_security_group_ingress_rule.group) + length(aws_vpc_security_group_ingress_rule.range) == 2
    error_message = "Port 443, and nothing else, from those who were named."
  }

  assert {
    condition     = aws_opensearch_domain.this.cognito_options[0].user_pool_id == "us-east-1_Aa1" && length(aws_opensearch_domain_saml_options.this) == 0
    error_message = "Login to Dashboards by Cognito."
  }

  # Sorted and each once, so that the next plan has nothing to say.
  assert {
    condition = { for statement in jsondecode(aws_opensearch_domain.this.access_policies).Statement : statement.Sid => statement.Principal.AWS } == {
      Master  = ["arn:aws:iam::123456789012:role/oktalogger-opensearch-master"]
      Loader  = ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"]
      Sync    = ["arn:aws:iam::123456789012:user/c"]
      Analyst = ["arn:aws:iam::123456789012:role/d"]
    }
    error_message = "Each kind of principal has its own statement, in an order that does not change."
  }

  assert {
    condition = output.role_mappings == {
      oktalogger_loader  = { backend_roles = ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"], users = [], hosts = [] }
      oktalogger_sync    = { backend_roles = [], users = ["arn:aws:iam::123456789012:user/c"], hosts = [] }
      oktalogger_analyst = { backend_roles = ["arn:aws:iam::123456789012:role/d"], users = [], hosts = [] }
    }
    error_message = "IAM roles and groups are backend roles, IAM users are users."
  }

  assert {
    condition     = output.roles.oktalogger_loader.index_permissions[0].index_patterns == ["okta", "okta-*"]
    error_message = "The roles are written for the index prefix."
  }
}

run "public" {
  # A stack of its own: in place of another one the plan would refuse it.
  state_key = "public"

  module {
    source = "./modules/opensearch"
  }

  variables {
    access            = "public"
    vpc_id            = null
    subnet_ids        = []
    zone_count        = 1
    instance_count    = 1
    loader_arns       = ["arn:aws:iam::123456789012:role/a"]
    allowed_ip_ranges = ["203.0.113.0/28", "198.51.100.7/32"]
  }

  assert {
    condition     = length(aws_opensearch_domain.this.vpc_options) == 0 && length(aws_security_group.this) == 0 && output.security_group_id == null
    error_message = "A public domain is in no VPC."
  }

  assert {
    condition     = !aws_opensearch_domain.this.cluster_config[0].zone_awareness_enabled && length(aws_opensearch_domain.this.cluster_config[0].zone_awareness_config) == 0
    error_message = "One zone is no zone awareness."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_opensearch_domain.this.access_policies).Statement : statement.Condition.IpAddress["aws:SourceIp"] == ["198.51.100.7/32", "203.0.113.0/28"]])
    error_message = "Every statement has the condition on the address, under the name that AWS reads."
  }
}

run "people_by_saml" {
  module {
    source = "./modules/opensearch"
  }

  variables {
    saml                = { entity_id = "http://www.okta.com/exk1", metadata_xml = "<xml/>", administrators_group = "security-administrators" }
    analyst_saml_groups = ["security-analysts"]
    loader_arns         = ["arn:aws:iam::123456789012:role/a"]
    analyst_arns        = ["arn:aws:iam::123456789012:role/d"]
  }

  assert {
    condition     = aws_opensearch_domain_saml_options.this[0].saml_options[0].roles_key == "groups" && aws_opensearch_domain_saml_options.this[0].saml_options[0].master_backend_role == "security-administrators"
    error_message = "Login to Dashboards by SAML, and a group that administers."
  }

  assert {
    condition = jsondecode(aws_opensearch_domain.this.access_policies).Statement == [{
      Sid       = "WhoeverReachesIt"
      Effect    = "Allow"
      Action    = ["es:ESHttpDelete", "es:ESHttpGet", "es:ESHttpHead", "es:ESHttpPatch", "es:ESHttpPost", "es:ESHttpPut"]
      Principal = { AWS = ["*"] }
      Resource  = "${output.arn}/*"
    }] && aws_opensearch_domain.this.advanced_security_options[0].enabled && !aws_opensearch_domain.this.advanced_security_options[0].anonymous_auth_enabled
    error_message = "A browser gets as far as the login, and fine-grained access control decides from there."
  }

  assert {
    condition     = length(aws_opensearch_domain.this.vpc_options) == 1 && output.saml_urls.sp_initiated == "https://${output.endpoint}/_dashboards/_opendistro/_security/saml/acs"
    error_message = "Whoever reaches it is whoever the security group lets in."
  }

  assert {
    condition = output.role_mappings == {
      oktalogger_loader  = { backend_roles = ["arn:aws:iam::123456789012:role/a"], users = [], hosts = [] }
      oktalogger_sync    = { backend_roles = [], users = [], hosts = [] }
      oktalogger_analyst = { backend_roles = ["arn:aws:iam::123456789012:role/d", "security-analysts"], users = [], hosts = [] }
    }
    error_message = "Groups are backend roles."
  }
}
