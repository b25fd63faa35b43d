# A larger company: its own VPC and key, three zones, dedicated masters, an OAuth app instead of a token, login to
# Dashboards through its identity provider, alarms, analysts.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }
}

provider "aws" {
  region = var.region
}

module "oktalogger" {
  source = "../.."

  name         = var.name
  kms_key_arn  = var.kms_key_arn
  existing_vpc = { vpc_id = var.vpc_id, private_subnet_ids = var.private_subnet_ids }

  okta_connections = {
    okta_default = {
      org_url            = var.okta_org_url
      auth               = "private_key_jwt"
      client_id          = var.okta_client_id
      key_id             = var.okta_key_id
      credential_version = var.okta_key_version
    }
  }

  okta_credentials = { okta_default = var.okta_private_key }

  domain = {
    instance_type         = "r7g.large.search"
    instance_count        = 3
    zone_count            = 3
    volume_gib            = 200
    dedicated_master_type = "m7g.large.search"
    client_cidr_blocks    = var.vpn_cidr_blocks

    # Null for the first apply, whose output saml_urls the identity provider's app needs: see ../../dashboards.md.
    saml = var.idp_metadata_xml == null ? null : {
      entity_id            = var.idp_entity_id
      metadata_xml         = var.idp_metadata_xml
      administrators_group = "security-administrators"
    }
    analyst_saml_groups = var.idp_metadata_xml == null ? [] : ["security-analysts"]
  }

  mwaa = {
    package_folder    = var.package_folder
    environment_class = "mw1.medium"
    webserver_access  = "private"
    access_log_bucket = var.access_log_bucket
  }

  analyst_arns        = var.analyst_arns
  master_trusted_arns = var.administrator_arns
  setup_from_airflow  = var.setup_from_airflow

  alarms = {
    sns_topic_arns = var.alarm_topic_arns
  }
}
