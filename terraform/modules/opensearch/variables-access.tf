# The way to the domain, and who may do what there.

variable "access" {
  description = "`vpc`: the domain has addresses in your subnets only. `public`: it has a public address, and only the named principals get an answer, from the named IP ranges if there are any."
  type        = string
  default     = "vpc"
  nullable    = false

  validation {
    condition     = contains(["vpc", "public"], var.access)
    error_message = "access takes vpc or public. A domain cannot change from one to the other later."
  }
}

variable "vpc_id" {
  description = "Id of the VPC, for access `vpc`."
  type        = string
  default     = null

  validation {
    condition     = var.access == "public" || can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id takes the id of a VPC (vpc-...), where access is vpc."
  }
}

variable "subnet_ids" {
  description = "Ids of private subnets, at least `zone_count` of them, each in another zone, for access `vpc`. The first `zone_count` are used."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = var.access == "public" || length(distinct(var.subnet_ids)) >= var.zone_count
    error_message = "subnet_ids must name as many different subnets as zone_count says, where access is vpc."
  }
}

variable "client_security_group_ids" {
  description = "Security groups that may reach the domain, by a name of your choice, for access `vpc`. A map, because the ids may not be known before apply."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "client_cidr_blocks" {
  description = "IPv4 ranges that may reach the domain, for access `vpc`: of a VPN, or of a peered VPC."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for block in var.client_cidr_blocks : can(cidrnetmask(block)) && try(tonumber(split("/", block)[1]), 0) >= 8])
    error_message = "client_cidr_blocks takes IPv4 ranges no wider than /8, such as 10.20.0.0/16."
  }
}

variable "allowed_ip_ranges" {
  description = "IPv4 ranges from which the named principals may ask, for access `public`; empty for anywhere."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for block in var.allowed_ip_ranges : can(cidrnetmask(block)) && try(tonumber(split("/", block)[1]), 0) >= 8])
    error_message = "allowed_ip_ranges takes IPv4 ranges no wider than /8, such as 203.0.113.0/24."
  }

  validation {
    condition     = length(var.allowed_ip_ranges) == 0 || var.access == "public"
    error_message = "allowed_ip_ranges is for access public; inside a VPC use client_cidr_blocks, which become security group rules."
  }
}

# --- who may do what ---

variable "loader_arns" {
  description = "ARNs of the IAM roles (or users) that load events."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.loader_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "loader_arns takes ARNs of IAM roles or users, each named: no *, no whole account, no assumed-role session."
  }
}

variable "sync_arns" {
  description = "ARNs of the IAM roles (or users) that keep the monitors in step. Usually the same as `loader_arns`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.sync_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "sync_arns takes ARNs of IAM roles or users, each named: no *, no whole account, no assumed-role session."
  }
}

variable "analyst_arns" {
  description = "ARNs of the IAM roles (or users) that may read."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.analyst_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "analyst_arns takes ARNs of IAM roles or users, each named: no *, no whole account, no assumed-role session."
  }
}

variable "analyst_saml_groups" {
  description = "Groups of the identity provider whose members may read, where `saml` is set."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.analyst_saml_groups) == 0 || var.saml != null
    error_message = "analyst_saml_groups needs saml: without an identity provider no group ever arrives."
  }
}

variable "master_trusted_arns" {
  description = "ARNs of the IAM roles (or users) that may assume the master role, which may do everything in the domain. Empty: whoever the account's administrators allow."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.master_trusted_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "master_trusted_arns takes ARNs of IAM roles or users, each named: no *, no whole account, no assumed-role session."
  }
}

variable "saml" {
  description = <<-TEXT
    Login to OpenSearch Dashboards through an identity provider (Okta or IAM Identity Center, say); null for none. A browser
    signs no requests, so with it the domain's policy lets in everybody who reaches the domain, and fine-grained access
    control decides, as AWS's guide has it.
    * `entity_id`: the identity provider's entity id
    * `metadata_xml`: the identity provider's metadata, as XML
    * `roles_key`: the assertion's attribute that lists the user's groups
    * `session_minutes`: how long a login lasts, up to 1440
    * `administrators_group`: a group whose members may do everything, in Dashboards only; null for none
  TEXT
  type = object({
    entity_id       = string
    metadata_xml    = string
    roles_key       = optional(string, "groups")
    session_minutes = optional(number, 60)

    administrators_group = optional(string)
  })
  default = null

  validation {
    condition     = var.saml == null || var.access != "public" || length(var.allowed_ip_ranges) > 0
    error_message = "saml opens the policy of the domain to everybody who reaches it, and with access public that is the internet. Name allowed_ip_ranges from which people come, or choose access vpc."
  }

  validation {
    condition     = var.saml == null ? true : var.saml.session_minutes >= 1 && var.saml.session_minutes <= 1440
    error_message = "saml.session_minutes takes 1 to 1440."
  }
}

variable "cognito" {
  description = <<-TEXT
    Login to OpenSearch Dashboards through Amazon Cognito; null for none. Cognito gives each user an IAM role, and
    Dashboards signs with it: name those roles in `analyst_arns`.
    * `user_pool_id`, `identity_pool_id`: who may log in, and which role they get; the user pool needs a domain name
    * `role_arn`: the role with AmazonOpenSearchServiceCognitoAccess, as which OpenSearch Service uses the two
  TEXT
  type = object({
    user_pool_id     = string
    identity_pool_id = string
    role_arn         = string
  })
  default = null

  validation {
    condition     = var.cognito == null || var.saml == null
    error_message = "cognito and saml are both set, and a domain has one login for Dashboards. Choose one of them."
  }

  validation {
    condition     = var.cognito == null || length(var.analyst_arns) > 0
    error_message = "cognito needs the roles that its identity pool gives to users in analyst_arns: without them whoever logs in is turned away."
  }
}
