# What every part of the group shares: its name, its tags and its image. The parts: network.tf (who may talk to whom),
# load_balancer.tf (where mirror sessions send), group.tf (the instances), cloud_init.tf (what they run), iam.tf (what
# they may do). The module makes no mirror target, filter or session: those belong to a fleet.

data "aws_partition" "current" {}

data "aws_ssm_parameter" "ami" {
  for_each = var.ami_id == null ? toset(["ubuntu"]) : toset([])

  name = coalesce(var.ami_ssm_parameter, local.canonical_ami_parameter)
}

locals {
  vxlan_port = 4789

  # https://discourse.ubuntu.com/t/finding-ubuntu-images-with-the-aws-ssm-parameter-store/15507
  canonical_ami_parameter = "/aws/service/canonical/ubuntu/server/22.04/stable/current/${var.architecture}/hvm/ebs-gp2/ami-id"

  # An image id is no secret; the data source marks every value as one.
  ami_id = var.ami_id == null ? nonsensitive(data.aws_ssm_parameter.ami["ubuntu"].value) : var.ami_id

  # Discovery never mirrors the interfaces of an instance that carries this tag: a mirrored collector would feed on its
  # own copies.
  collector_tag = { "enigma:collector" = var.name }

  tags          = merge(var.tags, local.collector_tag)
  instance_tags = merge({ Name = "${var.name}-collector" }, local.tags)
}
