mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name           = "oktalogger"
  domain_name    = "oktalogger"
  volume_gib     = 20
  sns_topic_arns = ["arn:aws:sns:us-east-1:123456789012:alarms"]
}

run "all_alarms" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  variables {
    runs = {
      okta_system_log = {
        namespace      = "AmazonMWAA"
        success_metric = "DAGDurationSuccess"
        failure_metric = "DAGDurationFailed"
        delay_metric   = "DAGScheduleDelay"
        dimensions     = { Environment = "oktalogger", DAG = "okta_system_log" }
      }
    }
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.domain : alarm.alarm_actions == toset(var.sns_topic_arns) && alarm.ok_actions == toset(var.sns_topic_arns) && alarm.dimensions == tomap({ DomainName = "oktalogger", ClientId = "123456789012" })])
    error_message = "Every alarm on the domain is heard, its end too."
  }

  assert {
    condition     = { for key, alarm in aws_cloudwatch_metric_alarm.domain : key => "${alarm.metric_name} ${alarm.threshold}" if contains(["red", "storage", "jvm"], key) } == { red = "ClusterStatus.red 1", storage = "FreeStorageSpace 5120", jvm = "JVMMemoryPressure 95" }
    error_message = "Red, a quarter of the storage left (in MiB), and heap."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.silent["okta_system_log"].statistic == "SampleCount" && aws_cloudwatch_metric_alarm.silent["okta_system_log"].period * aws_cloudwatch_metric_alarm.silent["okta_system_log"].evaluation_periods == 900
    error_message = "A quarter of an hour without a success."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.silent["okta_system_log"].treat_missing_data == "breaching"
    error_message = "A scheduler that is down reports nothing: silence is what the alarm is for."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.failed["okta_system_log"].metric_name == "DAGDurationFailed" && aws_cloudwatch_metric_alarm.failed["okta_system_log"].statistic == "SampleCount" && aws_cloudwatch_metric_alarm.failed["okta_system_log"].treat_missing_data == "notBreaching"
    error_message = "One failed run is heard of, and a quiet time is no failure."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.behind["okta_system_log"].threshold == 600000 && aws_cloudwatch_metric_alarm.behind["okta_system_log"].metric_name == "DAGScheduleDelay"
    error_message = "Ten minutes late, in milliseconds."
  }
}

run "runs_without_a_metric_of_failures" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  variables {
    runs = {
      okta_system_log = {
        namespace      = "CWAgent"
        success_metric = "airflow_dagrun_duration_success_okta_system_log"
        delay_metric   = "airflow_dagrun_schedule_delay_okta_system_log"
        dimensions     = { metric_type = "timing" }
      }
    }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.failed) == 0 && length(aws_cloudwatch_metric_alarm.silent) == 1 && aws_cloudwatch_metric_alarm.behind["okta_system_log"].namespace == "CWAgent"
    error_message = "An Airflow elsewhere is watched by what it sends."
  }
}

run "what_the_product_says" {
  command = plan

  module {
    source = "./modules/alarms"
  }

  variables {
    task_log_group = "airflow-oktalogger-Task"

    runs = {
      okta_system_log_reconcile = {
        namespace      = "AmazonMWAA"
        failure_metric = "DAGDurationFailed"
        dimensions     = { Environment = "oktalogger", DAG = "okta_system_log_reconcile" }
      }
    }
  }

  assert {
    condition     = { for word, filter in aws_cloudwatch_log_metric_filter.words : word => [filter.pattern, filter.log_group_name] } == { gap = ["\"A gap:\"", "airflow-oktalogger-Task"], rejected = ["\"EVENTS WERE REFUSED BY OPENSEARCH\"", "airflow-oktalogger-Task"] }
    error_message = "Each word as a phrase, in the tasks' logs."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.words : alarm.treat_missing_data == "notBreaching" && alarm.alarm_actions == toset(var.sns_topic_arns) && alarm.threshold == 1])
    error_message = "Once is heard."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.silent) + length(aws_cloudwatch_metric_alarm.behind) == 0 && length(aws_cloudwatch_metric_alarm.failed) == 1
    error_message = "An hourly DAG is not silent between its runs."
  }
}
