# Airflow runs elsewhere already, as an IAM role of this account: on EC2, ECS or EKS, or outside AWS through IAM Roles
# Anywhere. This makes the domain, the secrets and the policy for that role. The domain has a public address, and answers
# to named roles from named addresses only.

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

data "aws_iam_role" "airflow" {
  name = var.airflow_role_name
}

module "oktalogger" {
  source = "../.."

  name              = var.name
  airflow_role_arns = [data.aws_iam_role.airflow.arn]

  # The token is not in Terraform at all here: the output fill_commands says how to put it into its secret.
  okta_connections = {
    okta_default = { org_url = var.okta_org_url }
  }

  domain = {
    access            = "public"
    allowed_ip_ranges = var.airflow_ip_ranges
    zone_count        = 1
    instance_count    = 1
  }
}

# The role reads the secrets and signs requests to the domain with this.
resource "aws_iam_role_policy" "airflow" {
  name   = var.name
  role   = data.aws_iam_role.airflow.name
  policy = module.oktalogger.pipeline_policy
}
