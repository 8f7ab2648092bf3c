locals {
  # A month is 30 days and a year 365, as in docs/contract.md.
  seconds_by_unit = merge(
    { for unit in ["s", "sec", "second", "seconds"] : unit => 1 },
    { for unit in ["m", "min", "minute", "minutes"] : unit => 60 },
    { for unit in ["h", "hr", "hour", "hours"] : unit => 3600 },
    { for unit in ["d", "day", "days"] : unit => 86400 },
    { for unit in ["w", "wk", "week", "weeks"] : unit => 7 * 86400 },
    { for unit in ["mo", "month", "months"] : unit => 30 * 86400 },
    # Terraform reads YAML 1.1, where an unquoted y is true.
    { for unit in ["y", "true", "yr", "year", "years"] : unit => 365 * 86400 },
  )

  contracts_folder = "${path.root}/../contracts"
  contracts        = [for file in fileset(local.contracts_folder, "**/*.yaml") : yamldecode(file("${local.contracts_folder}/${file}"))]

  # A unit that is not known stops the plan here, rather than shortening the retention.
  contract_retention_days = flatten([
    for contract in local.contracts : [
      for sla in try(contract.slaProperties, []) :
      ceil(sla.value * local.seconds_by_unit[lower(tostring(sla.unit))] / local.seconds_by_unit.day)
      if sla.property == "retention"
    ]
  ])

  # One life cycle for the bucket: the longest wins, as an object that is needed must not be gone.
  raw_retention_days = max(var.lake.min_raw_retention_days, local.contract_retention_days...)
}
