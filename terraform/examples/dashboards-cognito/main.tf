# People open Dashboards through Amazon Cognito: a user pool of its own, in which two groups have two roles. For an identity
# provider such as Okta or IAM Identity Center see the example existing-vpc, which uses SAML.

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

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

module "oktalogger" {
  source = "../.."

  name              = var.name
  airflow_role_arns = var.airflow_role_arns
  analyst_arns      = [aws_iam_role.people["analysts"].arn]

  # Whoever administers Dashboards takes the master role by hand, with its credentials, and not through the browser.
  master_trusted_arns = var.administrator_arns

  okta_connections = {
    okta_default = { org_url = var.okta_org_url }
  }

  domain = {
    access            = "public"
    allowed_ip_ranges = var.allowed_ip_ranges

    cognito = {
      # From the pool's domain and the role's policy, so that the domain waits for both.
      user_pool_id     = aws_cognito_user_pool_domain.this.user_pool_id
      identity_pool_id = aws_cognito_identity_pool.this.id
      role_arn         = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:role/${aws_iam_role_policy_attachment.opensearch.role}"
    }
  }
}

# --- who may log in ---

resource "aws_cognito_user_pool" "this" {
  name                     = var.name
  auto_verified_attributes = ["email"]
  mfa_configuration        = "ON"

  software_token_mfa_configuration {
    enabled = true
  }

  admin_create_user_config {
    allow_admin_create_user_only = true
  }

  password_policy {
    minimum_length                   = 16
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = true
    require_uppercase                = true
    temporary_password_validity_days = 1
  }
}

# Dashboards sends people to this address to log in.
resource "aws_cognito_user_pool_domain" "this" {
  domain       = "${var.name}-${data.aws_caller_identity.this.account_id}"
  user_pool_id = aws_cognito_user_pool.this.id
}

resource "aws_cognito_user_group" "this" {
  for_each = aws_iam_role.people

  name         = each.key
  user_pool_id = aws_cognito_user_pool.this.id
  role_arn     = each.value.arn
}

# --- which role they get ---

resource "aws_cognito_identity_pool" "this" {
  identity_pool_name               = var.name
  allow_unauthenticated_identities = false

  # OpenSearch Service enters its own client when the domain is made.
  lifecycle {
    ignore_changes = [cognito_identity_providers]
  }
}

resource "aws_iam_role" "people" {
  for_each = toset(["analysts", "nobody"])

  name        = "${var.name}-dashboards-${each.key}"
  description = "People who logged in to Dashboards of ${var.name}, as ${each.key}."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "UsersOfThisPool"
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "cognito-identity.amazonaws.com" }
      Condition = {
        StringEquals             = { "cognito-identity.amazonaws.com:aud" = aws_cognito_identity_pool.this.id }
        "ForAnyValue:StringLike" = { "cognito-identity.amazonaws.com:amr" = "authenticated" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "analysts" {
  name   = "read-domain"
  role   = aws_iam_role.people["analysts"].name
  policy = module.oktalogger.analyst_policy
}

# Whoever is in no group gets a role that may do nothing.
resource "aws_cognito_identity_pool_roles_attachment" "this" {
  identity_pool_id = aws_cognito_identity_pool.this.id
  roles            = { authenticated = aws_iam_role.people["nobody"].arn }

  lifecycle {
    # Once the domain is made, the mapping by group takes its client's id: see ../../dashboards.md.
    ignore_changes = [role_mapping]
  }
}

# --- as whom OpenSearch Service uses the two ---

resource "aws_iam_role" "opensearch" {
  name        = "${var.name}-opensearch-cognito"
  description = "Lets OpenSearch Service use the user pool and the identity pool of ${var.name}."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OpenSearchService"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "es.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "opensearch" {
  role       = aws_iam_role.opensearch.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/AmazonOpenSearchServiceCognitoAccess"
}
