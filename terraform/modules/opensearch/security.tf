# Fine-grained access control: a master role of its own, no user database, and the documents of our three roles.

resource "aws_iam_role" "master" {
  name                 = "${coalesce(var.role_prefix, var.name)}-opensearch-master"
  description          = "Master user of the OpenSearch domain ${var.name}: sets up roles and role mappings. Nothing runs as it all the time."
  max_session_duration = 3600
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SetUp"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = length(var.master_trusted_arns) > 0 ? sort(distinct(var.master_trusted_arns)) : ["arn:${local.partition}:iam::${local.account}:root"] }
    }]
  })
}

locals {
  # One source for Terraform and for the DAG okta_opensearch_setup: the files that the package ships.
  roles_folder = "${path.module}/../../../include/opensearch/roles"

  roles = {
    for file in fileset(local.roles_folder, "*.json") :
    trimsuffix(file, ".json") => jsondecode(templatefile("${local.roles_folder}/${file}", { index_prefix = var.index_prefix }))
  }

  mapped_arns = {
    oktalogger_loader  = local.principals.loader
    oktalogger_sync    = local.principals.sync
    oktalogger_analyst = local.principals.analyst
  }

  # To OpenSearch an IAM role is a backend role and an IAM user is a user.
  role_mappings = {
    for role in keys(local.roles) : role => {
      backend_roles = concat(
        [for arn in local.mapped_arns[role] : arn if !strcontains(arn, ":user/")],
        role == "oktalogger_analyst" ? sort(distinct(var.analyst_saml_groups)) : [],
      )
      users = [for arn in local.mapped_arns[role] : arn if strcontains(arn, ":user/")]
      hosts = []
    }
  }
}

resource "aws_opensearch_domain_saml_options" "this" {
  count = var.saml == null ? 0 : 1

  domain_name = aws_opensearch_domain.this.domain_name

  saml_options {
    enabled                 = true
    roles_key               = var.saml.roles_key
    session_timeout_minutes = var.saml.session_minutes
    master_backend_role     = var.saml.administrators_group

    idp {
      entity_id        = var.saml.entity_id
      metadata_content = var.saml.metadata_xml
    }
  }
}
