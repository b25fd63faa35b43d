mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name        = "oktalogger"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "one_nat_gateway_by_default" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = [for zone, net in aws_subnet.private : net.cidr_block] == ["10.64.0.0/24", "10.64.1.0/24"]
    error_message = "Two private subnets, each a sixteenth of the range."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_subnet.public) == 2 && length(aws_route.private) == 2
    error_message = "One NAT gateway serves both zones."
  }

  assert {
    condition     = alltrue([for net in aws_subnet.public : !net.map_public_ip_on_launch])
    error_message = "Nothing gets a public address by itself."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.us-east-1.s3"
    error_message = "S3 is reached past the NAT gateway."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.retention_in_days == 90 && aws_cloudwatch_log_group.flow.kms_key_id == var.kms_key_arn
    error_message = "All traffic is logged, encrypted, for 90 days."
  }
}

run "a_nat_gateway_in_each_of_three_zones" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    zone_count   = 3
    nat_gateways = "per_zone"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_subnet.private) == 3 && length(aws_eip.nat) == 3
    error_message = "Each zone has a private subnet and a NAT gateway."
  }
}

run "no_way_out" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    nat_gateways = "none"
  }

  assert {
    condition     = length(aws_nat_gateway.this) + length(aws_subnet.public) + length(aws_internet_gateway.this) + length(aws_route.private) == 0
    error_message = "Without a way out there is neither internet gateway nor public subnet nor default route."
  }
}
