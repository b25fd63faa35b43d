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

variable "okta_token" {
  description = "API token of an Okta user who may read the System Log (Read-only Administrator is enough)."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "okta_token_version" {
  description = "Raise it when the token is a new one: that writes it again."
  type        = number
  default     = 1
}

variable "package_folder" {
  description = "Folder that `make mwaa-package` made; null for an environment without oktalogger on it."
  type        = string
  default     = null
}

variable "setup_from_airflow" {
  description = "Whether Airflow may set up roles and mappings in the domain: true for the first run of okta_opensearch_setup and after upgrades, otherwise false."
  type        = bool
  default     = true
}

variable "first_domain_of_account" {
  description = "Whether this is the account's first OpenSearch domain in a VPC."
  type        = bool
  default     = false
}

variable "alarm_topic_arn" {
  description = "SNS topic for alarms; null for none."
  type        = string
  default     = null
}
