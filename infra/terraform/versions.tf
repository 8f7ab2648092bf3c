terraform {
  # The lock file of the S3 backend is no longer experimental since 1.11.
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

  # Prevents changes to another account by mistake.
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  default_tags {
    tags = {
      project     = "penstock"
      environment = var.environment
      managed-by  = "terraform"
    }
  }
}
