# Objects leave out what they do not want to change: a left-out attribute takes the default of the module that it goes
# to, which is also where it is validated (see the tables in modules/*/README.md).

variable "name" {
  description = "Name of the domain and the environment, and beginning of every other name."
  type        = string
  default     = "oktalogger"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,27}$", var.name))
    error_message = "name takes 3 to 28 lower-case letters, digits and dashes, beginning with a letter."
  }
}

variable "role_names_with_region" {
  description = "Whether the names of IAM roles have the region in them. Set it for a second stack of the same name in another region. For a stack that is there already it makes the roles anew: run okta_opensearch_setup afterwards."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags for everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key for everything that is stored; null makes one. Your own key's policy must let CloudWatch Logs use it for the log groups (compare kms.tf)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn takes the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias, or null."
  }

  validation {
    condition     = try(split(":", var.kms_key_arn)[3], local.region) == local.region
    error_message = "kms_key_arn is a key of another region than ${local.region}, in which the stack is made: AWS encrypts with keys of the same region only. Choose a key of ${local.region}, or null for one that the stack makes."
  }

  validation {
    condition     = try(split(":", var.kms_key_arn)[4], local.account) == local.account
    error_message = "kms_key_arn is a key of another account than ${local.account}. What its policy allows cannot be seen from here, and AWS refuses only after half an hour: choose a key of this account, or null for one that the stack makes."
  }
}

# --- Okta ---

variable "okta_connections" {
  description = <<-TEXT
    The Okta orgs to read, by the id of their Airflow connection.
    * `org_url`: the org's own address, such as https://company.okta.com
    * `auth`: `ssws` (API token) or `private_key_jwt` (OAuth 2.0 service app with the scope okta.logs.read)
    * `client_id`, `key_id`: of the service app and its key, for `private_key_jwt`; a JWK brings its own key id
    * `credential_version`: 0 makes an empty secret, to be filled by hand (see the output `fill_commands`); from 1 on the
      credential is taken from `okta_credentials`, and raising the number writes it again
  TEXT
  type = map(object({
    org_url            = string
    auth               = optional(string)
    client_id          = optional(string)
    key_id             = optional(string)
    credential_version = optional(number)
  }))
  nullable = false
}

variable "okta_credentials" {
  description = "API token or private key (PEM, or a JWK as JSON text) of each org, by the id of its connection. Written to Secrets Manager and nowhere else: neither plan nor state holds it."
  type        = map(string)
  default     = {}
  nullable    = false
  ephemeral   = true
  sensitive   = true
}

variable "secrets" {
  description = <<-TEXT
    The secrets in Secrets Manager.
    * `prefix`: beginning of their names; the stack's name where left out
    * `recovery_window_days`: days in which a deleted secret can be brought back, 7 to 30, or 0
  TEXT
  type = object({
    prefix               = optional(string)
    recovery_window_days = optional(number)
  })
  default  = {}
  nullable = false
}

# --- network ---

variable "network" {
  description = <<-TEXT
    The VPC to make, where `existing_vpc` is null and something needs one.
    * `cidr_block`: its IPv4 range
    * `nat_gateways`: the way out: `none`, `single` or `per_zone`; where left out `single` with Amazon MWAA, else `none`
    * `log_retention_days`: of the flow logs
  TEXT
  type = object({
    cidr_block         = optional(string)
    nat_gateways       = optional(string)
    log_retention_days = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.mwaa == null || var.existing_vpc != null || coalesce(var.network.nat_gateways, "single") != "none"
    error_message = "network.nat_gateways is none, and Amazon MWAA has no other way to Okta, whose API is public, nor to AWS. Choose single or per_zone, or name a VPC with a way out of its own in existing_vpc."
  }
}

variable "existing_vpc" {
  description = <<-TEXT
    A VPC that is there already; null makes one.
    * `vpc_id`: its id
    * `private_subnet_ids`: private subnets in different zones, as many as the domain has zones; Amazon MWAA takes the
      first two, which need a way out to the internet
    * `nat_public_ips`: the addresses of its NAT gateways, which a public domain with `allowed_ip_ranges` lets in
  TEXT
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
    nat_public_ips     = optional(list(string))
  })
  default = null

  validation {
    condition     = alltrue([for address in try(coalesce(var.existing_vpc.nat_public_ips, []), []) : can(cidrhost("${address}/32", 0))])
    error_message = "existing_vpc.nat_public_ips takes IPv4 addresses, such as 203.0.113.10, without a range."
  }

  validation {
    condition = (
      var.existing_vpc == null || var.mwaa == null || var.domain.access != "public" || length(coalesce(var.domain.allowed_ip_ranges, [])) == 0 ? true :
      length(coalesce(var.existing_vpc.nat_public_ips, [])) > 0
    )
    error_message = "existing_vpc has no nat_public_ips, and the domain is public and lets in domain.allowed_ip_ranges only: Airflow would be shut out. Name the addresses of your VPC's NAT gateways in existing_vpc.nat_public_ips."
  }

  validation {
    condition     = var.existing_vpc == null ? true : length(distinct(var.existing_vpc.private_subnet_ids)) >= (var.mwaa == null ? 1 : 2)
    error_message = "existing_vpc.private_subnet_ids must name at least two different subnets for Amazon MWAA, and one without it."
  }
}

