# Two security groups. The load balancer's admits the sources; the collectors' admits the load balancer and nobody else,
# which holds although a collector sees the sources' own addresses:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html

resource "aws_security_group" "load_balancer" {
  name_prefix = "${var.name}-nlb-"
  description = "Mirrored traffic (VXLAN) into ${var.name}"
  vpc_id      = var.vpc_id
  tags        = merge({ Name = "${var.name}-nlb" }, local.tags)

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "collector" {
  name_prefix = "${var.name}-collector-"
  description = "Collectors of ${var.name}"
  vpc_id      = var.vpc_id
  tags        = merge({ Name = "${var.name}-collector" }, local.tags)

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group_rule" "vxlan_from_networks" {
  # One rule for all ranges and lists, so that ranges which are known only after apply need no keys.
  for_each = length(var.sources.cidr_blocks) + length(var.sources.prefix_list_ids) > 0 ? toset(["networks"]) : toset([])

  security_group_id = aws_security_group.load_balancer.id
  description       = "Mirrored traffic from the networks of the sources"
  type              = "ingress"
  protocol          = "udp"
  from_port         = local.vxlan_port
  to_port           = local.vxlan_port
  cidr_blocks       = length(var.sources.cidr_blocks) > 0 ? var.sources.cidr_blocks : null
  prefix_list_ids   = length(var.sources.prefix_list_ids) > 0 ? var.sources.prefix_list_ids : null
}

resource "aws_security_group_rule" "vxlan_from_security_group" {
  for_each = var.sources.security_group_ids

  security_group_id        = aws_security_group.load_balancer.id
  description              = "Mirrored traffic from ${each.key}"
  type                     = "ingress"
  protocol                 = "udp"
  from_port                = local.vxlan_port
  to_port                  = local.vxlan_port
  source_security_group_id = each.value
}

locals {
  # What passes from the load balancer to a collector. Health checks obey the load balancer's outbound rules.
  load_balancer_to_collector = {
    vxlan  = { protocol = "udp", port = local.vxlan_port, description = "Mirrored traffic to the collectors" }
    health = { protocol = "tcp", port = var.health.port, description = "Health checks of the collectors" }
  }
}

resource "aws_security_group_rule" "load_balancer_to_collector" {
  for_each = local.load_balancer_to_collector

  security_group_id        = aws_security_group.load_balancer.id
  description              = each.value.description
  type                     = "egress"
  protocol                 = each.value.protocol
  from_port                = each.value.port
  to_port                  = each.value.port
  source_security_group_id = aws_security_group.collector.id
}

resource "aws_security_group_rule" "collector_from_load_balancer" {
  for_each = local.load_balancer_to_collector

  security_group_id        = aws_security_group.collector.id
  description              = each.value.description
  type                     = "ingress"
  protocol                 = each.value.protocol
  from_port                = each.value.port
  to_port                  = each.value.port
  source_security_group_id = aws_security_group.load_balancer.id
}

resource "aws_security_group_rule" "collector_https" {
  security_group_id = aws_security_group.collector.id
  description       = "Artifact download and Systems Manager"
  type              = "egress"
  protocol          = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_blocks       = length(var.egress.cidr_blocks) > 0 ? var.egress.cidr_blocks : null
  prefix_list_ids   = length(var.egress.prefix_list_ids) > 0 ? var.egress.prefix_list_ids : null
}
