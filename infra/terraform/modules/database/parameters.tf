locals {
  # All of them are dynamic: they take effect at once, without a restart.
  parameters = {
    "rds.force_ssl" = "1"

    # What is logged must not hold what is in the rows: no statements, no bound values, neither with nor without an
    # error, and no DETAIL or CONTEXT lines, which quote the failing row.
    "log_statement"                     = "none"
    "log_parameter_max_length"          = "0"
    "log_parameter_max_length_on_error" = "0"
    "log_min_error_statement"           = "panic"
    "log_error_verbosity"               = "terse"

    # Penstock's own statements carry no values in their text: COPY and a merge from the stage. So the slow ones may
    # be named. In milliseconds.
    "log_min_duration_statement"  = "5000"
    "log_autovacuum_min_duration" = "10000"

    "log_connections"    = "1"
    "log_disconnections" = "1"
    "log_lock_waits"     = "1"

    # For whoever sets none: a forgotten session must not hold locks or keep dead rows alive. In milliseconds.
    "idle_in_transaction_session_timeout" = "300000"
  }
}

resource "aws_db_parameter_group" "this" {
  count = local.is_aurora ? 0 : 1

  name_prefix = "${var.name}-"
  description = "TLS only, and logs without the values of rows"
  family      = "postgres16"

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }

  # A group in use cannot be removed.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_rds_cluster_parameter_group" "this" {
  count = local.is_aurora ? 1 : 0

  name_prefix = "${var.name}-"
  description = "TLS only, and logs without the values of rows"
  family      = "aurora-postgresql16"

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}