# --- OpenSearch ---

variable "index_prefix" {
  description = "Alias of the events and beginning of every index name."
  type        = string
  default     = "okta-system-log"
  nullable    = false
}

variable "domain" {
  description = <<-TEXT
    The OpenSearch domain.
    * `engine_version`, `instance_type`, `instance_count`, `zone_count`; `accept_unlisted`: take those that limits.json
      does not know yet
    * `dedicated_master_type`, `dedicated_master_count`
    * `volume_gib`, `volume_iops`, `volume_throughput_mib`
    * `access`: `vpc` or `public`; `allowed_ip_ranges` for `public`
    * `client_security_group_ids` (by a name of your choice) and `client_cidr_blocks`: who else may reach it, for `vpc`
    * `saml`: login to Dashboards through an identity provider, `analyst_saml_groups`: its groups that may read; or
      `cognito`: login through Amazon Cognito (see dashboards.md)
    * `log_retention_days`, `create_log_resource_policy`, `create_service_linked_role`
    * `off_peak_start_hour`, `automatic_software_updates`
    * `replaced_domains`: names of the domains that may be made anew, with everything in them gone; see the module's README
  TEXT
  type = object({
    engine_version             = optional(string)
    accept_unlisted            = optional(bool)
    instance_type              = optional(string)
    instance_count             = optional(number)
    zone_count                 = optional(number)
    dedicated_master_type      = optional(string)
    dedicated_master_count     = optional(number)
    volume_gib                 = optional(number)
    volume_iops                = optional(number)
    volume_throughput_mib      = optional(number)
    access                     = optional(string)
    allowed_ip_ranges          = optional(list(string))
    client_security_group_ids  = optional(map(string))
    client_cidr_blocks         = optional(list(string))
    analyst_saml_groups        = optional(list(string))
    log_retention_days         = optional(number)
    create_log_resource_policy = optional(bool)
    create_service_linked_role = optional(bool)
    off_peak_start_hour        = optional(number)
    automatic_software_updates = optional(bool)
    replaced_domains           = optional(list(string))
    saml = optional(object({
      entity_id       = string
      metadata_xml    = string
      roles_key       = optional(string)
      session_minutes = optional(number)

      administrators_group = optional(string)
    }))
    cognito = optional(object({
      user_pool_id     = string
      identity_pool_id = string
      role_arn         = string
    }))
  })
  default  = {}
  nullable = false
}

# --- who ---

variable "airflow_role_arns" {
  description = "ARNs of the IAM roles as which an Airflow outside this stack runs the DAGs. Each also needs the output `pipeline_policy`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.airflow_role_arns) > 0 || var.mwaa != null
    error_message = "airflow_role_arns is empty and mwaa is null: nobody would load anything. Name the role of your Airflow, or let this stack make an environment."
  }
}

