variable "name" {
  description = "Name of the environment, and beginning of every other name."
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

variable "kms_key_arn" {
  description = "KMS key of the environment, its bucket and its logs. Its policy must let CloudWatch Logs use it. It cannot be changed later."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn takes the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias."
  }
}

variable "tags" {
  description = "Tags for everything that takes tags: ten at most with the provider's `default_tags`, because the objects in the bucket have them too."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(merge(data.aws_default_tags.this.tags, var.tags)) <= local.most_object_tags
    error_message = "tags and the provider's default_tags are more than ${local.most_object_tags} together. S3 allows no more on an object, and the DAGs in the environment's bucket have them too: choose ten."
  }
}

# --- network ---

variable "vpc_id" {
  description = "Id of the VPC."
  type        = string

  validation {
    condition     = can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id takes the id of a VPC (vpc-...)."
  }
}

variable "subnet_ids" {
  description = "Ids of two private subnets in two zones, with a way out to the internet (Okta's API is public). They cannot be changed later."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) == 2
    error_message = "subnet_ids takes exactly two different subnets: Amazon MWAA wants two zones, no fewer and no more."
  }
}

variable "egress_ports" {
  description = "TCP ports to which the environment may open connections. Okta, OpenSearch and AWS need 443 only; add what other DAGs need."
  type        = list(number)
  default     = [443]
  nullable    = false

  validation {
    condition     = contains(var.egress_ports, 443) && alltrue([for port in var.egress_ports : port >= 1 && port <= 65535])
    error_message = "egress_ports takes ports from 1 to 65535, and 443 must be among them: without it neither Okta nor AWS can be reached."
  }
}

variable "webserver_access" {
  description = "`public`: Airflow's web page is reached over the internet, after a login by IAM. `private`: from inside the VPC only."
  type        = string
  default     = "public"
  nullable    = false

  validation {
    condition     = contains(["public", "private"], var.webserver_access)
    error_message = "webserver_access takes public or private."
  }
}

# --- size ---

variable "airflow_version" {
  description = "Version of Airflow: 2.11.0 or newer, and one that Amazon MWAA has an image of. It can go up within a major version, never down."
  type        = string
  default     = "3.3.1"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.airflow_version))
    error_message = "airflow_version takes three numbers, such as 2.11.2 or 3.3.1."
  }

  validation {
    condition     = can(regex("^(2\\.1[1-9]\\.|[3-9]\\.)", var.airflow_version)) || !can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.airflow_version))
    error_message = "airflow_version is older than 2.11.0, the oldest that oktalogger runs on. Choose 2.11.2 or 3.3.1."
  }

  validation {
    condition     = var.accept_unlisted || !can(regex("^(2\\.1[1-9]|[3-9]\\.[0-9]+)\\.[0-9]+$", var.airflow_version)) || contains(local.limits.airflow_versions.offered, var.airflow_version)
    error_message = "airflow_version is not among those that Amazon MWAA had an image of when limits.json was last read: ${local.offered}. Choose one of them, or set accept_unlisted if AWS offers it now."
  }
}

variable "accept_unlisted" {
  description = "Whether to take a version of Airflow that `limits.json` does not know, because AWS offers it since."
  type        = bool
  default     = false
  nullable    = false
}

variable "environment_class" {
  description = "Size of the environment."
  type        = string
  default     = "mw1.small"
  nullable    = false

  validation {
    condition     = contains(keys(local.limits.classes.sizes), var.environment_class)
    error_message = "environment_class takes mw1.micro, mw1.small, mw1.medium, mw1.large, mw1.xlarge or mw1.2xlarge."
  }
}

variable "min_workers" {
  description = "Workers that always run."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.min_workers >= local.size.workers[0] && var.min_workers <= local.size.workers[1]
    error_message = "min_workers takes ${local.size.workers[0]} to ${local.size.workers[1]} with ${var.environment_class}. Choose within, or another environment_class: mw1.micro has one worker, in one container with its scheduler."
  }
}

variable "max_workers" {
  description = "Workers at most, as many as backfills make the environment start; null for 2, or 1 for mw1.micro, which cannot scale."
  type        = number
  default     = null

  validation {
    condition     = var.max_workers == null ? true : var.max_workers >= var.min_workers
    error_message = "max_workers must not be less than min_workers."
  }

  validation {
    condition     = var.max_workers == null ? true : var.max_workers <= local.size.workers[1]
    error_message = "max_workers takes up to ${local.size.workers[1]} with ${var.environment_class}. Choose within, or another environment_class: mw1.micro has one worker, in one container with its scheduler."
  }
}

