# What a plan promises, against a mocked AWS: no account, no network.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = {
      partition  = "aws"
      dns_suffix = "amazonaws.com"
    }
  }

  mock_data "aws_ssm_parameter" {
    defaults = {
      value = "ami-0123456789abcdef0"
    }
  }
}

variables {
  name       = "prod"
  vpc_id     = "vpc-0a1b2c3d"
  subnet_ids = ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]
  sources    = { cidr_blocks = ["10.0.0.0/16"] }
  artifact = {
    url    = "https://artifacts.example.com/enigma-collector"
    sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
}

run "smallest_call" {
  command = plan

  assert {
    condition     = aws_lb.collector.internal && aws_lb.collector.load_balancer_type == "network" && aws_lb.collector.enable_cross_zone_load_balancing
    error_message = "The load balancer must be internal, a network one, and balance across zones."
  }

  assert {
    condition     = aws_lb_listener.vxlan.port == 4789 && aws_lb_listener.vxlan.protocol == "UDP" && aws_lb_target_group.collector.port == 4789 && aws_lb_target_group.collector.protocol == "UDP"
    error_message = "Mirror sessions send VXLAN over UDP 4789, and nothing else arrives."
  }

  assert {
    condition     = aws_lb_target_group.collector.stickiness[0].enabled && aws_lb_target_group.collector.stickiness[0].type == "source_ip" && !aws_lb_target_group.collector.proxy_protocol_v2
    error_message = "All packets of one interface must reach one collector, without a proxy header."
  }

  assert {
    condition     = aws_lb_target_group.collector.health_check[0].protocol == "HTTP" && aws_lb_target_group.collector.health_check[0].path == "/health/ready" && aws_lb_target_group.collector.health_check[0].port == "8080"
    error_message = "Health must be asked of the collector itself."
  }

  assert {
    condition     = aws_launch_template.collector.metadata_options[0].http_tokens == "required" && aws_launch_template.collector.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Only IMDSv2 may answer, and only on the instance."
  }

  assert {
    condition = alltrue([for disk in aws_launch_template.collector.block_device_mappings :
    disk.ebs[0].encrypted == "true" && disk.ebs[0].volume_type == "gp3"])
    error_message = "Every disk must be gp3 and encrypted."
  }

  assert {
    condition     = aws_launch_template.collector.key_name == null && aws_launch_template.collector.network_interfaces[0].associate_public_ip_address == "false"
    error_message = "No key pair and no public address."
  }

  assert {
    condition     = aws_launch_template.collector.image_id == "ami-0123456789abcdef0" && data.aws_ssm_parameter.ami["ubuntu"].name == "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id"
    error_message = "Without ami_id the image must come from Canonical's parameter."
  }

  assert {
    condition     = aws_autoscaling_group.collector.min_size == 2 && aws_autoscaling_group.collector.max_size == 4 && aws_autoscaling_group.collector.health_check_type == "ELB" && aws_autoscaling_group.collector.min_elb_capacity == 2 && aws_autoscaling_group.collector.wait_for_elb_capacity == null
    error_message = "Two to four collectors, judged by the load balancer, awaited by the apply."
  }

  assert {
    condition     = one([for tag in aws_autoscaling_group.collector.tag : tag.value if tag.key == "enigma:collector" && tag.propagate_at_launch]) == "prod"
    error_message = "Instances must carry the tag that keeps them from being mirrored."
  }

  assert {
    condition = toset([for tags in aws_launch_template.collector.tag_specifications : tags.resource_type if tags.tags["enigma:collector"] == "prod"]) == toset(["instance", "volume"])

    error_message = "Instance and volume must carry the collector's tag."
  }
}

