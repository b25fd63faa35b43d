# What an Airflow needs to run the pipeline, wherever it runs: settings, an IAM policy, and the setup DAG's documents.

locals {
  settings = merge(var.settings, {
    OKTALOGGER_OKTA_CONN_IDS      = join(",", sort(keys(var.okta_connections)))
    OKTALOGGER_OPENSEARCH_CONN_ID = local.opensearch_conn_id
    OKTALOGGER_INDEX_PREFIX       = var.index_prefix
  })

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
