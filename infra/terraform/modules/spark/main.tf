locals {
  # Spark 3.5.6. The job is tested with one release, so a newer one needs a deliberate change.
  release_label = "emr-7.12.0"

  # The jobs are the files in infra/spark.
  jobs_folder      = "${path.module}/../../../spark"
  artifacts_bucket = regex("[^:]+$", var.bucket_arns.artifacts)
  jobs_prefix      = "spark"
}

resource "aws_emrserverless_application" "this" {
  name          = var.name
  release_label = local.release_label
  type          = "spark"
  architecture  = var.architecture

  maximum_capacity {
    cpu    = var.maximum_capacity.cpu
    memory = var.maximum_capacity.memory
    disk   = var.maximum_capacity.disk
  }

  dynamic "initial_capacity" {
    for_each = var.initial_capacity

    content {
      initial_capacity_type = initial_capacity.key

      initial_capacity_config {
        worker_count = initial_capacity.value.worker_count

        worker_configuration {
          cpu    = initial_capacity.value.cpu
          memory = initial_capacity.value.memory
          disk   = initial_capacity.value.disk
        }
      }
    }
  }

  auto_start_configuration {
    enabled = true
  }

  auto_stop_configuration {
    enabled              = true
    idle_timeout_minutes = var.auto_stop_minutes
  }

  # A job that exceeds the remaining capacity waits instead of failing.
  scheduler_configuration {
    max_concurrent_runs   = 10
    queue_timeout_minutes = 720
  }

  dynamic "network_configuration" {
    for_each = var.security_group_id == null ? [] : [var.security_group_id]

    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = [network_configuration.value]
    }
  }

  monitoring_configuration {
    cloudwatch_logging_configuration {
      enabled                = true
      log_group_name         = aws_cloudwatch_log_group.jobs.name
      log_stream_name_prefix = "jobs"

      log_types {
        name   = "SPARK_DRIVER"
        values = ["STDOUT", "STDERR"]
      }

      log_types {
        name   = "SPARK_EXECUTOR"
        values = ["STDERR"]
      }
    }

    # The data of the Spark UI after a job: plans, paths and counts, no rows. Encrypted with an AWS managed key.
    managed_persistence_monitoring_configuration {
      enabled = true
    }
  }
}

resource "aws_cloudwatch_log_group" "jobs" {
  name              = "/penstock/${var.name}/spark"
  retention_in_days = 365
  kms_key_id        = var.data_key_arn
}

# The set is empty if the folder has no jobs.
resource "aws_s3_object" "jobs" {
  for_each = fileset(local.jobs_folder, "*.py")

  bucket       = local.artifacts_bucket
  key          = "${local.jobs_prefix}/${each.key}"
  source       = "${local.jobs_folder}/${each.key}"
  source_hash  = filemd5("${local.jobs_folder}/${each.key}")
  content_type = "text/x-python"
}
