variable "name" {
  description = "Name of the domain, and beginning of every other name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,27}$", var.name))
    error_message = "name takes 3 to 28 lower-case letters, digits and dashes, beginning with a letter (the rule for domain names)."
  }
}

variable "index_prefix" {
  description = "Alias of the events and beginning of every index name, as in `OKTALOGGER_INDEX_PREFIX`. The roles are written for it."
  type        = string
  default     = "okta-system-log"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,99}$", var.index_prefix))
    error_message = "index_prefix takes lower-case letters, digits and dashes; a dot would shut out document-level monitors."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the domain and its logs. Its policy must let CloudWatch Logs use it. It cannot be changed later."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn takes the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias."
  }
}

variable "tags" {
  description = "Tags for everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

# --- the cluster ---

variable "engine_version" {
  description = "Version of OpenSearch, without the word OpenSearch. A domain can go up, never down."
  type        = string
  default     = "2.19"
  nullable    = false

  validation {
    condition     = can(regex("^(2\\.19|3\\.[0-9]+)$", var.engine_version))
    error_message = "engine_version takes 2.19 or a version of line 3, such as 3.1: the lines that oktalogger is tested on."
  }

  validation {
    condition     = var.accept_unlisted || !can(regex("^3\\.", var.engine_version)) || contains(local.limits.engine_versions.offered, var.engine_version)
    error_message = "engine_version is not among those that Amazon OpenSearch Service offered when limits.json was last read: ${local.offered}. Choose one of them, or set accept_unlisted if AWS offers it now."
  }
}

variable "accept_unlisted" {
  description = "Whether to take versions and instance types that `limits.json` does not know, because AWS offers them since."
  type        = bool
  default     = false
  nullable    = false
}

variable "instance_type" {
  description = "Instance type of the data nodes."
  type        = string
  default     = "t3.medium.search"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+\\.[a-z0-9]+\\.search$", var.instance_type))
    error_message = "instance_type takes a type such as t3.medium.search or r7g.large.search."
  }

  validation {
    condition     = !contains(local.limits.own_disks.families, split(".", var.instance_type)[0])
    error_message = "instance_type ${var.instance_type} has disks of its own and takes no EBS volume, which this module gives to every data node. Choose a type with EBS, such as r7g.large.search."
  }

  validation {
    condition     = !contains(local.limits.no_gp3.families, split(".", var.instance_type)[0])
    error_message = "instance_type ${var.instance_type} takes no gp3 volume; t2, m3 and r3 cannot encrypt at rest either, so fine-grained access control refuses them. Choose a type of today, such as t3.medium.search or r7g.large.search."
  }

  validation {
    condition = (
      var.accept_unlisted || !can(regex("^[a-z0-9]+\\.[a-z0-9]+\\.search$", var.instance_type)) ||
      contains(concat(local.limits.own_disks.families, local.limits.no_gp3.families), split(".", var.instance_type)[0]) ||
      contains(keys(local.limits.data_nodes.types), var.instance_type)
    )
    error_message = "instance_type ${var.instance_type} is not in limits.json, so whether it takes this volume is not known. Choose one that is, such as r7g.large.search, or set accept_unlisted if AWS offers it now."
  }
}

variable "instance_count" {
  description = "Number of data nodes, a multiple of `zone_count`."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.instance_count >= 1 && var.instance_count <= 80 && floor(var.instance_count) == var.instance_count
    error_message = "instance_count takes a whole number from 1 to 80."
  }

  validation {
    condition     = var.instance_count % var.zone_count == 0
    error_message = "instance_count must be a multiple of zone_count, so that every zone has the same number of nodes."
  }

  validation {
    condition     = !local.burstable || var.instance_count <= local.limits.burstable_data_nodes.most
    error_message = "instance_count is over ${local.limits.burstable_data_nodes.most}, the most data nodes of a t3 type. Choose fewer, or a type such as m7g.large.search."
  }
}

variable "zone_count" {
  description = "Availability zones over which the data nodes are spread: 1 (no zone awareness), 2 or 3."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([1, 2, 3], var.zone_count)
    error_message = "zone_count takes 1, 2 or 3."
  }
}

variable "dedicated_master_type" {
  description = "Instance type of the dedicated master nodes; null for none. Have them from about ten data nodes on, or where the cluster must survive the loss of a zone without a pause."
  type        = string
  default     = null

  validation {
    condition     = var.dedicated_master_type == null || can(regex("^[a-z0-9]+\\.[a-z0-9]+\\.search$", var.dedicated_master_type))
    error_message = "dedicated_master_type takes a type such as m7g.large.search, or null for no dedicated masters."
  }

  validation {
    condition     = var.dedicated_master_type == null ? true : !startswith(var.dedicated_master_type, "t") || var.instance_count <= local.limits.dedicated_masters.burstable_up_to_data_nodes
    error_message = "dedicated_master_type may be a t3 type for up to ${local.limits.dedicated_masters.burstable_up_to_data_nodes} data nodes only. Choose m7g.large.search or larger."
  }
}

