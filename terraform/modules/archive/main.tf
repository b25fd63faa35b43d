# A bucket for evidence: what is written stays as it was written, for as long as it is asked to.

resource "aws_s3_bucket" "this" {
  bucket_prefix = "${var.name}-archive-"
  force_destroy = false
  tags          = var.tags

  #checkov:skip=CKV_AWS_144:A copy in another region is the user's to decide: it doubles the cost, and S3 keeps three zones already.
  #checkov:skip=CKV2_AWS_62:Nothing waits for its objects.
  #checkov:skip=CKV_AWS_18:access_log_bucket turns access logs on; they need a bucket that belongs to the account, not to this stack.
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

# Not by the bucket's object_lock_enabled, which would make the bucket anew when a lock is wanted later.
resource "aws_s3_bucket_object_lock_configuration" "this" {
  count = var.object_lock == null ? 0 : 1

  bucket = aws_s3_bucket.this.id

  rule {
    default_retention {
      mode = upper(var.object_lock.mode)
      days = var.object_lock.days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
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
    id     = "colder-with-age"
    status = "Enabled"

    filter {}

    transition {
      days          = var.colder_after_days
      storage_class = "GLACIER_IR"
    }

    dynamic "expiration" {
      for_each = var.expire_after_days[*]

      content {
        days = expiration.value
      }
    }

    # What overwrote it is the younger version: the older one is kept as long, and goes with it.
    dynamic "noncurrent_version_expiration" {
      for_each = var.expire_after_days[*]

      content {
        noncurrent_days = noncurrent_version_expiration.value
      }
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
  target_prefix = "${var.name}-archive/"
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Action    = "s3:*"
        Principal = "*"
        Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        # Nobody, administrators included, until somebody changes this policy, which CloudTrail records. S3's own
        # lifecycle is not asked.
        Sid       = "NoDeletes"
        Effect    = "Deny"
        Action    = ["s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention"]
        Principal = "*"
        Resource  = "${aws_s3_bucket.this.arn}/*"
      },
      {
        # Every write must say If-None-Match, with which S3 refuses a name that is taken. Parts of an upload cannot say it,
        # and need not: its last request must.
        Sid       = "NoOverwrites"
        Effect    = "Deny"
        Action    = "s3:PutObject"
        Principal = "*"
        Resource  = "${aws_s3_bucket.this.arn}/*"
        Condition = {
          Null = { "s3:if-none-match" = "true" }
          Bool = { "s3:ObjectCreationOperation" = "true" }
        }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

locals {
  # Writing and reading back, and nothing that takes anything away.
  writer_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Archive", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = "${aws_s3_bucket.this.arn}/*" },
      { Sid = "FindArchived", Effect = "Allow", Action = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketVersions"], Resource = aws_s3_bucket.this.arn },
      {
        Sid       = "ArchiveKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = var.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = "s3.${data.aws_region.this.id}.amazonaws.com" } }
      },
    ]
  })
}

data "aws_region" "this" {}

resource "aws_iam_role_policy" "writer" {
  for_each = var.writer_roles

  name   = "${var.name}-archive"
  role   = each.value
  policy = local.writer_policy
}
