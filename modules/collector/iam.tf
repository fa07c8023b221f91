# The instances' role: Session Manager instead of SSH. Not AmazonSSMManagedInstanceCore, which also lets an instance read
# every Systems Manager parameter of the account; the statement below is the documented minimum for sessions:
# https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html

resource "aws_iam_role" "collector" {
  # A prefix, because role names are global to the account and the module may stand in several Regions.
  name_prefix          = "${var.name}-collector-"
  description          = "Instances of the collector group ${var.name}"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "CollectorInstances"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.${data.aws_partition.current.dns_suffix}" }
    }]
  })

  tags = local.tags
}

resource "aws_iam_role_policy" "session_manager" {
  name = "session-manager"
  role = aws_iam_role.collector.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "SessionManagerInsteadOfSsh"
      Effect = "Allow"
      Action = [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ]
      # None of these actions can be limited to a resource.
      Resource = "*"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "more" {
  for_each = var.policy_arns

  role       = aws_iam_role.collector.name
  policy_arn = each.value
}

resource "aws_iam_instance_profile" "collector" {
  name_prefix = "${var.name}-collector-"
  role        = aws_iam_role.collector.name
  tags        = local.tags
}
