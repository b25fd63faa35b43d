# Two environments by name and two by region in one account of moto. As in stack.tftest.hcl, what moto cannot do is
# overridden, in each of the three.

override_resource {
  target = module.virginia.module.opensearch.aws_opensearch_domain.this
  values = { endpoint = "vpc-twice-abc.us-east-1.es.amazonaws.com" }
}

override_resource {
  target = module.virginia.module.mwaa[0].aws_mwaa_environment.this
  values = {
    arn           = "arn:aws:airflow:us-east-1:123456789012:environment/twice"
    webserver_url = "twice.c1.us-east-1.airflow.amazonaws.com"
  }
}

override_resource {
  target = module.virginia.module.mwaa[0].aws_s3_bucket_policy.this
}

override_resource {
  target = module.virginia.module.mwaa[0].aws_s3_bucket_lifecycle_configuration.this
}

override_resource {
  target = module.virginia.module.mwaa[0].aws_vpc_security_group_ingress_rule.itself
}

override_resource {
  target = module.virginia.module.mwaa[0].aws_vpc_security_group_egress_rule.itself
}

override_resource {
  target = module.virginia.module.opensearch.aws_vpc_security_group_ingress_rule.group
}

override_resource {
  target = module.frankfurt.module.opensearch.aws_opensearch_domain.this
  values = { endpoint = "vpc-twice-abc.eu-central-1.es.amazonaws.com" }
}

override_resource {
  target = module.frankfurt.module.mwaa[0].aws_mwaa_environment.this
  values = {
    arn           = "arn:aws:airflow:eu-central-1:123456789012:environment/twice"
    webserver_url = "twice.c1.eu-central-1.airflow.amazonaws.com"
  }
}

override_resource {
  target = module.frankfurt.module.mwaa[0].aws_s3_bucket_policy.this
}

override_resource {
  target = module.frankfurt.module.mwaa[0].aws_s3_bucket_lifecycle_configuration.this
}

override_resource {
  target = module.frankfurt.module.mwaa[0].aws_vpc_security_group_ingress_rule.itself
}

override_resource {
  target = module.frankfurt.module.mwaa[0].aws_vpc_security_group_egress_rule.itself
}

override_resource {
  target = module.frankfurt.module.opensearch.aws_vpc_security_group_ingress_rule.group
}

override_resource {
  target = module.staging.module.opensearch.aws_opensearch_domain.this
  values = { endpoint = "vpc-twice-staging-abc.us-east-1.es.amazonaws.com" }
}

override_resource {
  target = module.staging.module.mwaa[0].aws_mwaa_environment.this
  values = {
    arn           = "arn:aws:airflow:us-east-1:123456789012:environment/twice-staging"
    webserver_url = "twice-staging.c1.us-east-1.airflow.amazonaws.com"
  }
}

override_resource {
  target = module.staging.module.mwaa[0].aws_s3_bucket_policy.this
}

override_resource {
  target = module.staging.module.mwaa[0].aws_s3_bucket_lifecycle_configuration.this
}

override_resource {
  target = module.staging.module.mwaa[0].aws_vpc_security_group_ingress_rule.itself
}

override_resource {
  target = module.staging.module.mwaa[0].aws_vpc_security_group_egress_rule.itself
}

override_resource {
  target = module.staging.module.opensearch.aws_vpc_security_group_ingress_rule.group
}

run "three_stacks" {
  module {
    source = "./tests/fixtures/two"
  }

  assert {
    condition     = length(distinct(output.roles)) == 6
    error_message = "Each has roles of its own."
  }
}

run "three_stacks_again" {
  command = plan

  module {
    source = "./tests/fixtures/two"
  }
}
