# The domain may be the only copy of what Okta has deleted. A plan that would make it anew is refused, unless a variable
# names the domain that may go. Terraform's own prevent_destroy takes no variable, and a precondition cannot see what is
# there: so what the domain was made with is remembered here, in state.

locals {
  # All of it is known at plan. What is not would be compared too late: after the old domain is gone.
  made_with = {
    name   = var.name
    place  = "${local.region} in ${local.account}"
    access = var.access
    key    = coalesce(var.key_identity, var.kms_key_arn)
  }

  generation = tostring(length(var.replaced_domains))
}

resource "terraform_data" "made_with" {
  for_each = toset([for number in range(length(var.replaced_domains) + 1) : tostring(number)])

  input = local.made_with

  lifecycle {
    ignore_changes = [input]
  }
}

resource "terraform_data" "guard" {
  lifecycle {
    precondition {
      condition = terraform_data.made_with[local.generation].output == local.made_with
      error_message = join(" ", [
        "The domain would be made anew, and everything in it would be gone: it cannot change",
        join(" and ", [for what, value in local.made_with : "its ${what} from ${terraform_data.made_with[local.generation].output[what]} to ${value}" if terraform_data.made_with[local.generation].output[what] != value]),
        "in place. Take that back, or, if its events are somewhere else too, add \"${terraform_data.made_with[local.generation].output.name}\" to replaced_domains.",
      ])
    }

    precondition {
      condition     = alltrue([for number, name in var.replaced_domains : terraform_data.made_with[tostring(number)].output.name == name])
      error_message = "replaced_domains names other domains than those that were here: ${join(", ", [for number in range(length(var.replaced_domains)) : terraform_data.made_with[tostring(number)].output.name])}. Name the domain that may be made anew, after those that were named before."
    }
  }
}
