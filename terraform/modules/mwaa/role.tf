# The execution role: what Amazon MWAA itself needs, and, apart from it, what the pipeline needs.

resource "aws_iam_role" "execution" {
  name        = "${coalesce(var.role_prefix, var.name)}-mwaa-execution"
  description = "The Airflow environment ${var.name}: every DAG in it runs as this role."
  tags        = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Mwaa"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = ["airflow-env.amazonaws.com", "airflow.amazonaws.com"] }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "execution" {
  name = "airflow"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "AirflowMetrics"
        Effect   = "Allow"
        Action   = "airflow:PublishMetrics"
        Resource = local.environment_arn
      },
      {
        Sid    = "ReadOwnBucket"
        Effect = "Allow"
        # As Amazon MWAA's guide asks for, names ending in * included: it checks them before it makes the environment.
        Action   = ["s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetObject*", "s3:List*"]
        Resource = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
      },
      {
        Sid    = "WriteOwnLogs"
        Effect = "Allow"
        Action = [
          "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:GetLogEvents",
          "logs:GetLogRecord", "logs:GetLogGroupFields", "logs:GetQueryResults",
        ]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:airflow-${var.name}-*"
      },
      {
        # None of the three can be limited to a resource: see the list in tests/terraform.
        Sid      = "NoResourceToName"
        Effect   = "Allow"
        Action   = ["cloudwatch:PutMetricData", "logs:DescribeLogGroups", "s3:GetAccountPublicAccessBlock"]
        Resource = "*"
      },
      {
        # The queues are Amazon MWAA's, in an account of its own.
        Sid    = "CeleryQueues"
        Effect = "Allow"
        Action = [
          "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
          "sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:SendMessage",
        ]
        Resource = "arn:${local.partition}:sqs:${local.region}:*:airflow-celery-*"
      },
      {
        Sid      = "OwnKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"]
        Resource = var.kms_key_arn
        Condition = {
          StringEquals = { "kms:ViaService" = [for service in ["s3", "secretsmanager", "sqs"] : "${service}.${local.region}.amazonaws.com"] }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "pipeline" {
  name   = "oktalogger"
  role   = aws_iam_role.execution.id
  policy = var.pipeline_policy
}
