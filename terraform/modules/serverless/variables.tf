variable "name" {
  description = "Name of the collection and its policies."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name takes 3 to 24 lower-case letters, digits and dashes, beginning with a letter: names of policies are longer, and have 32 at most."
  }
}

variable "index_prefix" {
  description = "Alias of the events and beginning of every index name, as in `OKTALOGGER_INDEX_PREFIX`."
  type        = string
  default     = "okta-system-log"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,99}$", var.index_prefix))
    error_message = "index_prefix takes lower-case letters, digits and dashes."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the collection. It cannot be changed later, and a collection with a key of its own shares no capacity with others."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn takes the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias."
  }
}

variable "standby_replicas" {
  description = "Whether the collection survives the loss of a zone, at twice the smallest capacity. It cannot be changed later."
  type        = bool
  default     = true
  nullable    = false
}

variable "vpc_id" {
  description = "VPC from which alone the collection is reached; null for the internet, where its data access policy decides."
  type        = string
  default     = null

  validation {
    condition     = var.vpc_id == null || can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id takes the id of a VPC (vpc-...), or null."
  }
}

variable "subnet_ids" {
  description = "Private subnets of that VPC, one in each zone, for the endpoint."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = var.vpc_id == null || length(distinct(var.subnet_ids)) >= 1
    error_message = "subnet_ids must name the subnets in which the endpoint lies, where vpc_id is set."
  }
}

variable "client_security_group_ids" {
  description = "Security groups that may reach the endpoint, by a name of your choice."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "loader_arns" {
  description = "ARNs of the IAM roles (or users) as which Airflow loads events. Each also needs the output `client_policy`."
  type        = list(string)

  validation {
    condition     = length(var.loader_arns) > 0 && alltrue([for arn in var.loader_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "loader_arns takes ARNs of IAM roles or users, each named, and at least one."
  }
}

variable "analyst_arns" {
  description = "ARNs of the IAM roles (or users) that may read. Each also needs the output `client_policy`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.analyst_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "analyst_arns takes ARNs of IAM roles or users, each named."
  }
}

variable "tags" {
  description = "Tags for everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
