# Nobody has set up a login, and somebody must open Dashboards of a domain in a VPC: a small machine without a public
# address and without SSH, which AWS Systems Manager connects to the person's own computer. What signs the requests runs
# on that computer, with that person's own IAM role. See ../../dashboards.md.

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

data "aws_partition" "this" {}

# The newest Amazon Linux; it has the agent of Systems Manager.
data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
}

module "oktalogger" {
  source = "../.."

  name         = var.name
  analyst_arns = var.analyst_arns
  mwaa         = {}

  okta_connections = {
    okta_default = { org_url = var.okta_org_url }
  }
}

# Not by domain.client_security_group_ids: this group is in the VPC that the module makes, and they would wait in a circle.
resource "aws_vpc_security_group_ingress_rule" "domain" {
  security_group_id            = module.oktalogger.domain_security_group_id
  description                  = "HTTPS from the tunnel"
  referenced_security_group_id = aws_security_group.tunnel.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_security_group" "tunnel" {
  name        = "${var.name}-tunnel"
  description = "Out to the domain and to AWS Systems Manager; nothing comes in."
  vpc_id      = module.oktalogger.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "tunnel" {
  security_group_id = aws_security_group.tunnel.id
  description       = "HTTPS to the domain and to AWS Systems Manager"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_instance" "tunnel" {
  ami                    = data.aws_ssm_parameter.image.insecure_value
  instance_type          = "t4g.nano"
  subnet_id              = module.oktalogger.private_subnet_ids[0]
  vpc_security_group_ids = [aws_security_group.tunnel.id]
  iam_instance_profile   = aws_iam_instance_profile.tunnel.name
  ebs_optimized          = true
  monitoring             = true
  tags                   = { Name = "${var.name}-tunnel" }

  metadata_options {
    http_tokens = "required"
  }

  root_block_device {
    encrypted = true
  }

  lifecycle {
    # A newer image is no reason to make the machine anew in somebody else's apply.
    ignore_changes = [ami]
  }
}

resource "aws_iam_role" "tunnel" {
  name        = "${var.name}-tunnel"
  description = "The machine between people and the domain ${var.name}. It may do nothing but be reached by AWS Systems Manager."

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Machines"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "tunnel" {
  role       = aws_iam_role.tunnel.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "tunnel" {
  name = "${var.name}-tunnel"
  role = aws_iam_role.tunnel.name
}