run "who_may_talk" {
  command = plan

  variables {
    sources = {
      cidr_blocks        = ["10.0.0.0/16", "10.1.0.0/16"]
      prefix_list_ids    = ["pl-0a1b2c3d"]
      security_group_ids = { web = "sg-0a1b2c3d", db = "sg-0a1b2c3e" }
    }
    egress = { cidr_blocks = ["10.0.0.0/24"] }
    health = { port = 9090 }
  }

  assert {
    condition     = aws_security_group_rule.vxlan_from_networks["networks"].cidr_blocks == tolist(["10.0.0.0/16", "10.1.0.0/16"]) && aws_security_group_rule.vxlan_from_networks["networks"].prefix_list_ids == tolist(["pl-0a1b2c3d"])
    error_message = "The given networks, and no other, may send."
  }

  assert {
    condition     = { for name, rule in aws_security_group_rule.vxlan_from_security_group : name => rule.source_security_group_id } == { web = "sg-0a1b2c3d", db = "sg-0a1b2c3e" }
    error_message = "The given security groups, and no other, may send."
  }

  assert {
    condition = alltrue([for rule in concat(values(aws_security_group_rule.vxlan_from_networks), values(aws_security_group_rule.vxlan_from_security_group)) :
    rule.type == "ingress" && rule.protocol == "udp" && rule.from_port == 4789 && rule.to_port == 4789])
    error_message = "Sources may send UDP 4789 only."
  }

  assert {
    condition = { for name, rule in aws_security_group_rule.collector_from_load_balancer : name => "${rule.type} ${rule.protocol} ${rule.from_port}-${rule.to_port}" } == {
      health = "ingress tcp 9090-9090"
      vxlan  = "ingress udp 4789-4789"
    }
    error_message = "The load balancer may reach the collectors on VXLAN and health only."
  }

  assert {
    condition     = length(aws_security_group_rule.load_balancer_to_collector) == 2 && alltrue([for rule in values(aws_security_group_rule.load_balancer_to_collector) : rule.type == "egress"])
    error_message = "Health checks obey the load balancer's outbound rules, so both must be let out."
  }

  assert {
    condition     = aws_security_group_rule.collector_https.cidr_blocks == tolist(["10.0.0.0/24"]) && aws_security_group_rule.collector_https.from_port == 443 && aws_security_group_rule.collector_https.to_port == 443 && aws_security_group_rule.collector_https.protocol == "tcp"
    error_message = "Collectors may connect to TCP 443 of the given ranges and nowhere else."
  }

  assert {
    condition     = aws_lb_target_group.collector.health_check[0].port == "9090" && strcontains(local.collector_config, "listen = \"0.0.0.0:9090\"")
    error_message = "Load balancer and collector must agree on the health port."
  }
}

run "security_groups_alone" {
  command = plan

  variables {
    sources = { security_group_ids = { web = "sg-0a1b2c3d" } }
  }

  assert {
    condition     = length(aws_security_group_rule.vxlan_from_networks) == 0
    error_message = "Without ranges there must be no rule for ranges."
  }
}

run "given_image" {
  command = plan

  variables {
    ami_id = "ami-0fedcba9876543210"
  }

  assert {
    condition     = length(data.aws_ssm_parameter.ami) == 0 && output.ami_id == "ami-0fedcba9876543210"
    error_message = "A given image needs no look-up."
  }
}

run "arm" {
  command = plan

  variables {
    architecture  = "arm64"
    instance_type = "c7g.large"
  }

  assert {
    condition     = endswith(data.aws_ssm_parameter.ami["ubuntu"].name, "/arm64/hvm/ebs-gp2/ami-id")
    error_message = "The image must be of the instance's architecture."
  }
}

run "own_image_parameter" {
  command = plan

  variables {
    ami_ssm_parameter = "/golden/ubuntu-22.04/ami-id"
  }

  assert {
    condition     = data.aws_ssm_parameter.ami["ubuntu"].name == "/golden/ubuntu-22.04/ami-id"
    error_message = "A given parameter must be read instead of Canonical's."
  }
}

run "china" {
  command = plan

  override_data {
    target = data.aws_partition.current
    values = {
      partition  = "aws-cn"
      dns_suffix = "amazonaws.com.cn"
    }
  }

  assert {
    condition     = jsondecode(aws_iam_role.collector.assume_role_policy).Statement[0].Principal.Service == "ec2.amazonaws.com.cn"
    error_message = "The role must trust the partition's EC2."
  }
}

run "least_privilege" {
  command = plan

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.session_manager.policy).Statement : alltrue([for action in statement.Action : !strcontains(action, "*") && !startswith(action, "ssm:Get")])])
    error_message = "The role must open sessions and read nothing."
  }

  assert {
    condition     = length(aws_iam_role_policy_attachment.more) == 0
    error_message = "No further policy unless asked for."
  }
}

