terraform {
  required_providers { aws = { source = "hashicorp/aws", version = "3.39.0" } }
}

variable "endpoint" { type = string }
variable "balancer" { type = string }
variable "probe" { type = string }
variable "web" { type = string }
variable "number" { type = number }
variable "port" { type = number }
variable "team" { type = string }

provider "aws" {
  region                  = "us-east-1"
  access_key              = "test"
  secret_key              = "secret"
  skip_metadata_api_check = true
  max_retries             = 1
  endpoints {
    ec2 = var.endpoint
    sts = var.endpoint
  }
}

data "aws_caller_identity" "me" {}

resource "aws_ec2_traffic_mirror_target" "probe" {
  network_interface_id = var.probe
  description          = "probe of ${data.aws_caller_identity.me.account_id}"
  tags                 = { team = var.team }
}

resource "aws_ec2_traffic_mirror_target" "balancer" {
  network_load_balancer_arn = var.balancer
}

resource "aws_ec2_traffic_mirror_filter" "f" {
  description      = "all"
  network_services = ["amazon-dns"]
  tags             = { team = var.team }
}

resource "aws_ec2_traffic_mirror_filter_rule" "in" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.f.id
  # Provider 3.39 crashes when it changes a rule's number (its issue 32594), so that one stays.
  rule_number            = 1
  rule_action            = var.port == 443 ? "accept" : "reject"
  traffic_direction      = "ingress"
  protocol               = 6
  source_cidr_block      = "0.0.0.0/0"
  destination_cidr_block = "10.0.0.0/8"
  destination_port_range {
    from_port = var.port
    to_port   = var.port
  }
}

resource "aws_ec2_traffic_mirror_filter_rule" "out" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.f.id
  rule_number              = 1
  rule_action              = "accept"
  traffic_direction        = "egress"
  source_cidr_block        = "::/0"
  destination_cidr_block   = "::/0"
}

resource "aws_ec2_traffic_mirror_session" "probe" {
  network_interface_id     = var.web
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.f.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.probe.id
  session_number           = var.number
  description              = "to the probe"
  tags                     = { team = var.team }
}

resource "aws_ec2_traffic_mirror_session" "balancer" {
  network_interface_id     = var.web
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.f.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.balancer.id
  session_number           = 100
  packet_length            = 1500
  virtual_network_id       = 77
}
