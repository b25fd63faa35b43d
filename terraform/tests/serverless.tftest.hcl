mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name        = "oktalogger"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  loader_arns = ["arn:aws:iam::123456789012:role/b", "arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/a"]
}

run "in_a_vpc" {
  module {
    source = "./modules/serverless"
  }

  variables {
    vpc_id                    = "vpc-0123456789abcdef0"
    subnet_ids                = ["subnet-a", "subnet-b"]
    client_security_group_ids = { airflow = "sg-0123456789abcdef0" }
    analyst_arns              = ["arn:aws:iam::123456789012:role/analyst"]
  }

  assert {
    condition     = aws_opensearchserverless_collection.this.type == "SEARCH" && aws_opensearchserverless_collection.this.standby_replicas == "ENABLED"
    error_message = "The type that takes ids, in more than one zone."
  }

  assert {
    condition     = jsondecode(aws_opensearchserverless_security_policy.encryption.policy) == { Rules = [{ ResourceType = "collection", Resource = ["collection/oktalogger"] }], AWSOwnedKey = false, KmsARN = var.kms_key_arn }
    error_message = "Our key."
  }

  assert {
    condition     = jsondecode(aws_opensearchserverless_security_policy.network.policy)[0].AllowFromPublic == false && jsondecode(aws_opensearchserverless_security_policy.network.policy)[0].SourceVPCEs == ["vpce-0123456789abcdef0"] && [for rule in jsondecode(aws_opensearchserverless_security_policy.network.policy)[0].Rules : rule.ResourceType] == ["collection", "dashboard"]
    error_message = "Collection and Dashboards are reached through the endpoint only."
  }

  assert {
    condition     = jsondecode(aws_opensearchserverless_access_policy.loader.policy)[0].Principal == ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"] && jsondecode(aws_opensearchserverless_access_policy.loader.policy)[0].Rules[0].Resource == ["index/oktalogger/okta-system-log", "index/oktalogger/okta-system-log-*", "index/oktalogger/okta-detection-matches"]
    error_message = "Named principals, each once, and our indices."
  }

  assert {
    condition     = !strcontains(aws_opensearchserverless_access_policy.loader.policy, "Delete") && !strcontains(aws_opensearchserverless_access_policy.loader.policy, "aoss:*")
    error_message = "The loader deletes nothing."
  }

  assert {
    condition     = toset(flatten([for rule in jsondecode(aws_opensearchserverless_access_policy.analyst[0].policy)[0].Rules : rule.Permission])) == toset(["aoss:DescribeIndex", "aoss:ReadDocument", "aoss:DescribeCollectionItems"])
    error_message = "Analysts read."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.group["airflow"].from_port == 443 && length(aws_vpc_security_group_ingress_rule.group) == 1
    error_message = "HTTPS from those who were named."
  }

  assert {
    condition     = jsondecode(output.connection) == { conn_type = "opensearch", host = "0a1b2c3d4e5f6g7h8i9j.us-east-1.aoss.amazonaws.com", port = 443, extra = { auth = "sigv4", service = "aoss", region = "us-east-1", dashboards_url = "https://0a1b2c3d4e5f6g7h8i9j.us-east-1.aoss.amazonaws.com/_dashboards" } }
    error_message = "The connection for Airflow, without a credential."
  }

  assert {
    condition     = jsondecode(output.client_policy).Statement[0].Resource == "arn:aws:aoss:us-east-1:123456789012:collection/0a1b2c3d4e5f6g7h8i9j"
    error_message = "One collection, by its id."
  }

  assert {
    condition     = alltrue([for what in ["alerting", "retention", "roles"] : contains(keys(output.what_does_not_exist_here), what)]) && strcontains(output.what_does_not_exist_here.alerting, "okta_detections_after_load")
    error_message = "What a collection lacks is said."
  }
}

run "over_the_internet" {
  # A collection of its own.
  state_key = "over_the_internet"

  module {
    source = "./modules/serverless"
  }

  variables {
    standby_replicas = false
  }

  assert {
    condition     = jsondecode(aws_opensearchserverless_security_policy.network.policy)[0].AllowFromPublic && length(aws_opensearchserverless_vpc_endpoint.this) + length(aws_security_group.this) + length(aws_opensearchserverless_access_policy.analyst) == 0 && aws_opensearchserverless_collection.this.standby_replicas == "DISABLED"
    error_message = "No endpoint, and nobody who only reads."
  }
}
