variable "name" {
  type        = string
  nullable    = false
  description = "Prefix of every resource name, as penstock-<environment>."

  validation {
    condition     = can(regex("^penstock-[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "The name must be penstock-<environment>, with an environment of at most 16 lower-case letters, digits and hyphens."
  }
}

variable "bucket_names" {
  type = object({
    processed = string
    curated   = string
  })
  nullable    = false
  description = "Names of the lake's buckets with Parquet files."
}

variable "tables_file" {
  type        = string
  nullable    = false
  description = "Path of the JSON file that `penstock contract catalog` generates from the contracts."

  validation {
    condition     = can(jsondecode(file(var.tables_file)).tables)
    error_message = "The tables file must be JSON with a list `tables`. Generate it with `penstock contract catalog`."
  }

  validation {
    condition = try(alltrue([
      for table in jsondecode(file(var.tables_file)).tables :
      length(distinct([for column in table.columns : lower(column.name)])) == length(table.columns)
    ]), false)
    error_message = "Each table of the tables file must have `columns` with unique names. Athena ignores case in names."
  }

  validation {
    condition = try(alltrue(flatten([
      for table in jsondecode(file(var.tables_file)).tables : [
        for column in table.columns :
        can(regex("^(string|boolean|smallint|int|bigint|double|date|timestamp|decimal\\([0-9]{1,2},[0-9]{1,2}\\))$", column.type))
      ]
    ])), false)
    error_message = "Each column of the tables file must have one of these Athena types: string, boolean, smallint, int, bigint, double, date, timestamp, decimal(p,s)."
  }

  validation {
    condition = try(alltrue([
      for table in jsondecode(file(var.tables_file)).tables :
      try(table.curated, false) || try(length(table.sources) > 0 && alltrue([for source in table.sources : can(regex("^[^,/\\s]+$", source))]), false)
    ]), false)
    error_message = "Each table of the tables file must have `sources`, without commas, slashes and spaces, or be `curated`."
  }
}
