variable "name" {
  description = "Name of the domain, the user pool and the identity pool."
  type        = string
  default     = "oktalogger"
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "okta_org_url" {
  description = "Address of the Okta org, such as https://company.okta.com."
  type        = string
}

variable "airflow_role_arns" {
  description = "ARNs of the IAM roles as which your Airflow's workers run."
  type        = list(string)
}

variable "administrator_arns" {
  description = "ARNs of the IAM roles that may assume the domain's master role."
  type        = list(string)
}

variable "allowed_ip_ranges" {
  description = "IPv4 ranges from which Airflow and people reach the domain, such as [\"203.0.113.0/28\"]."
  type        = list(string)
}
