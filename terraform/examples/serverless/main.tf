# Airflow runs elsewhere, and the events go to a collection of Amazon OpenSearch Serverless: no nodes to size. What a
# collection lacks is in the output what_does_not_exist_here.

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

module "collection" {
  source = "../../modules/serverless"

  name         = var.name
  kms_key_arn  = var.kms_key_arn
  vpc_id       = var.vpc_id
  subnet_ids   = var.subnet_ids
  loader_arns  = [data.aws_iam_role.airflow.arn]
  analyst_arns = var.analyst_arns

  client_security_group_ids = { airflow = var.airflow_security_group_id }
}

# Airflow's role needs both: this policy to reach the collection, and the collection's own to do anything there.
resource "aws_iam_role_policy" "airflow" {
  name   = "${var.name}-collection"
  role   = data.aws_iam_role.airflow.name
  policy = module.collection.client_policy
}
