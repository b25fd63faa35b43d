variable "name" {
  description = "Beginning of the bucket's name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,27}$", var.name))
    error_message = "name takes 3 to 28 lower-case letters, digits and dashes, beginning with a letter."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the objects. Whoever deletes it deletes them."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn takes the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias."
  }
}

variable "object_lock" {
  description = <<-TEXT
    S3 Object Lock, which lets nobody delete or overwrite a version before its time; null for none. It can be turned on
    later, for what is written from then on, and never off.
    * `mode`: `governance` (an administrator can lift it, against the bucket's policy) or `compliance` (nobody can, AWS included)
    * `days`: how long, for each object
  TEXT
  type = object({
    mode = string
    days = number
  })
  default = null

  validation {
    condition     = var.object_lock == null ? true : contains(["governance", "compliance"], var.object_lock.mode)
    error_message = "object_lock.mode takes governance or compliance."
  }

  validation {
    condition     = var.object_lock == null ? true : var.object_lock.days >= 1 && var.object_lock.days <= 36500 && floor(var.object_lock.days) == var.object_lock.days
    error_message = "object_lock.days takes a whole number from 1 to 36500."
  }
}

variable "colder_after_days" {
  description = "Days after which objects move to Glacier Instant Retrieval, which is cheaper to keep and dearer to read."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.colder_after_days >= 0 && floor(var.colder_after_days) == var.colder_after_days
    error_message = "colder_after_days takes a whole number, 0 or more."
  }
}

variable "expire_after_days" {
  description = "Days after which S3 deletes objects; null keeps them for ever."
  type        = number
  default     = null

  validation {
    condition     = var.expire_after_days == null ? true : var.expire_after_days > var.colder_after_days && var.expire_after_days >= try(var.object_lock.days, 0)
    error_message = "expire_after_days must be more than colder_after_days, and not less than object_lock.days: what is locked cannot be deleted."
  }
}

variable "writer_roles" {
  description = "Names of the IAM roles that write, by a word of your choice, such as `{ airflow = \"oktalogger-mwaa-execution\" }`. A map, because the names may not be known before apply."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "access_log_bucket" {
  description = "Name of a bucket for the S3 access logs; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.access_log_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{2,62}$", var.access_log_bucket))
    error_message = "access_log_bucket takes the name of a bucket (not its ARN), or null."
  }
}

variable "tags" {
  description = "Tags for everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
