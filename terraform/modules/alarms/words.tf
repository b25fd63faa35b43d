# What the product itself says in its tasks' logs. Neither of the two fails a run, so no metric of Airflow shows them.

locals {
  words = {
    gap = {
      # tests/terraform/test_alarms.py looks that the product still says so.
      says        = "A gap:"
      description = "Reconcile found hours without a complete window in the ledger, and reads them now. Look at the task's log for which, and at why the load left them out."
    }
    rejected = {
      says        = "EVENTS WERE REFUSED BY OPENSEARCH"
      description = "OpenSearch refused events. None is lost: each is kept whole, with the reason, in the index of rejected events. Look there, and at whether Okta's or the index's fields have changed."
    }
  }

  heard = var.task_log_group == null ? {} : local.words
}

resource "aws_cloudwatch_log_metric_filter" "words" {
  for_each = local.heard

  name           = "${var.name}-${each.key}"
  log_group_name = var.task_log_group
  pattern        = "\"${each.value.says}\""

  metric_transformation {
    name      = "${var.name}-${each.key}"
    namespace = "oktalogger"
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "words" {
  for_each = local.heard

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "oktalogger"
  metric_name         = aws_cloudwatch_log_metric_filter.words[each.key].name
  statistic           = "Sum"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.sns_topic_arns
  ok_actions          = var.sns_topic_arns
  tags                = var.tags
}
