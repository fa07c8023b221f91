# Where mirror sessions send: an internal network load balancer with a UDP listener on 4789. Without that listener AWS
# delivers nothing and reports nothing: https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-targets.html

resource "aws_lb" "collector" {
  name               = var.name
  internal           = true
  load_balancer_type = "network"
  subnets            = var.subnet_ids
  # Security groups can be attached at creation only; without one every address could send.
  security_groups = [aws_security_group.load_balancer.id]

  enable_cross_zone_load_balancing = var.cross_zone
  enable_deletion_protection       = var.deletion_protection

  tags = local.tags
}

resource "aws_lb_target_group" "collector" {
  name        = var.name
  vpc_id      = var.vpc_id
  port        = local.vxlan_port
  protocol    = "UDP"
  target_type = "instance"

  deregistration_delay = var.deregistration_delay_seconds

  # The header of proxy protocol would stand in front of VXLAN's. Client addresses need no setting: for UDP AWS always
  # keeps them, and refuses to be asked.
  proxy_protocol_v2 = false

  # All packets of one mirrored interface reach one collector. The load balancer's hash alone parts the two directions
  # of a flow, because the outer source port differs between them.
  stickiness {
    enabled = true
    type    = "source_ip"
  }

  # There is no health check over UDP: the collector's own HTTP server answers for it. Its certificate is not validated:
  # https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html
  health_check {
    enabled             = true
    protocol            = var.health.protocol
    port                = tostring(var.health.port)
    path                = var.health.path
    interval            = var.health.interval_seconds
    healthy_threshold   = var.health.threshold
    unhealthy_threshold = var.health.threshold
  }

  tags = local.tags
}

resource "aws_lb_listener" "vxlan" {
  load_balancer_arn = aws_lb.collector.arn
  port              = local.vxlan_port
  protocol          = "UDP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.collector.arn
  }
}
