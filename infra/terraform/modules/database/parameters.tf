locals {
  # All of these are dynamic: they take effect immediately, without a restart.
  parameters = {
    "rds.force_ssl" = "1"

    # Logs must not contain values of rows: no statements, no bound values, with or without an error, and no DETAIL or
    # CONTEXT lines, which quote the failing row.
    "log_statement"                     = "none"
    "log_parameter_max_length"          = "0"
    "log_parameter_max_length_on_error" = "0"
    "log_min_error_statement"           = "panic"
    "log_error_verbosity"               = "terse"

    # In milliseconds. The text of Penstock's own statements (COPY and a merge from the staging table) contains no values, so
    # slow ones may be logged.
    "log_min_duration_statement"  = "5000"
    "log_autovacuum_min_duration" = "10000"

    "log_connections"    = "1"
    "log_disconnections" = "1"
    "log_lock_waits"     = "1"

    # In milliseconds. Default for all sessions: a forgotten one must not hold locks or prevent the removal of dead rows.
    "idle_in_transaction_session_timeout" = "300000"
  }
}

resource "aws_db_parameter_group" "this" {
  count = local.is_aurora ? 0 : 1

  name_prefix = "${var.name}-"
  description = "Requires TLS and logs no values of rows"
  family      = "postgres16"

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }

  # A parameter group in use cannot be deleted.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_rds_cluster_parameter_group" "this" {
  count = local.is_aurora ? 1 : 0

  name_prefix = "${var.name}-"
  description = "Requires TLS and logs no values of rows"
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
