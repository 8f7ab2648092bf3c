locals {
  # Spark 3.5.6. A job is tested against one release, so a newer one is a change that somebody makes.
  release_label = "emr-7.12.0"

  # Jobs are files of infra/spark, as they stand in the repository.
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

  # A job that finds no capacity waits, instead of failing the batch.
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

    # What the Spark UI shows after the end of a job: plans, paths and counts, no rows. Under a key of AWS.
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

# None where there are no jobs yet: the set is empty then.
resource "aws_s3_object" "jobs" {
  for_each = fileset(local.jobs_folder, "*.py")

  bucket       = local.artifacts_bucket
  key          = "${local.jobs_prefix}/${each.key}"
  source       = "${local.jobs_folder}/${each.key}"
  source_hash  = filemd5("${local.jobs_folder}/${each.key}")
  content_type = "text/x-python"
}
