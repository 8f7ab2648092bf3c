data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:A fixed number of zones, the first by name: a new zone sorts after them

  state = "available"

  # Local zones support neither RDS nor all interface endpoints.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  zones = slice(data.aws_availability_zones.available.names, 0, var.zone_count)

  # Each subnet has one sixteenth of the VPC. Those of the functions are numbered from the start and those of the database
  # from the middle, so a third zone moves no subnet.
  private_cidr_blocks  = { for index, zone in local.zones : zone => cidrsubnet(var.cidr_block, 4, index) }
  database_cidr_blocks = { for index, zone in local.zones : zone => cidrsubnet(var.cidr_block, 4, index + 8) }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# There is no internet gateway and no NAT gateway. All outbound traffic goes through endpoints.
resource "aws_subnet" "private" {
  for_each = local.private_cidr_blocks

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_subnet" "database" {
  for_each = local.database_cidr_blocks

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-database-${each.key}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

# Without a route to S3, which the database does not need.
resource "aws_route_table" "database" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-database" }
}

resource "aws_route_table_association" "database" {
  for_each = aws_subnet.database

  subnet_id      = each.value.id
  route_table_id = aws_route_table.database.id
}
