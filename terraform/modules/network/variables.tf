variable "name" {
  description = "Name of the VPC, and beginning of every other name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,27}$", var.name))
    error_message = "name takes 3 to 28 lower-case letters, digits and dashes, beginning with a letter."
  }
}

variable "role_prefix" {
  description = "Beginning of the names of IAM roles, of which an account has one set for all regions; null for `name`."
  type        = string
  default     = null

  validation {
    condition     = var.role_prefix == null ? true : can(regex("^[A-Za-z0-9-]{3,44}$", var.role_prefix))
    error_message = "role_prefix takes 3 to 44 letters, digits and dashes, so that a role's name has no more than the 64 that IAM allows."
  }
}

variable "cidr_block" {
  description = "IPv4 range of the VPC. Each subnet takes a sixteenth of it."
  type        = string
  default     = "10.64.0.0/20"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.cidr_block)) && try(tonumber(split("/", var.cidr_block)[1]), 0) >= 16 && try(tonumber(split("/", var.cidr_block)[1]), 99) <= 22
    error_message = "cidr_block takes an IPv4 range from /16 to /22, such as 10.64.0.0/20: AWS allows no wider one, and a narrower one leaves subnets too small for Amazon MWAA."
  }
}

variable "zone_count" {
  description = "Availability zones to use, one private subnet in each. Amazon MWAA wants two; the domain may use two or three."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([2, 3], var.zone_count)
    error_message = "zone_count takes 2 or 3."
  }
}

variable "nat_gateways" {
  description = "The way out to Okta's API: `none` (no public subnets either), `single` (cheap; if its zone fails, loading waits) or `per_zone`."
  type        = string
  default     = "single"
  nullable    = false

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat_gateways)
    error_message = "nat_gateways takes none, single or per_zone."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the flow logs. Its policy must let CloudWatch Logs use it."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn takes the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the flow logs."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days takes a value that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}

variable "tags" {
  description = "Tags for everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
