# What an Airflow needs to run the pipeline, wherever it runs: settings, an IAM policy, and the setup DAG's documents.

locals {
  settings = merge(
    local.channels,
    var.settings,
    local.notifiers,
    {
      OKTALOGGER_OKTA_CONN_IDS      = join(",", sort(keys(var.okta_connections)))
      OKTALOGGER_OPENSEARCH_CONN_ID = local.opensearch_conn_id
      OKTALOGGER_INDEX_PREFIX       = var.index_prefix
    },
    var.archive == null ? {} : { OKTALOGGER_ARCHIVE = module.archive[0].place },
  )

  # Metrics say that a run failed, and not why. So okta_check and reconcile tell the first topic what they found, in words.
  told_topic_arn = try(var.alarms.tell, false) ? var.alarms.sns_topic_arns[0] : null

  channels = local.told_topic_arn == null ? {} : {
    OKTALOGGER_RECONCILE_CHANNEL = "alarms"
    OKTALOGGER_CHECK_CHANNEL     = "alarms"
  }

  notifiers = local.told_topic_arn == null ? {} : {
    OKTALOGGER_DETECTION_NOTIFIERS = jsonencode(merge({
      alarms = {
        class       = "airflow.providers.amazon.aws.notifications.sns.SnsNotifier"
        aws_conn_id = null # the worker's own role
        region_name = split(":", local.told_topic_arn)[3]
        target_arn  = local.told_topic_arn
        subject     = "{{ alert.title }}"
        message     = "{{ alert.text }}"
      }
    }, jsondecode(lookup(var.settings, "OKTALOGGER_DETECTION_NOTIFIERS", "{}"))))
  }

  security_documents = {
    version         = 1
    domain_arn      = module.opensearch.arn
    master_role_arn = module.opensearch.master_role_arn
    roles           = module.opensearch.roles
    role_mappings   = module.opensearch.role_mappings
  }

  # The domain's policy asks for the address; without the same condition here, a role's own policy would be a way round it.
  ip_condition = length(local.ip_ranges) == 0 ? {} : { Condition = { IpAddress = { "aws:SourceIp" = sort(distinct(local.ip_ranges)) } } }

  pipeline_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        merge({
          Sid      = "OwnDomain"
          Effect   = "Allow"
          Action   = sort(distinct(concat(module.opensearch.http_actions.loader, module.opensearch.http_actions.sync)))
          Resource = "${module.opensearch.arn}/*"
        }, local.ip_condition),
        {
          Sid      = "OwnSecrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
          Resource = module.secrets.secret_arns
        },
        {
          Sid       = "DecryptOwnSecrets"
          Effect    = "Allow"
          Action    = "kms:Decrypt"
          Resource  = local.kms_key_arn
          Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
        },
      ],
      [for topic in local.told_topic_arn == null ? [] : [local.told_topic_arn] : {
        Sid      = "TellAlarms"
        Effect   = "Allow"
        Action   = "sns:Publish"
        Resource = topic
      }],
      [for role in var.setup_from_airflow ? [module.opensearch.master_role_arn] : [] : {
        Sid      = "SetUpOpenSearch"
        Effect   = "Allow"
        Action   = "sts:AssumeRole"
        Resource = role
      }],
    )
  })

  analyst_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge({
      Sid      = "ReadDomain"
      Effect   = "Allow"
      Action   = module.opensearch.http_actions.analyst
      Resource = "${module.opensearch.arn}/*"
    }, local.ip_condition)]
  })
}
