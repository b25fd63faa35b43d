output "alarm_arns" {
  description = "ARNs of the alarms, by name."
  value = {
    for alarm in concat(
      values(aws_cloudwatch_metric_alarm.domain),
      values(aws_cloudwatch_metric_alarm.silent),
      values(aws_cloudwatch_metric_alarm.failed),
      values(aws_cloudwatch_metric_alarm.behind),
      values(aws_cloudwatch_metric_alarm.words),
    ) : alarm.alarm_name => alarm.arn
  }
}