variable "analyst_arns" {
  description = "ARNs of the IAM roles or users that may read events and alerts. Each also needs the output `analyst_policy`, unless it is in this account."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "master_trusted_arns" {
  description = "ARNs of the IAM roles or users that may assume the domain's master role. Empty: whoever the account's administrators allow."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "setup_from_airflow" {
  description = "Whether Airflow's role may assume the domain's master role, so that the DAG okta_opensearch_setup can run. Every DAG runs as that role: turn it off again when the DAG has run."
  type        = bool
  default     = false
  nullable    = false
}

# --- Airflow ---

variable "settings" {
  description = "Settings of oktalogger, such as OKTALOGGER_START_DATE; those that the stack knows itself (connections, index prefix) are set already."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^OKTALOGGER_[A-Z0-9_]+$", name))])
    error_message = "settings takes names that begin with OKTALOGGER_."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), ["OKTALOGGER_OKTA_CONN_IDS", "OKTALOGGER_OPENSEARCH_CONN_ID", "OKTALOGGER_INDEX_PREFIX"])) == 0
    error_message = "settings must not set what follows from other variables: OKTALOGGER_OKTA_CONN_IDS (okta_connections), OKTALOGGER_OPENSEARCH_CONN_ID, OKTALOGGER_INDEX_PREFIX (index_prefix)."
  }

  validation {
    condition     = var.archive == null || !contains(keys(var.settings), "OKTALOGGER_ARCHIVE")
    error_message = "settings must not set OKTALOGGER_ARCHIVE beside archive, which makes a bucket and names it: leave out one of them."
  }
}

variable "mwaa" {
  description = <<-TEXT
    The Amazon MWAA environment; null for none.
    * `airflow_version` (`accept_unlisted`: also one that limits.json does not know yet), `environment_class`, `min_workers`, `max_workers`, `schedulers`
    * `webserver_access`: `public` or `private`
    * `package_folder`: the folder that `make mwaa-package` made; left out, oktalogger is not on it
    * `configuration_options`: Airflow configuration options
    * `environment_variables`: beyond `settings`, for other DAGs
    * `egress_ports`: beyond 443, for other DAGs
    * `log_level`, `log_retention_days`, `access_log_bucket`, `noncurrent_version_days`
    * `maintenance_window_start`: such as SUN:03:30
  TEXT
  type = object({
    airflow_version          = optional(string)
    accept_unlisted          = optional(bool)
    environment_class        = optional(string)
    min_workers              = optional(number)
    max_workers              = optional(number)
    schedulers               = optional(number)
    webserver_access         = optional(string)
    package_folder           = optional(string)
    configuration_options    = optional(map(string))
    environment_variables    = optional(map(string), {})
    egress_ports             = optional(list(number))
    log_level                = optional(string)
    log_retention_days       = optional(number)
    access_log_bucket        = optional(string)
    noncurrent_version_days  = optional(number)
    maintenance_window_start = optional(string)
  })
  default = null
}

# --- archive ---

variable "archive" {
  description = <<-TEXT
    A bucket in which each load keeps Okta's events byte for byte (docs/archive.md), and the setting and the rights for it; null for none.
    * `object_lock`: `mode` (`governance` or `compliance`) and `days`; can be turned on later, and never off
    * `colder_after_days`, `expire_after_days`: when objects get cheaper to keep, and when they go
    * `access_log_bucket`: for the bucket's S3 access logs
  TEXT
  type = object({
    object_lock       = optional(object({ mode = string, days = number }))
    colder_after_days = optional(number)
    expire_after_days = optional(number)
    access_log_bucket = optional(string)
  })
  default = null
}

# --- alarms ---

variable "alarms" {
  description = <<-TEXT
    Alarms to SNS topics; null for none.
    * `sns_topic_arns`: who hears of them
    * `tell`: whether Airflow's tasks tell the first of these topics what okta_check and reconcile's verdict find wrong (the loads are behind,
      gaps, rejected events, broken rules), in words. Then these tasks do not fail for it. Where the topic is encrypted, its key's policy
      must let Airflow's role use it
    * `jvm_memory_percent`, `silent_minutes`, `behind_minutes`: when they go off
    * `dag_ids`: the DAGs to watch, in this stack's Amazon MWAA environment
    * `failing_dag_ids`: DAGs of which only a failed run is heard: okta_check, reconcile and detections
    * `runs`: metrics of runs in an Airflow elsewhere (see modules/alarms)
  TEXT
  type = object({
    sns_topic_arns     = list(string)
    tell               = optional(bool, true)
    jvm_memory_percent = optional(number)
    silent_minutes     = optional(number)
    behind_minutes     = optional(number)
    dag_ids            = optional(list(string), ["okta_system_log"])
    failing_dag_ids    = optional(list(string), ["okta_check", "okta_system_log_reconcile", "okta_detections", "okta_detections_after_load"])
    runs = optional(map(object({
      namespace      = string
      success_metric = optional(string)
      failure_metric = optional(string)
      delay_metric   = optional(string)
      dimensions     = map(string)
    })), {})
  })
  default = null
}
