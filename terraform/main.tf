# The whole stack: network, domain, secrets, and, if wanted, Amazon MWAA and alarms.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.id

  # IAM is the same in all regions, so a second stack of this name in another region needs names of its own.
  role_prefix = var.role_names_with_region ? "${var.name}-${local.region}" : var.name

  with_mwaa   = var.mwaa != null
  in_vpc      = var.domain.access != "public"
  make_vpc    = var.existing_vpc == null && (local.in_vpc || local.with_mwaa)
  vpc_id      = one(concat(module.network[*].vpc_id, var.existing_vpc[*].vpc_id))
  subnet_ids  = one(concat(module.network[*].private_subnet_ids, var.existing_vpc[*].private_subnet_ids))
  kms_key_arn = one(concat(aws_kms_key.this[*].arn, var.kms_key_arn[*]))

  # Our own environment reaches a public domain through its VPC's NAT gateways.
  nat_addresses = local.make_vpc ? one(module.network[*].nat_public_ips) : try(coalesce(var.existing_vpc.nat_public_ips, []), [])
  own_addresses = local.with_mwaa && !local.in_vpc ? [for address in local.nat_addresses : "${address}/32"] : []
  named_ranges  = coalesce(var.domain.allowed_ip_ranges, [])
  ip_ranges     = length(local.named_ranges) == 0 ? [] : concat(local.named_ranges, local.own_addresses)

  opensearch_conn_id = "opensearch_default"

  # By [0], not by [*]: that would wait for the whole environment, which waits for what this is needed for.
  pipeline_arns = concat(var.airflow_role_arns, local.with_mwaa ? [module.mwaa[0].execution_role_arn] : [])
}

module "network" {
  source = "./modules/network"
  count  = local.make_vpc ? 1 : 0

  name               = var.name
  role_prefix        = local.role_prefix
  cidr_block         = var.network.cidr_block
  zone_count         = max(2, coalesce(var.domain.zone_count, 2))
  nat_gateways       = try(coalesce(var.network.nat_gateways, local.with_mwaa ? null : "none"), null)
  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.network.log_retention_days
  tags               = var.tags
}

module "opensearch" {
  source = "./modules/opensearch"

  name         = var.name
  role_prefix  = local.role_prefix
  index_prefix = var.index_prefix
  kms_key_arn  = local.kms_key_arn
  tags         = var.tags

  # Known before the stack's own key is made, so that a plan can tell whether the key changes.
  key_identity     = coalesce(var.kms_key_arn, "the stack's own")
  replaced_domains = var.domain.replaced_domains

  engine_version             = var.domain.engine_version
  accept_unlisted            = var.domain.accept_unlisted
  instance_type              = var.domain.instance_type
  instance_count             = var.domain.instance_count
  zone_count                 = var.domain.zone_count
  dedicated_master_type      = var.domain.dedicated_master_type
  dedicated_master_count     = var.domain.dedicated_master_count
  volume_gib                 = var.domain.volume_gib
  volume_iops                = var.domain.volume_iops
  volume_throughput_mib      = var.domain.volume_throughput_mib
  off_peak_start_hour        = var.domain.off_peak_start_hour
  automatic_software_updates = var.domain.automatic_software_updates
  log_retention_days         = var.domain.log_retention_days
  create_log_resource_policy = var.domain.create_log_resource_policy
  create_service_linked_role = var.domain.create_service_linked_role
  saml                       = var.domain.saml
  cognito                    = var.domain.cognito

  access             = var.domain.access
  vpc_id             = local.in_vpc ? local.vpc_id : null
  subnet_ids         = local.in_vpc ? local.subnet_ids : null
  client_cidr_blocks = var.domain.client_cidr_blocks
  allowed_ip_ranges  = local.ip_ranges
  client_security_group_ids = merge(
    coalesce(var.domain.client_security_group_ids, {}),
    local.in_vpc && local.with_mwaa ? { mwaa = module.mwaa[0].security_group_id } : {},
  )

  loader_arns         = local.pipeline_arns
  sync_arns           = local.pipeline_arns
  analyst_arns        = var.analyst_arns
  analyst_saml_groups = var.domain.analyst_saml_groups

