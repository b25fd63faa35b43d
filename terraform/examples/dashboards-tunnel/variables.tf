variable "name" {
  description = "Name of the domain and the environment."
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

variable "analyst_arns" {
  description = "ARNs of the IAM roles with which people sign: they may read events and alerts."
  type        = list(string)
}
