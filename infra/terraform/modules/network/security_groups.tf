locals {
  # Clients that may connect to the database, with the descriptions of their security groups.
  clients = {
    writer = "The writer function: loads chunks into PostgreSQL"
    api    = "The API: reads target tables"
  }

  postgres_port = 5432
  https_port    = 443
}

# Without rules: a resource without an explicit group can neither open nor accept connections.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-closed" }
}

resource "aws_security_group" "clients" {
  #checkov:skip=CKV2_AWS_5:The template attaches the one of the writer; the API is not part of this version

  for_each = local.clients

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_security_group" "database" {
  #checkov:skip=CKV2_AWS_5:Attached by module database; checkov does not follow outputs of modules

  name        = "${var.name}-database"
  description = "PostgreSQL: accepts connections from its clients and opens none"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-database" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Interface endpoints of AWS services: accept TLS from the clients"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = local.clients

  description                  = "PostgreSQL from ${each.key}"
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = aws_security_group.clients[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = local.postgres_port
  to_port                      = local.postgres_port
}

resource "aws_vpc_security_group_egress_rule" "clients_to_database" {
  for_each = local.clients

  description                  = "PostgreSQL"
  security_group_id            = aws_security_group.clients[each.key].id
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = local.postgres_port
  to_port                      = local.postgres_port
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = local.clients

  description                  = "TLS from ${each.key}"
  security_group_id            = aws_security_group.endpoints.id
  referenced_security_group_id = aws_security_group.clients[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = local.https_port
  to_port                      = local.https_port
}

resource "aws_vpc_security_group_egress_rule" "clients_to_endpoints" {
  for_each = local.clients

  description                  = "TLS to the interface endpoints"
  security_group_id            = aws_security_group.clients[each.key].id
  referenced_security_group_id = aws_security_group.endpoints.id
  ip_protocol                  = "tcp"
  from_port                    = local.https_port
  to_port                      = local.https_port
}

# The public addresses of S3, which the gateway endpoint serves.
resource "aws_vpc_security_group_egress_rule" "clients_to_s3" {
  for_each = local.clients

  description       = "TLS to S3 through its gateway endpoint"
  security_group_id = aws_security_group.clients[each.key].id
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = local.https_port
  to_port           = local.https_port
}
