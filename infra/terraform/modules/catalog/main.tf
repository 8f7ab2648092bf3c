locals {
  tables = { for table in jsondecode(file(var.tables_file)).tables : table.entity => table }

  processed = { for entity, table in local.tables : entity => table if !try(table.curated, false) }
  curated   = { for entity, table in local.tables : entity => table if try(table.curated, false) }

  parquet = {
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
    serde         = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
  }

  # Maximum length of a comment in Glue, in characters.
  max_comment = 255
}

resource "aws_glue_catalog_database" "this" {
  # Without hyphens, because Athena requires quotes for such a name.
  name        = replace(var.name, "-", "_")
  description = "Harmonised rows and golden records of Penstock, as Parquet in S3"
}

resource "aws_glue_catalog_table" "processed" {
  for_each = local.processed

  name          = each.key
  database_name = aws_glue_catalog_database.this.name
  description   = "Harmonised rows of ${each.key}, as delivered: a row that was delivered twice occurs twice"
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    "EXTERNAL"                  = "TRUE"
    "classification"            = "parquet"
    "projection.enabled"        = "true"
    "projection._source.type"   = "enum"
    "projection._source.values" = join(",", each.value.sources)
    # Athena replaces the placeholder. $${…} is Terraform's escape for a literal one.
    "storage.location.template" = "s3://${var.bucket_names.processed}/data/${each.key}/source=$${_source}/"
  }

  # Not `source`, because contracts may have a column of that name. The table in PostgreSQL also has `_source`.
  partition_keys {
    name    = "_source"
    type    = "string"
    comment = "The source that delivered the row"
  }

  storage_descriptor {
    location      = "s3://${var.bucket_names.processed}/data/${each.key}/"
    input_format  = local.parquet.input_format
    output_format = local.parquet.output_format

    ser_de_info {
      name                  = "parquet"
      serialization_library = local.parquet.serde
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name    = lower(columns.value.name)
        type    = columns.value.type
        comment = substr(try(columns.value.comment, ""), 0, local.max_comment)
      }
    }
  }
}

resource "aws_glue_catalog_table" "curated" {
  for_each = local.curated

  name          = each.key
  database_name = aws_glue_catalog_database.this.name
  description   = "Golden records of ${each.key}"
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    "EXTERNAL"       = "TRUE"
    "classification" = "parquet"
  }

  storage_descriptor {
    location      = "s3://${var.bucket_names.curated}/data/${each.key}/"
    input_format  = local.parquet.input_format
    output_format = local.parquet.output_format

    ser_de_info {
      name                  = "parquet"
      serialization_library = local.parquet.serde
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name    = lower(columns.value.name)
        type    = columns.value.type
        comment = substr(try(columns.value.comment, ""), 0, local.max_comment)
      }
    }
  }
}
