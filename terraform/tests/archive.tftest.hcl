mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name        = "oktalogger"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
}

run "defaults" {
  module {
    source = "./modules/archive"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled" && !aws_s3_bucket.this.force_destroy && aws_s3_bucket_public_access_block.this.restrict_public_buckets && one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    error_message = "Versioned, closed, encrypted with our key, and not thrown away."
  }

  assert {
    condition = { for statement in jsondecode(aws_s3_bucket_policy.this.policy).Statement : statement.Sid => [statement.Effect, statement.Principal, statement.Action] } == {
      OnlyOverTls  = ["Deny", "*", "s3:*"]
      NoDeletes    = ["Deny", "*", ["s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention"]]
      NoOverwrites = ["Deny", "*", "s3:PutObject"]
    }
    error_message = "Nobody deletes or overwrites, and nobody asks without TLS."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement[2].Condition == {
      Null = { "s3:if-none-match" = "true" }
      Bool = { "s3:ObjectCreationOperation" = "true" }
    }
    error_message = "Only what would make an object without looking whether its name is taken is refused."
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.this) == 0 && length(one(aws_s3_bucket_lifecycle_configuration.this.rule).expiration) == 0 && length(aws_iam_role_policy.writer) == 0
    error_message = "No lock, nothing goes, nobody writes."
  }

  assert {
    condition     = toset(flatten([for statement in jsondecode(output.writer_policy).Statement : statement.Action])) == toset(["kms:Decrypt", "kms:GenerateDataKey", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:ListBucketVersions", "s3:PutObject"])
    error_message = "The writer writes and reads."
  }
}

run "locked" {
  module {
    source = "./modules/archive"
  }

  variables {
    object_lock       = { mode = "compliance", days = 731 }
    expire_after_days = 1096
    writer_roles      = { airflow = "oktalogger-mwaa-execution" }
    access_log_bucket = "access-logs"
  }

  assert {
    condition     = aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].mode == "COMPLIANCE" && aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].days == 731
    error_message = "Two years, for everybody."
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.this.rule).expiration[0].days == 1096 && one(aws_s3_bucket_lifecycle_configuration.this.rule).noncurrent_version_expiration[0].noncurrent_days == 1096
    error_message = "Old versions go with the young ones."
  }

  assert {
    condition     = aws_iam_role_policy.writer["airflow"].role == "oktalogger-mwaa-execution" && aws_s3_bucket_logging.this[0].target_bucket == "access-logs"
    error_message = "Airflow's role writes, and access is logged."
  }
}
