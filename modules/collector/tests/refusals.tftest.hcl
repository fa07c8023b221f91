# Every validation refuses what it says it refuses: one wrong value a run, against a mocked AWS.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = {
      partition  = "aws"
      dns_suffix = "amazonaws.com"
    }
  }
}

variables {
  name       = "prod"
  vpc_id     = "vpc-0a1b2c3d"
  subnet_ids = ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]
  sources    = { cidr_blocks = ["10.0.0.0/16"] }
  ami_id     = "ami-0123456789abcdef0"
  artifact = {
    url    = "https://artifacts.example.com/enigma-collector"
    sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
}

run "name_with_capitals" {
  command = plan

  variables {
    name = "Prod"
  }

  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan

  variables {
    name = "a-name-of-twenty-two-c"
  }

  expect_failures = [var.name]
}

run "name_reserved" {
  command = plan

  variables {
    name = "internal-prod"
  }

  expect_failures = [var.name]
}

run "tags_reserved_by_aws" {
  command = plan

  variables {
    tags = { "AWS:team" = "secops" }
  }

  expect_failures = [var.tags]
}

run "tags_written_by_the_module" {
  command = plan

  variables {
    tags = { "enigma:collector" = "other" }
  }

  expect_failures = [var.tags]
}

run "vpc_id_of_a_subnet" {
  command = plan

  variables {
    vpc_id = "subnet-0a1b2c3d"
  }

  expect_failures = [var.vpc_id]
}

run "no_subnet" {
  command = plan

  variables {
    subnet_ids = []
  }

  expect_failures = [var.subnet_ids]
}

run "subnet_twice" {
  command = plan

  variables {
    subnet_ids = ["subnet-0a1b2c3d", "subnet-0a1b2c3d"]
  }

  expect_failures = [var.subnet_ids]
}

run "subnet_name" {
  command = plan

  variables {
    subnet_ids = ["private-a"]
  }

  expect_failures = [var.subnet_ids]
}

run "no_source" {
  command = plan

  variables {
    sources = {}
  }

  expect_failures = [var.sources]
}

run "source_with_host_bits" {
  command = plan

  variables {
    sources = { cidr_blocks = ["10.0.0.1/16"] }
  }

  expect_failures = [var.sources]
}

run "source_of_ipv6" {
  command = plan

  variables {
    sources = { cidr_blocks = ["2001:db8::/32"] }
  }

  expect_failures = [var.sources]
}

run "source_anywhere" {
  command = plan

  variables {
    sources = { cidr_blocks = ["0.0.0.0/0"] }
  }

  expect_failures = [var.sources]
}

run "source_with_a_bad_name" {
  command = plan

  variables {
    sources = { security_group_ids = { "a/b?" = "sg-0a1b2c3d" } }
  }

  expect_failures = [var.sources]
}

run "egress_not_a_range" {
  command = plan

  variables {
    egress = { cidr_blocks = ["anywhere"] }
  }

  expect_failures = [var.egress]
}

run "egress_nowhere" {
  command = plan

  variables {
    egress = { cidr_blocks = [] }
  }

  expect_failures = [var.egress]
}

run "deregistration_too_long" {
  command = plan

  variables {
    deregistration_delay_seconds = 3601
  }

  expect_failures = [var.deregistration_delay_seconds]
}

