# The domain is not made anew by accident. The runs share one state, as the applies of one stack do.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name         = "oktalogger"
  kms_key_arn  = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  key_identity = "the stack's own"
  vpc_id       = "vpc-0123456789abcdef0"
  subnet_ids   = ["subnet-a", "subnet-b", "subnet-c"]
}

run "first_apply" {
  module {
    source = "./modules/opensearch"
  }
}

run "what_can_change_in_place" {
  module {
    source = "./modules/opensearch"
  }

  variables {
    engine_version = "3.1"
    instance_count = 4
    volume_gib     = 100
    volume_iops    = 4000
  }

  assert {
    condition     = keys(terraform_data.made_with) == ["0"]
    error_message = "It is the same domain."
  }
}

run "another_name_is_refused" {
  command         = plan
  expect_failures = [terraform_data.guard]

  module {
    source = "./modules/opensearch"
  }

  variables {
    name = "other"
  }
}

run "another_access_is_refused" {
  command         = plan
  expect_failures = [terraform_data.guard]

  module {
    source = "./modules/opensearch"
  }

  variables {
    access = "public"
  }
}

run "another_key_is_refused" {
  command         = plan
  expect_failures = [terraform_data.guard]

  module {
    source = "./modules/opensearch"
  }

  variables {
    kms_key_arn  = "arn:aws:kms:us-east-1:123456789012:key/11111111-1111-1111-1111-111111111111"
    key_identity = "arn:aws:kms:us-east-1:123456789012:key/11111111-1111-1111-1111-111111111111"
  }
}

run "another_region_is_refused" {
  command         = plan
  expect_failures = [terraform_data.guard]

  module {
    source = "./modules/opensearch"
  }

  override_data {
    target = data.aws_region.this
    values = { id = "eu-central-1", name = "eu-central-1" }
  }
}

run "the_name_of_another_domain_does_not_help" {
  command         = plan
  expect_failures = [terraform_data.guard]

  module {
    source = "./modules/opensearch"
  }

  variables {
    name             = "other"
    replaced_domains = ["other"]
  }
}

run "a_named_domain_may_go" {
  module {
    source = "./modules/opensearch"
  }

  variables {
    name             = "other"
    replaced_domains = ["oktalogger"]
  }

  assert {
    condition     = aws_opensearch_domain.this.domain_name == "other" && terraform_data.made_with["1"].output.name == "other"
    error_message = "The new domain is remembered."
  }
}

run "the_new_one_is_guarded_too" {
  command         = plan
  expect_failures = [terraform_data.guard]

  module {
    source = "./modules/opensearch"
  }

  variables {
    name             = "other"
    access           = "public"
    replaced_domains = ["oktalogger"]
  }
}

run "a_name_stays_in" {
  command = plan

  module {
    source = "./modules/opensearch"
  }

  variables {
    name             = "other"
    replaced_domains = ["oktalogger"]
  }
}
