# Who reaches the domain at all: the network, and the domain's own policy. What they may do inside is security.tf's.

locals {
  # The verbs of es:ESHttp* one by one. Only the sync deletes anything by DELETE, its own monitors; searching is POST too.
  verbs = {
    master  = ["Delete", "Get", "Head", "Patch", "Post", "Put"]
    loader  = ["Get", "Head", "Post", "Put"]
    sync    = ["Delete", "Get", "Head", "Post", "Put"]
    analyst = ["Get", "Head", "Post"]
  }

  principals = {
    master  = [aws_iam_role.master.arn]
    loader  = sort(distinct(var.loader_arns))
    sync    = sort(distinct(var.sync_arns))
    analyst = sort(distinct(var.analyst_arns))
  }

  ip_condition = length(var.allowed_ip_ranges) == 0 ? {} : {
    Condition = { IpAddress = { "aws:SourceIp" = sort(distinct(var.allowed_ip_ranges)) } }
  }

  # A list of the kinds that have anybody, decided from the inputs: the master's ARN is not known before apply.
  kinds = compact([
    "master",
    length(var.loader_arns) > 0 ? "loader" : "",
    length(var.sync_arns) > 0 ? "sync" : "",
    length(var.analyst_arns) > 0 ? "analyst" : "",
  ])

  # A browser signs nothing. One statement for all, as AWS's guide on SAML has it: with roles named beside it, AWS expects
  # signed requests. Who reaches the domain is then the network's business, who may do what that of OpenSearch's own roles.
  openings = var.saml == null ? [for kind in local.kinds : { sid = title(kind), verbs = local.verbs[kind], who = local.principals[kind] }] : [
    { sid = "WhoeverReachesIt", verbs = local.verbs.master, who = ["*"] },
  ]

  access_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for opening in local.openings : merge({
      Sid       = opening.sid
      Effect    = "Allow"
      Action    = [for verb in opening.verbs : "es:ESHttp${verb}"]
      Principal = { AWS = opening.who }
      Resource  = "${local.domain_arn}/*"
    }, local.ip_condition)]
  })
}

resource "aws_security_group" "this" {
  count = local.in_vpc ? 1 : 0

  name        = "${var.name}-opensearch"
  description = "HTTPS to the OpenSearch domain ${var.name}. It opens no connections itself."
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-opensearch" })

  #checkov:skip=CKV2_AWS_5:Attached to the domain, which checkov does not follow.
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

resource "aws_vpc_security_group_ingress_rule" "range" {
  for_each = local.in_vpc ? toset(var.client_cidr_blocks) : toset([])

  security_group_id = aws_security_group.this[0].id
  description       = "HTTPS from ${each.key}"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}
