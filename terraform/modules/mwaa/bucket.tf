# Where Airflow's DAGs, plugins, requirements and startup script lie. Amazon MWAA wants it versioned and closed to the public.

resource "aws_s3_bucket" "this" {
  bucket_prefix = "${var.name}-mwaa-"
  force_destroy = false
  tags          = var.tags

  #checkov:skip=CKV_AWS_144:The bucket holds copies of what version control has; another region needs an environment of its own, not a copy of this.
  #checkov:skip=CKV2_AWS_62:Nothing waits for its objects but the environment, which asks by itself.
  #checkov:skip=CKV_AWS_18:access_log_bucket turns access logs on; they need a bucket that belongs to the account, not to this stack.
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_version_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_logging" "this" {
  count = var.access_log_bucket == null ? 0 : 1

  bucket        = aws_s3_bucket.this.id
  target_bucket = var.access_log_bucket
  target_prefix = "${var.name}-mwaa/"
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      # Everything, because it is a denial: what is left out of a list here would be allowed without TLS.
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Action    = "s3:*"
      Principal = "*"
      Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # Both change who may read the bucket: one after the other, or S3 answers 409.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

# --- what lies in it ---

locals {
  package       = var.package_folder == null ? [] : [var.package_folder]
  dag_files     = var.package_folder == null ? toset([]) : fileset("${var.package_folder}/dags", "**")
  own_startup   = var.package_folder == null ? false : fileexists("${var.package_folder}/startup.sh")
  shell_quoted  = { for name, value in var.environment_variables : name => "'${replace(value, "'", "'\\''")}'" }
  startup_lines = concat(["#!/bin/sh"], [for name, value in local.shell_quoted : "export ${name}=${value}"])
  startup       = "${join("\n", local.startup_lines)}\n${local.own_startup ? file("${var.package_folder}/startup.sh") : ""}"
}

resource "aws_s3_object" "dags" {
  for_each = local.dag_files

  bucket      = aws_s3_bucket.this.id
  key         = "dags/${each.key}"
  source      = "${var.package_folder}/dags/${each.key}"
  source_hash = filemd5("${var.package_folder}/dags/${each.key}")
  kms_key_id  = var.kms_key_arn
  tags        = var.tags

  depends_on = [aws_s3_bucket_versioning.this]
}

# A new version of one of the three below makes the environment update itself, which takes 20 to 30 minutes.
resource "aws_s3_object" "plugins" {
  count = length(local.package)

  bucket      = aws_s3_bucket.this.id
  key         = "plugins.zip"
  source      = "${var.package_folder}/plugins.zip"
  source_hash = filemd5("${var.package_folder}/plugins.zip")
  kms_key_id  = var.kms_key_arn
  tags        = var.tags

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_object" "requirements" {
  count = length(local.package)

  bucket      = aws_s3_bucket.this.id
  key         = "requirements.txt"
  source      = "${var.package_folder}/requirements.txt"
  source_hash = filemd5("${var.package_folder}/requirements.txt")
  kms_key_id  = var.kms_key_arn
  tags        = var.tags

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_object" "startup" {
  bucket       = aws_s3_bucket.this.id
  key          = "startup.sh"
  content      = local.startup
  content_type = "text/x-shellscript"
  source_hash  = md5(local.startup)
  kms_key_id   = var.kms_key_arn
  tags         = var.tags

  depends_on = [aws_s3_bucket_versioning.this]
}
