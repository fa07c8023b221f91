# The collectors: a launch template and an auto scaling group that replaces what the load balancer finds unhealthy.

resource "aws_launch_template" "collector" {
  name_prefix            = "${var.name}-collector-"
  description            = "Collectors of ${var.name}"
  update_default_version = true

  image_id      = local.ami_id
  instance_type = var.instance_type
  user_data     = base64encode(local.user_data)

  iam_instance_profile {
    arn = aws_iam_instance_profile.collector.arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = var.metadata_hop_limit
  }

  # Per-minute figures: a microburst that fills a receive buffer is invisible in five-minute ones.
  monitoring {
    enabled = true
  }

  network_interfaces {
    device_index                = 0
    associate_public_ip_address = "false"
    delete_on_termination       = "true"
    security_groups             = [aws_security_group.collector.id]
  }

  block_device_mappings {
    device_name = "/dev/sda1"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.root_volume.size_gib
      encrypted             = "true"
      kms_key_id            = var.root_volume.kms_key_arn
      delete_on_termination = "true"
    }
  }

  # Not the network interface: hashicorp/aws 3.39 refuses that type here. Discovery goes by the instance's tag.
  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]

    content {
      resource_type = tag_specifications.value
      tags          = local.instance_tags
    }
  }

  tags = local.tags

  lifecycle {
    create_before_destroy = true

    precondition {
      # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html: 16 KB before it is encoded.
      condition     = length(base64encode(local.user_data)) <= 4 * ceil(16384 / 3)
      error_message = "The collectors' cloud-init data is larger than the 16 KB that EC2 takes. Shorten prepare_script, more_configuration or artifact.url."
    }
  }
}

resource "aws_autoscaling_group" "collector" {
  name                = var.name
  vpc_zone_identifier = var.subnet_ids
  target_group_arns   = [aws_lb_target_group.collector.arn]

  min_size         = var.size.min
  max_size         = var.size.max
  desired_capacity = var.size.desired

  health_check_type         = var.health.replace_unhealthy ? "ELB" : "EC2"
  health_check_grace_period = var.health.startup_seconds

  # At creation the least number must be healthy. Later only a fixed size can be awaited: the provider waits for exactly
  # that many, which a group that scales by itself need never have.
  min_elb_capacity      = var.wait_for_healthy ? var.size.min : null
  wait_for_elb_capacity = var.wait_for_healthy ? var.size.desired : null

  launch_template {
    id      = aws_launch_template.collector.id
    version = aws_launch_template.collector.latest_version
  }

  dynamic "instance_refresh" {
    for_each = var.instance_refresh.enabled ? ["rolling"] : []

    content {
      strategy = "Rolling"

      preferences {
        min_healthy_percentage = var.instance_refresh.min_healthy_percentage
        instance_warmup        = tostring(var.health.startup_seconds)
      }
    }
  }

  dynamic "tag" {
    for_each = local.instance_tags

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  # An instance must not start before it can fetch its program, report to the load balancer and be reached by an
  # operator, and a target group is asked for health only behind a listener.
  depends_on = [
    aws_iam_role_policy.session_manager,
    aws_iam_role_policy_attachment.more,
    aws_lb_listener.vxlan,
    aws_security_group_rule.collector_from_load_balancer,
    aws_security_group_rule.collector_https,
    aws_security_group_rule.load_balancer_to_collector,
  ]
}

resource "aws_autoscaling_policy" "cpu" {
  for_each = var.target_cpu_percent == null ? toset([]) : toset(["cpu"])

  name                      = "${var.name}-cpu"
  autoscaling_group_name    = aws_autoscaling_group.collector.name
  policy_type               = "TargetTrackingScaling"
  estimated_instance_warmup = var.health.startup_seconds

  target_tracking_configuration {
    target_value = var.target_cpu_percent

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}
