variable "prefix" {
  description = "Beginning of every secret's name: connections are `PREFIX/connections/ID`, Airflow Variables `PREFIX/variables/NAME`. Give it to Airflow's secrets backend."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9/_.-]{0,99}$", var.prefix)) && !endswith(var.prefix, "/")
    error_message = "prefix takes letters, digits and / _ . -, without a slash at its end, such as airflow or oktalogger."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the secrets."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn takes the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias."
  }
}

variable "recovery_window_days" {
  description = "Days in which a deleted secret can be brought back; 0 deletes at once, which lets a test stack be made again under the same name."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.recovery_window_days == 0 || (var.recovery_window_days >= 7 && var.recovery_window_days <= 30)
    error_message = "recovery_window_days takes 7 to 30, or 0 for none."
  }
}

variable "tags" {
  description = "Tags for everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

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
    auth               = optional(string, "ssws")
    client_id          = optional(string)
    key_id             = optional(string)
    credential_version = optional(number, 0)
  }))
  nullable = false

  validation {
    condition     = length(var.okta_connections) > 0 && alltrue([for id in keys(var.okta_connections) : can(regex("^[A-Za-z0-9_.-]+$", id))])
    error_message = "okta_connections takes at least one org, by a connection id of letters, digits and _ . -, such as okta_default."
  }

  validation {
    condition     = alltrue([for org in var.okta_connections : can(regex("^https://[A-Za-z0-9.-]+$", org.org_url)) && !can(regex("-admin\\.", org.org_url))])
    error_message = "okta_connections: org_url takes an address such as https://company.okta.com: https, no path, and not that of the Admin Console (-admin)."
  }

  validation {
    condition     = alltrue([for org in var.okta_connections : contains(["ssws", "private_key_jwt"], org.auth)])
    error_message = "okta_connections: auth takes ssws or private_key_jwt."
  }

  validation {
    condition     = alltrue([for org in var.okta_connections : org.auth != "private_key_jwt" || try(length(org.client_id) > 0, false)])
    error_message = "okta_connections: private_key_jwt needs the service app's client_id."
  }

  validation {
    condition     = alltrue([for org in var.okta_connections : org.credential_version >= 0 && floor(org.credential_version) == org.credential_version])
    error_message = "okta_connections: credential_version takes 0 or a whole number that grows."
  }
}

variable "okta_credentials" {
  description = "API token or private key (PEM, or a JWK as JSON text) of each org, by the id of its connection. Written to Secrets Manager and nowhere else: neither plan nor state holds it."
  type        = map(string)
  default     = {}
  nullable    = false
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = alltrue([for id, org in var.okta_connections : org.credential_version == 0 || try(length(var.okta_credentials[id]) > 0, false)])
    error_message = "okta_credentials lacks the credential of a connection whose credential_version is 1 or more."
  }
}

variable "opensearch_conn_id" {
  description = "Id of the Airflow connection to OpenSearch. It holds no credential: workers sign with their own role."
  type        = string
  default     = "opensearch_default"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+$", var.opensearch_conn_id)) && !contains(keys(var.okta_connections), var.opensearch_conn_id)
    error_message = "opensearch_conn_id takes letters, digits and _ . -, and must not be the id of an Okta connection."
  }
}

# An object of its own: what needs the id alone does not wait for the domain, whose making takes a quarter of an hour.
variable "opensearch" {
  description = <<-TEXT
    Where OpenSearch is.
    * `host`: host name of the domain
    * `region`: region of the domain
    * `dashboards_url`: address of OpenSearch Dashboards, for links from Airflow; null for none
  TEXT
  type = object({
    host           = string
    region         = string
    dashboards_url = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[A-Za-z0-9.-]+$", var.opensearch.host))
    error_message = "opensearch.host takes a host name, without scheme, port and path."
  }
}

variable "security_documents" {
  description = "What the DAG okta_opensearch_setup applies, as JSON text; stored as the Airflow Variable `oktalogger_security`. No secret, but it has to reach Airflow the same way."
  type        = string

  validation {
    condition     = can(jsondecode(var.security_documents).roles) && can(jsondecode(var.security_documents).role_mappings)
    error_message = "security_documents takes JSON text with roles and role_mappings."
  }
}
