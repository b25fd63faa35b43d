variable "name" {
  description = "Beginning of every alarm's name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,27}$", var.name))
    error_message = "name takes 3 to 28 lower-case letters, digits and dashes, beginning with a letter."
  }
}

variable "sns_topic_arns" {
  description = "SNS topics that hear of an alarm, and of its end. Where a topic is encrypted, its key's policy must let cloudwatch.amazonaws.com use it."
  type        = list(string)

  validation {
    condition     = length(var.sns_topic_arns) > 0 && alltrue([for arn in var.sns_topic_arns : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[^*]+$", arn))])
    error_message = "sns_topic_arns takes at least one ARN of an SNS topic: an alarm that nobody hears is none."
  }
}

variable "domain_name" {
  description = "Name of the OpenSearch domain."
  type        = string
}

variable "volume_gib" {
  description = "Size of each data node's volume in GiB: the alarm on storage goes off at a quarter of it."
  type        = number
}

variable "jvm_memory_percent" {
  description = "Share of the JVM's heap in use, in percent, from which on the alarm on memory goes off."
  type        = number
  default     = 95
  nullable    = false

  validation {
    condition     = var.jvm_memory_percent >= 50 && var.jvm_memory_percent <= 99
    error_message = "jvm_memory_percent takes 50 to 99."
  }
}

variable "silent_minutes" {
  description = "Minutes without a successful run of a DAG from which on its alarm goes off."
  type        = number
  default     = 15
  nullable    = false

  validation {
    condition     = var.silent_minutes >= 10 && var.silent_minutes <= 1440 && var.silent_minutes % 5 == 0
    error_message = "silent_minutes takes a multiple of 5 from 10 to 1440: runs are five minutes apart."
  }
}

variable "behind_minutes" {
  description = "Minutes by which runs start late from which on the alarm that loading is behind goes off."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.behind_minutes >= 1 && var.behind_minutes <= 1440
    error_message = "behind_minutes takes 1 to 1440."
  }
}

variable "runs" {
  description = <<-TEXT
    The DAGs whose runs are watched, by DAG id, and where CloudWatch has their metrics. For an Airflow that sends StatsD
    through the CloudWatch agent: the agent's namespace and the names that it makes of Airflow's
    `dagrun.duration.success.DAG`, `dagrun.duration.failed.DAG` and `dagrun.schedule_delay.DAG`, all in milliseconds.
    * `namespace`: AmazonMWAA for Amazon MWAA
    * `success_metric`: has a data point whenever a run succeeds; DAGDurationSuccess for Amazon MWAA; null for no such alarm,
      which is for DAGs that run less often than every five minutes
    * `failure_metric`: has a data point whenever a run fails; DAGDurationFailed for Amazon MWAA; null for no such alarm
    * `delay_metric`: by how many milliseconds a run started late; DAGScheduleDelay for Amazon MWAA; null for
      no such alarm
    * `dimensions`: Environment and DAG for Amazon MWAA
  TEXT
  type = map(object({
    namespace      = string
    success_metric = optional(string)
    failure_metric = optional(string)
    delay_metric   = optional(string)
    dimensions     = map(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for id in keys(var.runs) : can(regex("^[A-Za-z0-9_.-]+$", id))])
    error_message = "runs takes DAG ids as keys: letters, digits and _ . -."
  }
}

variable "task_log_group" {
  description = "Name of the CloudWatch log group with the tasks' logs, in which the words of the product are looked for; null for none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for everything that takes tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
