variable "name" {
  description = "Name of the domain and the environment."
  type        = string
  default     = "oktalogger"
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "kms_key_arn" {
  description = "KMS key for everything that is stored; its policy must let CloudWatch Logs use it."
  type        = string
}

variable "vpc_id" {
  description = "Id of the VPC."
  type        = string
}

variable "private_subnet_ids" {
  description = "Three private subnets in three zones, with a way out to the internet."
  type        = list(string)
}

variable "vpn_cidr_blocks" {
  description = "IPv4 ranges of the VPN from which analysts reach Dashboards."
  type        = list(string)
  default     = []
}

variable "okta_org_url" {
  description = "Address of the Okta org, such as https://company.okta.com."
  type        = string
}

variable "okta_client_id" {
  description = "Client id of the OAuth 2.0 service app with the scope okta.logs.read."
  type        = string
}

variable "okta_key_id" {
  description = "Id of the app's key."
  type        = string
}

variable "okta_private_key" {
  description = "The app's private key, as PEM or JWK."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "okta_key_version" {
  description = "Raise it when the key is a new one: that writes it again."
  type        = number
  default     = 1
}

variable "idp_entity_id" {
  description = "Entity id of the identity provider's SAML app for Dashboards."
  type        = string
  default     = null
}

variable "idp_metadata_xml" {
  description = "The identity provider's SAML metadata, as XML; null until its app for Dashboards is there."
  type        = string
  default     = null
}

variable "analyst_arns" {
  description = "IAM roles that read events and alerts by the API."
  type        = list(string)
  default     = []
}

variable "administrator_arns" {
  description = "IAM roles that may assume the domain's master role."
  type        = list(string)
}

variable "setup_from_airflow" {
  description = "Whether Airflow may set up roles and mappings in the domain: true for the first run of okta_opensearch_setup and after upgrades, otherwise false."
  type        = bool
  default     = false
}

variable "access_log_bucket" {
  description = "Bucket for S3 access logs."
  type        = string
  default     = null
}

variable "alarm_topic_arns" {
  description = "SNS topics for alarms."
  type        = list(string)
}

variable "package_folder" {
  description = "Folder that `make mwaa-package` made; null for an environment without oktalogger on it."
  type        = string
  default     = null
}
