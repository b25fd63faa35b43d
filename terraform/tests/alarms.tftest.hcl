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
    condition     = aws_cloudwatch_metric_alarm.behind["okta_system_log"].threshold == 600000 && aws_cloudwatch_metric_alarm.behind["okta_system_log"].metric_name == "DAGScheduleDelay"
    error_message = "Ten minutes late, in milliseconds."
  }
}