run "one_collector_that_never_moves" {
  command = plan

  variables {
    size             = { min = 1, max = 1, desired = 1 }
    cross_zone       = false
    wait_for_healthy = false
    instance_refresh = { enabled = false }
    health           = { replace_unhealthy = false }
    tags             = { team = "secops" }
  }

  assert {
    condition     = aws_autoscaling_group.collector.desired_capacity == 1 && aws_autoscaling_group.collector.min_elb_capacity == null && aws_autoscaling_group.collector.wait_for_elb_capacity == null && aws_autoscaling_group.collector.health_check_type == "EC2" && length(aws_autoscaling_group.collector.instance_refresh) == 0
    error_message = "Each switch must reach the group."
  }

  assert {
    condition     = !aws_lb.collector.enable_cross_zone_load_balancing && aws_lb.collector.tags == tomap({ "enigma:collector" = "prod", team = "secops" })
    error_message = "Cross-zone and tags must reach the load balancer."
  }

  assert {
    condition     = { for tag in aws_autoscaling_group.collector.tag : tag.key => tag.value } == { Name = "prod-collector", "enigma:collector" = "prod", team = "secops" }
    error_message = "The group must hand every tag to its instances."
  }
}

run "fixed_size_is_awaited" {
  command = plan

  variables {
    size = { desired = 3 }
  }

  assert {
    condition     = aws_autoscaling_group.collector.desired_capacity == 3 && aws_autoscaling_group.collector.wait_for_elb_capacity == 3
    error_message = "A change of a fixed size must wait for exactly that many."
  }
}

run "scaling" {
  command = plan

  variables {
    target_cpu_percent = 60
  }

  assert {
    condition     = aws_autoscaling_policy.cpu["cpu"].target_tracking_configuration[0].target_value == 60
    error_message = "The group must hold the given load."
  }
}

run "own_key_and_policies" {
  command = plan

  variables {
    root_volume              = { size_gib = 200, kms_key_arn = "arn:aws-us-gov:kms:us-gov-west-1:111111111111:key/abc-1" }
    permissions_boundary_arn = "arn:aws-us-gov:iam::111111111111:policy/boundary"
    policy_arns              = { agent = "arn:aws-us-gov:iam::aws:policy/CloudWatchAgentServerPolicy" }
  }

  assert {
    condition     = aws_launch_template.collector.block_device_mappings[0].ebs[0].kms_key_id == "arn:aws-us-gov:kms:us-gov-west-1:111111111111:key/abc-1" && aws_launch_template.collector.block_device_mappings[0].ebs[0].volume_size == 200
    error_message = "The disk must use the given key and size."
  }

  assert {
    condition     = aws_iam_role.collector.permissions_boundary == "arn:aws-us-gov:iam::111111111111:policy/boundary" && aws_iam_role_policy_attachment.more["agent"].policy_arn == "arn:aws-us-gov:iam::aws:policy/CloudWatchAgentServerPolicy"
    error_message = "Boundary and policies must reach the role."
  }
}

run "cloud_init" {
  command = plan

  assert {
    condition     = startswith(base64decode(aws_launch_template.collector.user_data), "#cloud-config\n") && yamldecode(base64decode(aws_launch_template.collector.user_data)) == yamldecode(yamlencode(local.cloud_config))
    error_message = "User data must be the cloud-config, whole."
  }

  assert {
    condition     = join(" ", one(local.cloud_config.runcmd)) == "/usr/local/sbin/enigma-collector-install https://artifacts.example.com/enigma-collector 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    error_message = "The one command must fetch the given artifact with the given checksum."
  }

  assert {
    condition     = one([for file in local.cloud_config.write_files : file.content if endswith(file.path, "sysctl.d/60-enigma-collector.conf")]) == "net.core.rmem_max = 67108864\n"
    error_message = "The kernel must allow the receive buffer that the collector asks for."
  }
}

run "records_fit_the_disk" {
  command = plan

  variables {
    root_volume            = { size_gib = 10 }
    records_retention_days = 30
  }

  # 10 GiB less 8 for the system: half of it for files being written, ten of 102 MiB, and half for 10 files that were rotated, which
  # last 30 days if each covers 72 hours.
  assert {
    condition     = strcontains(local.collector_config, "rotate_size = \"102MiB\"\n") && strcontains(local.collector_config, "keep_size = \"1024MiB\"\n") && strcontains(local.collector_config, "keep_files = 10\n") && strcontains(local.collector_config, "rotate_interval = \"72h\"\n")
    error_message = "Record files must fit the disk and last for the retention."
  }
}

run "stop_outlasts_the_drain" {
  command = plan

  variables {
    health = { interval_seconds = 30, threshold = 2, replace_unhealthy = false, max_drop_share = 0.05 }
  }

  assert {
    condition     = strcontains(local.collector_config, "drain = \"65s\"\n") && strcontains(local.service, "TimeoutStopSec=95\n") && strcontains(local.collector_config, "max_drop_share = 0.05\n")
    error_message = "systemd must wait for the collector's drain and last write."
  }
}

