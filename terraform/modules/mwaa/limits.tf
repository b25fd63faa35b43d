# What AWS allows, from limits.json: validations read it, so that a plan refuses what AWS would refuse half an hour later.

data "aws_default_tags" "this" {}

locals {
  all_limits       = jsondecode(file("${path.module}/../../limits.json"))
  limits           = local.all_limits.mwaa
  most_object_tags = local.all_limits.s3.object_tags.most
  size             = lookup(local.limits.classes.sizes, var.environment_class, { workers = [1, 25], schedulers = [1, 5] })
  offered          = join(", ", local.limits.airflow_versions.offered)
}
