# What the mocked provider answers. The provider's own checks run on these values, so they have to look as AWS's do.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}

mock_data "aws_region" {
  defaults = { id = "us-east-1", name = "us-east-1" }
}

mock_data "aws_availability_zones" {
  defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"] }
}

mock_data "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/airflow-worker", name = "airflow-worker" }
}

mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
}

mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::mock-bucket" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:mock" }
}

mock_resource "aws_secretsmanager_secret" {
  defaults = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mock-AbCdEf" }
}

mock_resource "aws_opensearch_domain" {
  defaults = { endpoint = "vpc-mock-abc.us-east-1.es.amazonaws.com" }
}

mock_resource "aws_eip" {
  defaults = { public_ip = "203.0.113.99" }
}

mock_resource "aws_vpc" {
  defaults = { id = "vpc-0123456789abcdef0" }
}

mock_resource "aws_mwaa_environment" {
  defaults = {
    arn           = "arn:aws:airflow:us-east-1:123456789012:environment/mock"
    webserver_url = "mock.c1.us-east-1.airflow.amazonaws.com"
  }
}

mock_resource "aws_cognito_user_pool" {
  defaults = { id = "us-east-1_Aa1" }
}

mock_resource "aws_cognito_user_pool_domain" {
  defaults = { user_pool_id = "us-east-1_Aa1" }
}

mock_resource "aws_cognito_identity_pool" {
  defaults = { id = "us-east-1:00000000-0000-0000-0000-000000000000" }
}

mock_resource "aws_opensearchserverless_collection" {
  defaults = {
    id                  = "0a1b2c3d4e5f6g7h8i9j"
    collection_endpoint = "https://0a1b2c3d4e5f6g7h8i9j.us-east-1.aoss.amazonaws.com"
    dashboard_endpoint  = "https://0a1b2c3d4e5f6g7h8i9j.us-east-1.aoss.amazonaws.com/_dashboards"
  }
}

mock_resource "aws_opensearchserverless_vpc_endpoint" {
  defaults = { id = "vpce-0123456789abcdef0" }
}
