variable "name" {
  description = "Name of the domain."
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

variable "airflow_role_name" {
  description = "Name of the IAM role as which your Airflow's workers run."
  type        = string
}

variable "airflow_ip_ranges" {
  description = "IPv4 ranges from which your Airflow's workers reach the internet, such as [\"203.0.113.0/28\"]."
  type        = list(string)
}
