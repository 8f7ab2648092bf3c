locals {
  # A month has 30 days and a year 365, as in docs/contract.md. Terraform reads YAML 1.1, where an unquoted y is true.
  seconds_by_unit = {
    s  = 1, sec = 1, second = 1, seconds = 1,
    m  = 60, min = 60, minute = 60, minutes = 60,
    h  = 3600, hr = 3600, hour = 3600, hours = 3600,
    d  = 86400, day = 86400, days = 86400,
    w  = 604800, wk = 604800, week = 604800, weeks = 604800,
    mo = 2592000, month = 2592000, months = 2592000,
    y  = 31536000, true = 31536000, yr = 31536000, year = 31536000, years = 31536000,
  }

  contracts_folder = "${path.root}/../contracts"
  contracts        = [for file in fileset(local.contracts_folder, "**/*.yaml") : yamldecode(file("${local.contracts_folder}/${file}"))]

  # An unknown unit is an error of the plan. Ignoring it would shorten the retention.
  contract_retention_days = flatten([
    for contract in local.contracts : [
      for sla in try(contract.slaProperties, []) :
      ceil(sla.value * local.seconds_by_unit[lower(tostring(sla.unit))] / local.seconds_by_unit.day)
      if sla.property == "retention"
    ]
  ])

  # The bucket has one lifecycle rule, so the longest retention applies to all drops.
  raw_retention_days = max(var.lake.min_raw_retention_days, local.contract_retention_days...)
}
