# Errors, slow searches, slow indexing and who did what.

locals {
  log_folder = "/aws/OpenSearchService/domains/${var.name}"
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["application-logs", "search-logs", "index-logs", "audit-logs"])

  name              = "${local.log_folder}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags

  #checkov:skip=CKV_AWS_338:How long is the user's to say; 90 days, the default, is also how far back Okta's own log goes.
}

resource "aws_cloudwatch_log_resource_policy" "this" {
  count = var.create_log_resource_policy ? 1 : 0

  policy_name = "${var.name}-opensearch"

  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DomainWritesItsLogs"
      Effect    = "Allow"
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:PutLogEventsBatch"]
      Principal = { Service = "es.amazonaws.com" }
      Resource  = [for name in sort(keys(aws_cloudwatch_log_group.this)) : "${aws_cloudwatch_log_group.this[name].arn}:*"]
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = local.domain_arn }
      }
    }]
  })
}
