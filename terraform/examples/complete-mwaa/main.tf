# From nothing to a running pipeline: VPC, domain, secrets, Amazon MWAA with the package on it, alarms.

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

  name = var.name

  okta_connections = {
    okta_default = {
      org_url            = var.okta_org_url
      credential_version = var.okta_token_version
    }
  }

  # TF_VAR_okta_token=... terraform apply: the token goes to Secrets Manager and is in neither plan nor state.
  okta_credentials = { okta_default = var.okta_token }

  mwaa = {
    package_folder = var.package_folder
  }

  # For the first run of the DAG okta_opensearch_setup; then apply with false.
  setup_from_airflow = var.setup_from_airflow

  domain = {
    # An account's first domain in a VPC needs it made once; see troubleshooting.md.
    create_service_linked_role = var.first_domain_of_account
  }

  alarms = var.alarm_topic_arn == null ? null : {
    sns_topic_arns = [var.alarm_topic_arn]
  }
}