variable "dedicated_master_count" {
  description = "Number of dedicated master nodes, where there are any."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = contains([3, 5], var.dedicated_master_count)
    error_message = "dedicated_master_count takes 3 or 5: an even number cannot decide who leads."
  }
}

variable "volume_gib" {
  description = "Size of each data node's gp3 volume in GiB."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.volume_gib >= 10 && var.volume_gib <= 36864 && floor(var.volume_gib) == var.volume_gib
    error_message = "volume_gib takes a whole number from 10 to 36864."
  }

  validation {
    condition     = local.node == null ? true : var.volume_gib >= local.node.min_gib && var.volume_gib <= local.node.max_gib
    error_message = "volume_gib is outside of what ${var.instance_type} takes: ${try(local.node.min_gib, 10)} to ${try(local.node.max_gib, 36864)} GiB. Choose a size within, more nodes, or a larger instance type."
  }
}

variable "volume_iops" {
  description = "Operations a second of each volume; null for what a gp3 volume of this size brings (3000, or 3 for each GiB)."
  type        = number
  default     = null

  validation {
    condition     = var.volume_iops == null ? true : var.volume_iops >= 3000 && var.volume_iops <= 80000
    error_message = "volume_iops takes 3000 to 80000, or null."
  }

  validation {
    condition     = var.volume_iops == null ? true : var.volume_iops < 3000 || var.volume_iops > 80000 || (var.volume_iops >= local.included_iops && var.volume_iops <= local.most_iops)
    error_message = "volume_iops is outside of what ${var.volume_gib} GiB on ${var.instance_type} take: ${local.included_iops} to ${local.most_iops}. Leave it out for what comes with the volume, or choose a larger volume or instance type."
  }
}

variable "volume_throughput_mib" {
  description = "Throughput of each volume in MiB a second; null for what a gp3 volume of this size brings (125, or 250 from 170 GiB on)."
  type        = number
  default     = null

  validation {
    condition     = var.volume_throughput_mib == null ? true : var.volume_throughput_mib >= 125 && var.volume_throughput_mib <= 2000
    error_message = "volume_throughput_mib takes 125 to 2000, or null."
  }

  validation {
    condition     = var.volume_throughput_mib == null ? true : var.volume_throughput_mib < 125 || var.volume_throughput_mib > 2000 || (var.volume_throughput_mib >= local.included_throughput && var.volume_throughput_mib <= local.most_throughput)
    error_message = "volume_throughput_mib is outside of what ${var.volume_gib} GiB with ${local.iops} IOPS on ${var.instance_type} take: ${local.included_throughput} to ${local.most_throughput}. Leave it out for what comes with the volume, or choose more volume_iops, a larger volume or a larger instance type."
  }
}

variable "off_peak_start_hour" {
  description = "Hour (UTC) at which the ten-hour window begins in which AWS may do maintenance."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains(range(24), var.off_peak_start_hour)
    error_message = "off_peak_start_hour takes a whole number from 0 to 23."
  }
}

variable "automatic_software_updates" {
  description = "Whether AWS installs service software updates in the off-peak window by itself."
  type        = bool
  default     = true
  nullable    = false
}

# --- the way to it ---

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
    Login to OpenSearch Dashboards through an identity provider (Okta, say); null for none. Without it Dashboards has no
    login page that works, because there is no user database.
    * `entity_id`: the identity provider's entity id
    * `metadata_xml`: the identity provider's metadata, as XML
    * `roles_key`: the assertion's attribute that lists the user's groups
    * `session_minutes`: how long a login lasts, up to 1440
  TEXT
  type = object({
    entity_id       = string
    metadata_xml    = string
    roles_key       = optional(string, "groups")
    session_minutes = optional(number, 60)
  })
  default = null

  validation {
    condition     = var.saml == null ? true : var.saml.session_minutes >= 1 && var.saml.session_minutes <= 1440
    error_message = "saml.session_minutes takes 1 to 1440."
  }
}

# --- logs, and what an account has once ---

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the domain's error, slow and audit logs."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days takes a value that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}

variable "create_log_resource_policy" {
  description = "Whether to make the CloudWatch Logs resource policy that lets the domain write its logs. A region holds ten such policies: turn it off where one of yours covers `/aws/OpenSearchService/domains/*` already."
  type        = bool
  default     = true
  nullable    = false
}

variable "create_service_linked_role" {
  description = "Whether to make the role AWSServiceRoleForAmazonOpenSearchService, which a domain in a VPC needs. An account has it once: turn it on for the account's first domain only."
  type        = bool
  default     = false
  nullable    = false
}