run "artifact_without_tls" {
  command = plan

  variables {
    artifact = { url = "http://artifacts.example.com/c", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }

  expect_failures = [var.artifact]
}

run "artifact_with_quotes" {
  command = plan

  variables {
    artifact = { url = "https://artifacts.example.com/c' ; reboot", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }

  expect_failures = [var.artifact]
}

run "artifact_without_path" {
  command = plan

  variables {
    artifact = { url = "https://artifacts.example.com", sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }

  expect_failures = [var.artifact]
}

run "artifact_with_a_short_checksum" {
  command = plan

  variables {
    artifact = { url = "https://artifacts.example.com/c", sha256 = "abc123" }
  }

  expect_failures = [var.artifact]
}

run "instance_type_without_size" {
  command = plan

  variables {
    instance_type = "c6i"
  }

  expect_failures = [var.instance_type]
}

run "instance_type_that_loses_addresses" {
  command = plan

  variables {
    instance_type = "m3.large"
  }

  expect_failures = [var.instance_type]
}

run "architecture_unknown" {
  command = plan

  variables {
    architecture = "x86_64"
  }

  expect_failures = [var.architecture]
}

run "ami_id_is_a_name" {
  command = plan

  variables {
    ami_id = "ubuntu-22.04"
  }

  expect_failures = [var.ami_id]
}

run "ami_parameter_relative" {
  command = plan

  variables {
    ami_ssm_parameter = "golden/ami"
  }

  expect_failures = [var.ami_ssm_parameter]
}

run "size_of_nothing" {
  command = plan

  variables {
    size = { min = 0 }
  }

  expect_failures = [var.size]
}

run "size_upside_down" {
  command = plan

  variables {
    size = { min = 5 }
  }

  expect_failures = [var.size]
}

run "size_desired_outside" {
  command = plan

  variables {
    size = { desired = 9 }
  }

  expect_failures = [var.size]
}

run "cpu_too_high" {
  command = plan

  variables {
    target_cpu_percent = 99
  }

  expect_failures = [var.target_cpu_percent]
}

run "health_port_of_vxlan" {
  command = plan

  variables {
    health = { port = 4789 }
  }

  expect_failures = [var.health]
}

run "health_port_privileged" {
  command = plan

  variables {
    health = { port = 80 }
  }

  expect_failures = [var.health]
}

run "health_path_relative" {
  command = plan

  variables {
    health = { path = "ready" }
  }

  expect_failures = [var.health]
}

run "health_interval_too_short" {
  command = plan

  variables {
    health = { interval_seconds = 1 }
  }

  expect_failures = [var.health]
}

run "health_threshold_of_one" {
  command = plan

  variables {
    health = { threshold = 1 }
  }

  expect_failures = [var.health]
}

run "health_startup_too_long" {
  command = plan

  variables {
    health = { startup_seconds = 7201 }
  }

  expect_failures = [var.health]
}

run "health_share_above_one" {
  command = plan

  variables {
    health = { max_drop_share = 2, replace_unhealthy = false }
  }

  expect_failures = [var.health]
}

run "health_overload_cascade" {
  command = plan

  variables {
    health = { max_drop_share = 0.05 }
  }

  expect_failures = [var.health]
}

run "refresh_above_all" {
  command = plan

  variables {
    instance_refresh = { min_healthy_percentage = 101 }
  }

  expect_failures = [var.instance_refresh]
}

run "disk_too_small" {
  command = plan

  variables {
    root_volume = { size_gib = 8 }
  }

  expect_failures = [var.root_volume]
}

run "disk_key_alias" {
  command = plan

  variables {
    root_volume = { kms_key_arn = "arn:aws:kms:us-east-1:111111111111:alias/ebs" }
  }

  expect_failures = [var.root_volume]
}

run "hop_limit_of_zero" {
  command = plan

  variables {
    metadata_hop_limit = 0
  }

  expect_failures = [var.metadata_hop_limit]
}

run "boundary_is_a_name" {
  command = plan

  variables {
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "policy_is_a_name" {
  command = plan

  variables {
    policy_arns = { agent = "CloudWatchAgentServerPolicy" }
  }

  expect_failures = [var.policy_arns]
}

run "no_receive_buffer" {
  command = plan

  variables {
    receive_buffer_mib = 0
  }

  expect_failures = [var.receive_buffer_mib]
}

run "no_worker" {
  command = plan

  variables {
    workers = 0
  }

  expect_failures = [var.workers]
}

run "unknown_way_to_receive" {
  command = plan

  variables {
    receive_mode = "xdp"
  }

  expect_failures = [var.receive_mode]
}

run "flow_memory_in_bytes" {
  command = plan

  variables {
    flow_memory_mib = 268435456
  }

  expect_failures = [var.flow_memory_mib]
}

run "retention_of_nothing" {
  command = plan

  variables {
    records_retention_days = 0
  }

  expect_failures = [var.records_retention_days]
}

run "scaling_and_a_fixed_size" {
  command = plan

  variables {
    size               = { desired = 3 }
    target_cpu_percent = 60
  }

  expect_failures = [var.target_cpu_percent]
}

run "cloud_init_too_large" {
  command = plan

  variables {
    artifact = {
      url    = "https://artifacts.example.com/${join("", [for i in range(200) : "a-hundred-characters-of-a-signed-address-that-goes-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on"])}"
      sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    }
  }

  expect_failures = [aws_launch_template.collector]
}

run "more_configuration_is_text" {
  command = plan

  variables {
    more_configuration = "[flow]"
  }

  expect_failures = [var.more_configuration]
}

run "more_configuration_without_sections" {
  command = plan

  variables {
    more_configuration = { duplicates = "drop" }
  }

  expect_failures = [var.more_configuration]
}

run "more_configuration_of_an_unknown_key" {
  command = plan

  variables {
    more_configuration = { flow = { duplicate = "drop" } }
  }

  expect_failures = [var.more_configuration]
}

run "more_configuration_of_an_unknown_section" {
  command = plan

  variables {
    more_configuration = { flows = { duplicates = "drop" } }
  }

  expect_failures = [var.more_configuration]
}

run "more_configuration_in_the_wrong_section" {
  command = plan

  variables {
    more_configuration = { export = { compress = "zstd" } }
  }

  expect_failures = [var.more_configuration]
}

run "more_configuration_of_what_the_module_writes" {
  command = plan

  variables {
    more_configuration = { "export.file" = { directory = "/data" } }
  }

  expect_failures = [var.more_configuration]
}

run "more_configuration_with_an_object_for_a_value" {
  command = plan

  variables {
    more_configuration = { flow = { duplicates = { mode = "drop" } } }
  }

  expect_failures = [var.more_configuration]
}

run "more_configuration_with_a_list_of_lists" {
  command = plan

  variables {
    more_configuration = { "receive.allow" = { vnis = [[1], [2]] } }
  }

  expect_failures = [var.more_configuration]
}

run "health_over_a_protocol_that_is_none" {
  command = plan

  variables {
    health = { protocol = "TCP" }
  }

  expect_failures = [var.health]
}

run "https_without_a_certificate" {
  command = plan

  variables {
    health = { protocol = "HTTPS" }
  }

  expect_failures = [var.health]
}

run "certificate_without_https" {
  command = plan

  variables {
    more_configuration = { http = { tls_certificate = "/etc/enigma/cert.pem", tls_key = "/etc/enigma/key.pem" } }
  }

  expect_failures = [var.health]
}

run "prepare_script_that_nothing_runs" {
  command = plan

  variables {
    prepare_script = "install-certificate"
  }

  expect_failures = [var.prepare_script]
}

run "prepare_script_too_large" {
  command = plan

  variables {
    prepare_script = "#!/bin/bash\n${join("\n", [for line in range(1000) : "# sixteen letters"])}"
  }

  expect_failures = [aws_launch_template.collector]
}