  # With nobody named, the account's administrators decide, and the policy below is their word on Airflow's role.
  master_trusted_arns = length(var.master_trusted_arns) == 0 ? [] : concat(var.master_trusted_arns, var.setup_from_airflow ? local.pipeline_arns : [])
}

module "secrets" {
  source = "./modules/secrets"

  prefix               = coalesce(var.secrets.prefix, var.name)
  kms_key_arn          = local.kms_key_arn
  recovery_window_days = var.secrets.recovery_window_days
  okta_connections     = var.okta_connections
  okta_credentials     = var.okta_credentials
  security_documents   = jsonencode(local.security_documents)
  opensearch_conn_id   = local.opensearch_conn_id
  tags                 = var.tags

  opensearch = {
    host           = module.opensearch.endpoint
    region         = local.region
    dashboards_url = module.opensearch.dashboards_url
  }
}

module "mwaa" {
  source = "./modules/mwaa"
  count  = local.with_mwaa ? 1 : 0

  name        = var.name
  role_prefix = local.role_prefix
  kms_key_arn = local.kms_key_arn
  vpc_id      = local.vpc_id
  subnet_ids  = slice(local.subnet_ids, 0, 2)
  tags        = var.tags

  airflow_version          = var.mwaa.airflow_version
  accept_unlisted          = var.mwaa.accept_unlisted
  environment_class        = var.mwaa.environment_class
  min_workers              = var.mwaa.min_workers
  max_workers              = var.mwaa.max_workers
  schedulers               = var.mwaa.schedulers
  webserver_access         = var.mwaa.webserver_access
  package_folder           = var.mwaa.package_folder
  configuration_options    = var.mwaa.configuration_options
  environment_variables    = merge(var.mwaa.environment_variables, local.settings)
  egress_ports             = var.mwaa.egress_ports
  log_level                = var.mwaa.log_level
  log_retention_days       = var.mwaa.log_retention_days
  access_log_bucket        = var.mwaa.access_log_bucket
  noncurrent_version_days  = var.mwaa.noncurrent_version_days
  maintenance_window_start = var.mwaa.maintenance_window_start

  secrets_backend_kwargs = module.secrets.backend_kwargs
  pipeline_policy        = local.pipeline_policy
}

module "archive" {
  source = "./modules/archive"
  count  = var.archive == null ? 0 : 1

  name              = var.name
  kms_key_arn       = local.kms_key_arn
  object_lock       = var.archive.object_lock
  colder_after_days = var.archive.colder_after_days
  expire_after_days = var.archive.expire_after_days
  access_log_bucket = var.archive.access_log_bucket
  writer_roles      = local.with_mwaa ? { airflow = module.mwaa[0].execution_role_name } : {}
  tags              = var.tags
}

module "alarms" {
  source = "./modules/alarms"
  count  = var.alarms == null ? 0 : 1

  name               = var.name
  sns_topic_arns     = var.alarms.sns_topic_arns
  domain_name        = module.opensearch.name
  volume_gib         = module.opensearch.volume_gib
  jvm_memory_percent = var.alarms.jvm_memory_percent
  silent_minutes     = var.alarms.silent_minutes
  behind_minutes     = var.alarms.behind_minutes
  tags               = var.tags

  task_log_group = local.with_mwaa ? module.mwaa[0].log_group_names["Task"] : null

  runs = merge(var.alarms.runs, {
    for id in local.with_mwaa ? var.alarms.failing_dag_ids : [] : id => {
      namespace      = "AmazonMWAA"
      success_metric = null
      failure_metric = "DAGDurationFailed"
      delay_metric   = null
      dimensions     = { Environment = var.name, DAG = id }
    }
    }, {
    for id in local.with_mwaa ? var.alarms.dag_ids : [] : id => {
      namespace      = "AmazonMWAA"
      success_metric = "DAGDurationSuccess"
      failure_metric = "DAGDurationFailed"
      delay_metric   = "DAGScheduleDelay"
      dimensions     = { Environment = var.name, DAG = id }
    }
  })
}
