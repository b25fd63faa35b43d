variable "name" {
  description = "Name of the collection."
  type        = string
  default     = "oktalogger"
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the collection."
  type        = string
}

variable "vpc_id" {
  description = "Id of the VPC in which Airflow runs."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of that VPC, one in each zone."
  type        = list(string)
}

variable "airflow_role_name" {
  description = "Name of the IAM role as which your Airflow's workers run."
  type        = string
}

variable "airflow_security_group_id" {
  description = "Security group of your Airflow's workers."
  type        = string
}

variable "analyst_arns" {
  description = "IAM roles that read events."
  type        = list(string)
  default     = []
}