run "rings" {
  command = plan

  variables {
    receive_mode = "ring"
  }

  assert {
    condition     = strcontains(local.collector_config, "mode = \"ring\"\n") && strcontains(local.service, "CapabilityBoundingSet=CAP_NET_RAW\nAmbientCapabilities=CAP_NET_RAW\nRestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_PACKET\n")
    error_message = "A ring needs its capability within the unit's bounds, and its family of sockets."
  }

  assert {
    condition     = strcontains(local.service, "nft -f /etc/enigma/early.nft") && length([for file in local.cloud_config.write_files : file if file.path == "/etc/enigma/early.nft"]) == 1
    error_message = "The rule that keeps the UDP stack from doing the work twice must be written and loaded."
  }
}

run "sockets" {
  command = plan

  assert {
    condition     = strcontains(local.collector_config, "mode = \"udp\"\n") && strcontains(local.service, "CapabilityBoundingSet=\nAmbientCapabilities=\nRestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n") && !strcontains(local.service, "nft")
    error_message = "Without rings the collector has no capability, and nothing touches the firewall."
  }

  assert {
    condition     = length([for file in local.cloud_config.write_files : file if file.path == "/etc/enigma/early.nft"]) == 0
    error_message = "Nobody needs the rule."
  }
}

run "nothing_more" {
  command = plan

  assert {
    condition     = !strcontains(local.collector_config, "tls_") && !strcontains(local.collector_config, "[enrich]") && output.collector_configuration == local.collector_config
    error_message = "Without more_configuration the file has the module's keys only, and the output shows it."
  }

  assert {
    condition     = length(one(local.cloud_config.runcmd)) == 3 && length([for file in local.cloud_config.write_files : file if endswith(file.path, "-prepare")]) == 0
    error_message = "Without a script nothing is prepared."
  }
}

run "more_configuration" {
  command = plan

  variables {
    more_configuration = {
      receive         = { pin = [2, 3], gro = true }
      "receive.allow" = { vnis = [1001, 1002], sources = ["10.0.0.0/8"] }
      flow            = { duplicates = "drop", interim = null }
      "export.file"   = { compress = "zstd" }
      health          = { window = "30s" }
      enrich          = { file = "/etc/enigma/directory \"1\".json" }
      log             = {}
    }
    workers = 2
  }

  assert {
    condition     = strcontains(local.collector_config, "buffer = \"64MiB\"\ngro = true\npin = [2,3]\n\n[flow]\n") && strcontains(local.collector_config, "memory = \"256MiB\"\nduplicates = \"drop\"\n\n[export]\n")
    error_message = "Keys must come into the sections that the module writes itself, and null must not."
  }

  assert {
    condition     = endswith(local.collector_config, "write_limit = \"10s\"\n\n[receive.allow]\nsources = [\"10.0.0.0/8\"]\nvnis = [1001,1002]\n\n[enrich]\nfile = \"/etc/enigma/directory \\\"1\\\".json\"\n")
    error_message = "Other sections must follow, and empty ones must not."
  }

  assert {
    condition     = aws_lb_target_group.collector.health_check[0].protocol == "HTTP"
    error_message = "Without a certificate health is asked in the clear."
  }
}

run "https" {
  command = plan

  variables {
    health             = { protocol = "HTTPS" }
    more_configuration = { http = { tls_certificate = "/etc/enigma/cert.pem", tls_key = "/etc/enigma/key.pem", token_file = "/etc/enigma/token" } }
    prepare_script     = "#!/bin/bash\ninstall-certificate\n"
  }

  assert {
    condition     = aws_lb_target_group.collector.health_check[0].protocol == "HTTPS" && aws_lb_target_group.collector.health_check[0].path == "/health/ready" && strcontains(local.collector_config, "tls_certificate = \"/etc/enigma/cert.pem\"\ntls_key = \"/etc/enigma/key.pem\"\n")
    error_message = "Load balancer and collector must agree on TLS."
  }

  assert {
    condition     = [for file in local.cloud_config.write_files : "${file.permissions} ${file.content}" if file.path == one(local.cloud_config.runcmd)[3]] == ["0700 #!/bin/bash\ninstall-certificate\n"]
    error_message = "The script must be one of the files, root's alone, and named to the installer."
  }
}
