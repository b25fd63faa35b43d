output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, one in each zone, in the order of the zones."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]

  # Amazon MWAA fails after half an hour where its subnets have no way out yet.
  depends_on = [aws_route.private, aws_route_table_association.private, aws_route.public, aws_route_table_association.public]
}

output "nat_public_ips" {
  description = "Addresses from which Okta sees the requests: give them to a network zone or to a token's allowed networks in Okta."
  value       = [for zone in local.nat_zones : aws_eip.nat[zone].public_ip]
}
