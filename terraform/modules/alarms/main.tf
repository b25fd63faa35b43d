# Alarms on the domain (thresholds as AWS recommends them for OpenSearch Service) and on the runs that fill it.

data "aws_caller_identity" "this" {}

locals {
  domain = {
    red = {
      metric      = "ClusterStatus.red"
      statistic   = "Maximum"
      comparison  = "GreaterThanOrEqualToThreshold"
      threshold   = 1
      period      = 60
      evaluations = 1
      description = "A primary shard has no home: some events cannot be searched, and loads of their month fail and retry."
    }
    yellow = {
      metric      = "ClusterStatus.yellow"
      statistic   = "Maximum"
      comparison  = "GreaterThanOrEqualToThreshold"
      threshold   = 1
      period      = 300
      evaluations = 6
      description = "A copy of some shard has had no home for half an hour: the next lost node may lose events from the index."
    }
    storage = {
      metric      = "FreeStorageSpace"
      statistic   = "Minimum"
      comparison  = "LessThanOrEqualToThreshold"
      threshold   = floor(var.volume_gib * 1024 / 4)
      period      = 300
      evaluations = 1
      description = "A data node has a quarter of its volume left or less. Grow volume_gib, or keep events for a shorter time."
    }
    writes-blocked = {
      metric      = "ClusterIndexWritesBlocked"
      statistic   = "Maximum"
      comparison  = "GreaterThanOrEqualToThreshold"
      threshold   = 1
      period      = 300
      evaluations = 1
      description = "The domain refuses writes, for want of storage or memory. Loads wait and lose nothing, but nothing new arrives."
    }
    jvm = {
      metric      = "JVMMemoryPressure"
      statistic   = "Maximum"
      comparison  = "GreaterThanOrEqualToThreshold"
      threshold   = var.jvm_memory_percent
      period      = 60
      evaluations = 3
      description = "A data node runs out of heap. Choose a larger instance_type, or search less at once."
    }
    key = {
      metric      = "KMSKeyInaccessible"
      statistic   = "Maximum"
      comparison  = "GreaterThanOrEqualToThreshold"
      threshold   = 1
      period      = 60
      evaluations = 1
      description = "The KMS key is disabled or gone. Bring it back within days, or the domain's data are lost."
    }
    snapshot = {
      metric      = "AutomatedSnapshotFailure"
      statistic   = "Maximum"
      comparison  = "GreaterThanOrEqualToThreshold"
      threshold   = 1
      period      = 300
      evaluations = 1
      description = "The hourly snapshot failed, often because the cluster was red: find out before it is needed."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "domain" {
  for_each = local.domain

  alarm_name          = "${var.name}-opensearch-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ES"
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.evaluations
  treat_missing_data  = "missing"
  alarm_actions       = var.sns_topic_arns
  ok_actions          = var.sns_topic_arns
  tags                = var.tags

  dimensions = {
    DomainName = var.domain_name
    ClientId   = data.aws_caller_identity.this.account_id
  }
}

# Counts successes, and takes silence for failure: a scheduler that is down reports nothing at all.
resource "aws_cloudwatch_metric_alarm" "silent" {
  for_each = { for id, run in var.runs : id => run if run.success_metric != null }

  alarm_name          = "${var.name}-${each.key}-silent"
  alarm_description   = "No run of ${each.key} has succeeded for ${var.silent_minutes} minutes. Nothing is lost: Okta keeps 90 days, and missed windows are caught up. Look at the newest run's log, and whether the DAG is paused."
  namespace           = each.value.namespace
  metric_name         = each.value.success_metric
  dimensions          = each.value.dimensions
  statistic           = "SampleCount"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 300
  evaluation_periods  = var.silent_minutes / 5
  treat_missing_data  = "breaching"
  alarm_actions       = var.sns_topic_arns
  ok_actions          = var.sns_topic_arns
  tags                = var.tags
}

# By its own name: while a backfill succeeds, "silent" hears nothing of scheduled runs that fail.
resource "aws_cloudwatch_metric_alarm" "failed" {
  for_each = { for id, run in var.runs : id => run if run.failure_metric != null }

  alarm_name          = "${var.name}-${each.key}-failed"
  alarm_description   = "A run of ${each.key} has failed after all its retries. Look at its log, then clear it: it goes on where it stopped, and stores nothing twice."
  namespace           = each.value.namespace
  metric_name         = each.value.failure_metric
  dimensions          = each.value.dimensions
  statistic           = "SampleCount"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.sns_topic_arns
  ok_actions          = var.sns_topic_arns
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "behind" {
  for_each = { for id, run in var.runs : id => run if run.delay_metric != null }

  alarm_name          = "${var.name}-${each.key}-behind"
  alarm_description   = "Runs of ${each.key} have started more than ${var.behind_minutes} minutes late for a quarter of an hour: windows come in faster than they are loaded, or an outage is being caught up."
  namespace           = each.value.namespace
  metric_name         = each.value.delay_metric
  dimensions          = each.value.dimensions
  statistic           = "Minimum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.behind_minutes * 60 * 1000
  period              = 300
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.sns_topic_arns
  ok_actions          = var.sns_topic_arns
  tags                = var.tags
}
