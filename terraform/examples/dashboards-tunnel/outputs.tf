output "dashboards_url" {
  description = "Address of OpenSearch Dashboards, inside the VPC."
  value       = module.oktalogger.dashboards_url
}

output "tunnel_command" {
  description = "Opens the tunnel: port 9200 of the own computer is then port 443 of the domain."
  value       = "aws ssm start-session --region ${var.region} --target ${aws_instance.tunnel.id} --document-name AWS-StartPortForwardingSessionToRemoteHost --parameters host=${module.oktalogger.domain_endpoint},portNumber=443,localPortNumber=9200"
}
