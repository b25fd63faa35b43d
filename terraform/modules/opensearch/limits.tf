# What AWS allows, from limits.json: validations read it, so that a plan refuses what AWS would refuse half an hour later.

locals {
  limits = jsondecode(file("${path.module}/../../limits.json")).opensearch

  family = split(".", var.instance_type)[0]
  node   = lookup(local.limits.data_nodes.types, var.instance_type, null)

  # What a gp3 volume of this size has without further cost. AWS takes no less, and does not raise it by itself when a
  # volume grows, so it is always said.
  gp3                 = local.limits.gp3
  gp3_steps           = ceil(var.volume_gib / local.gp3.step_gib)
  included_iops       = max(local.gp3.included_iops, min(local.gp3.included_iops_most, local.gp3.included_iops_per_gib * var.volume_gib))
  included_throughput = var.volume_gib < local.gp3.small_below_gib ? local.gp3.included_throughput_small_mib : min(local.gp3.included_throughput_most_mib, local.gp3.included_throughput_mib * ceil(var.volume_gib / local.gp3.included_throughput_step_gib))

  iops       = coalesce(var.volume_iops, local.included_iops)
  throughput = coalesce(var.volume_throughput_mib, local.included_throughput)

  # The least of what gp3, the volume's size and the instance allow.
  most_iops = max(local.included_iops, min(
    local.gp3.iops_per_step * local.gp3_steps,
    local.gp3.most_iops_per_gib * var.volume_gib,
    try(local.node.max_iops, local.gp3.iops_per_step * local.gp3_steps),
  ))
  most_throughput = max(local.included_throughput, min(
    local.gp3.throughput_mib_per_step * local.gp3_steps,
    floor(local.gp3.most_throughput_mib_per_iops * local.iops),
    try(local.node.max_throughput_mib, local.gp3.throughput_mib_per_step * local.gp3_steps),
  ))
  offered = join(", ", local.limits.engine_versions.offered)
}
