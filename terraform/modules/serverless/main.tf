# A collection of Amazon OpenSearch Serverless, its three policies, and an endpoint for it in your VPC.

data "aws_partition" "this" {}

data "aws_region" "this" {}

data "aws_caller_identity" "this" {}

locals {
  in_vpc   = var.vpc_id != null
  resource = "collection/${var.name}"
  indices  = "index/${var.name}"

  # Only indices of oktalogger: its months, the ledger and the rejected events, and what detections found.
  own_indices = [for index in [var.index_prefix, "${var.index_prefix}-*", "okta-detection-matches"] : "${local.indices}/${index}"]
}

resource "aws_opensearchserverless_security_policy" "encryption" {
  name        = var.name
  type        = "encryption"
  description = "The collection ${var.name} is encrypted with a key of the account."

  policy = jsonencode({
    Rules       = [{ ResourceType = "collection", Resource = [local.resource] }]
    AWSOwnedKey = false
    KmsARN      = var.kms_key_arn
  })
}

resource "aws_opensearchserverless_security_policy" "network" {
  name        = var.name
  type        = "network"
  description = local.in_vpc ? "${var.name} is reached through its VPC endpoint only." : "${var.name} is reached from the internet, by principals of its data access policy."

  policy = jsonencode([merge(
    {
      Description = local.in_vpc ? "From the VPC" : "From anywhere"
      Rules       = [for type in ["collection", "dashboard"] : { ResourceType = type, Resource = [local.resource] }]
    },
    { AllowFromPublic = !local.in_vpc },
    local.in_vpc ? { SourceVPCEs = [aws_opensearchserverless_vpc_endpoint.this[0].id] } : {},
  )])
}

resource "aws_opensearchserverless_access_policy" "loader" {
  name        = "${var.name}-loader"
  type        = "data"
  description = "Airflow makes months and adds documents. It deletes no index."

  policy = jsonencode([{
    Description = "Load and detect"
    Principal   = sort(distinct(var.loader_arns))
    Rules = [
      {
        ResourceType = "index"
        Resource     = local.own_indices
        Permission   = ["aoss:CreateIndex", "aoss:DescribeIndex", "aoss:ReadDocument", "aoss:UpdateIndex", "aoss:WriteDocument"]
      },
      {
        ResourceType = "collection"
        Resource     = [local.resource]
        Permission   = ["aoss:CreateCollectionItems", "aoss:DescribeCollectionItems", "aoss:UpdateCollectionItems"]
      },
    ]
  }])
}

resource "aws_opensearchserverless_access_policy" "analyst" {
  count = length(var.analyst_arns) > 0 ? 1 : 0

  name        = "${var.name}-analyst"
  type        = "data"
  description = "Reads events, the ledger and what detections found."

  policy = jsonencode([{
    Description = "Read"
    Principal   = sort(distinct(var.analyst_arns))
    Rules = [
      { ResourceType = "index", Resource = local.own_indices, Permission = ["aoss:DescribeIndex", "aoss:ReadDocument"] },
      { ResourceType = "collection", Resource = [local.resource], Permission = ["aoss:DescribeCollectionItems"] },
    ]
  }])
}

resource "aws_opensearchserverless_collection" "this" {
  name             = var.name
  type             = "SEARCH"
  description      = "Okta System Log, loaded by oktalogger."
  standby_replicas = var.standby_replicas ? "ENABLED" : "DISABLED"
  tags             = var.tags

  depends_on = [aws_opensearchserverless_security_policy.encryption]
}

resource "aws_opensearchserverless_vpc_endpoint" "this" {
  count = local.in_vpc ? 1 : 0

  name               = var.name
  vpc_id             = var.vpc_id
  subnet_ids         = var.subnet_ids
  security_group_ids = [aws_security_group.this[0].id]
}

resource "aws_security_group" "this" {
  count = local.in_vpc ? 1 : 0

  name        = "${var.name}-serverless"
  description = "HTTPS to the collection ${var.name}. It opens no connections itself."
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-serverless" })

  #checkov:skip=CKV2_AWS_5:Attached to the endpoint, which checkov does not follow.
}

resource "aws_vpc_security_group_ingress_rule" "group" {
  for_each = local.in_vpc ? var.client_security_group_ids : {}

  security_group_id            = aws_security_group.this[0].id
  description                  = "HTTPS from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  tags                         = var.tags
}
