variable "name" {
  description = "Name of the domain, and beginning of every other name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,27}$", var.name))
    error_message = "name takes 3 to 28 lower-case letters, digits and dashes, beginning with a letter (the rule for domain names)."
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

variable "key_identity" {
  description = "What tells the key from another one before it is made: a word of your choice where Terraform makes the key, null for `kms_key_arn` where its ARN is known."
  type        = string
  default     = null
}

variable "replaced_domains" {
  description = "Names of the domains that this one may take the place of, oldest first. A plan that would make the domain anew, with another name, key or access or in another region, is refused unless this names the domain that goes, with everything in it. Leave the names in afterwards."
  type        = list(string)
  default     = []
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