variable "schedulers" {
  description = "Number of schedulers; null for Amazon MWAA's default (2, or 1 for mw1.micro)."
  type        = number
  default     = null

  validation {
    condition     = var.schedulers == null ? true : var.schedulers >= local.size.schedulers[0] && var.schedulers <= local.size.schedulers[1]
    error_message = "schedulers takes ${local.size.schedulers[0]} to ${local.size.schedulers[1]} with ${var.environment_class}, or null for what Amazon MWAA chooses."
  }
}

variable "maintenance_window_start" {
  description = "When the two-hour window of Amazon MWAA's weekly maintenance begins, in UTC, such as SUN:03:30."
  type        = string
  default     = "SUN:03:30"
  nullable    = false

  validation {
    condition     = can(regex("^(MON|TUE|WED|THU|FRI|SAT|SUN):([01][0-9]|2[0-3]):(00|30)$", var.maintenance_window_start))
    error_message = "maintenance_window_start takes a day and a half hour, such as SUN:03:30."
  }
}

# --- what runs there ---

variable "package_folder" {
  description = "Folder that `make mwaa-package` made, with `dags/`, `plugins.zip`, `requirements.txt` and perhaps `startup.sh`; null makes an environment without oktalogger on it. Plugins and requirements that something else gave to the environment would go with the next apply."
  type        = string
  default     = null

  validation {
    condition     = var.package_folder == null ? true : fileexists("${var.package_folder}/requirements.txt") && fileexists("${var.package_folder}/plugins.zip")
    error_message = "package_folder has no requirements.txt or no plugins.zip in it: run make mwaa-package first, and name the folder that it made."
  }
}

variable "environment_variables" {
  description = "Environment variables for Airflow, such as OKTALOGGER_OKTA_CONN_IDS; the startup script exports them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.environment_variables) : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !can(regex("^(MWAA__|AWS_|AIRFLOW_HOME$|AIRFLOW_VERSION$|PYTHONPATH$|PATH$)", name))])
    error_message = "environment_variables takes names of capitals, digits and _; MWAA__*, AWS_*, AIRFLOW_HOME, AIRFLOW_VERSION, PYTHONPATH and PATH belong to Amazon MWAA."
  }
}

variable "configuration_options" {
  description = "Airflow configuration options, such as \"core.parallelism\" = \"16\". They come on top of the secrets backend that is set here."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.configuration_options) : can(regex("^[a-z_]+\\.[a-z0-9_]+$", name))])
    error_message = "configuration_options takes names of a section and an option, such as core.parallelism."
  }

  validation {
    condition     = !anytrue([for name in keys(var.configuration_options) : startswith(name, "secrets.")])
    error_message = "configuration_options must not set secrets.*: the module wires the secrets backend."
  }
}

variable "secrets_backend_kwargs" {
  description = "`[secrets] backend_kwargs` as JSON text: the output `backend_kwargs` of the module secrets."
  type        = string

  validation {
    condition     = can(jsondecode(var.secrets_backend_kwargs).connections_prefix)
    error_message = "secrets_backend_kwargs takes JSON text with at least connections_prefix."
  }
}

variable "pipeline_policy" {
  description = "IAM policy, as JSON text, that lets the pipeline reach its own domain, secrets and key; attached to the execution role."
  type        = string

  validation {
    condition     = can(jsondecode(var.pipeline_policy).Statement)
    error_message = "pipeline_policy takes an IAM policy as JSON text."
  }
}

# --- logs and bucket ---

variable "log_level" {
  description = "Least severity that CloudWatch gets of each of Airflow's logs."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"], var.log_level)
    error_message = "log_level takes CRITICAL, ERROR, WARNING, INFO or DEBUG."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps Airflow's logs."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days takes a value that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}

variable "access_log_bucket" {
  description = "Name of a bucket for the S3 access logs of the environment's bucket; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.access_log_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{2,62}$", var.access_log_bucket))
    error_message = "access_log_bucket takes the name of a bucket (not its ARN), or null."
  }
}

variable "noncurrent_version_days" {
  description = "Days that the bucket keeps older versions of its objects. The environment names one version of each, so keep them longer than you might want to go back."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.noncurrent_version_days >= 7
    error_message = "noncurrent_version_days takes 7 or more."
  }
}
