terraform {
  # 1.11 is the first in which the S3 backend's own lock is not experimental.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
  }

  # Bucket, key and region: environments/<environment>/backend.hcl.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region

  # Nothing is made in another account by mistake; an empty list allows any.
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  default_tags {
    tags = {
      project     = "penstock"
      environment = var.environment
      managed-by  = "terraform"
    }
  }
}
