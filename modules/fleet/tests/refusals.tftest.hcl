# Every validation refuses what it says it refuses: one wrong value a run, against a mocked provider.

mock_provider "enigma" {}

variables {
  name    = "prod"
  rules   = { everything = { vpc_ids = ["vpc-0a1b2c3d"] } }
  targets = { collectors = { network_interface_id = "eni-0a1b2c3d" } }
}

run "name_with_a_slash" {
  command = plan

  variables {
    name = "prod/web"
  }

  expect_failures = [var.name]
}

run "name_empty" {
  command = plan

  variables {
    name = ""
  }

  expect_failures = [var.name]
}

run "no_rule" {
  command = plan

  variables {
    rules = {}
  }

  expect_failures = [var.rules]
}

run "priority_of_a_half" {
  command = plan

  variables {
    rules = { all = { priority = 1.5 } }
  }

  expect_failures = [var.rules]
}

run "priority_negative" {
  command = plan

  variables {
    rules = { all = { priority = -1 } }
  }

  expect_failures = [var.rules]
}

run "interfaces_of_a_number" {
  command = plan

  variables {
    rules = { all = { interfaces = "first" } }
  }

  expect_failures = [var.rules]
}

run "rule_session_number_zero" {
  command = plan

  variables {
    rules = { all = { session_number = 0 } }
  }

  expect_failures = [var.rules]
}

run "rule_packet_length_short" {
  command = plan

  variables {
    rules = { all = { packet_length = 34 } }
  }

  expect_failures = [var.rules]
}

run "rule_target_unknown" {
  command = plan

  variables {
    rules = { all = { targets = ["elsewhere"] } }
  }

  expect_failures = [var.rules]
}

run "rule_filter_unknown" {
  command = plan

  variables {
    rules = { all = { filter = "quiet" } }
  }

  expect_failures = [var.rules]
}

run "eligible_type_with_capitals" {
  command = plan

  variables {
    eligible_instance_types = ["M8i"]
  }

  expect_failures = [var.eligible_instance_types]
}

run "no_target" {
  command = plan

  variables {
    targets = {}
  }

  expect_failures = [var.targets]
}

run "target_of_nothing" {
  command = plan

  variables {
    targets = { collectors = {} }
  }

  expect_failures = [var.targets]
}

run "target_of_two_kinds" {
  command = plan

  variables {
    targets = { collectors = { network_interface_id = "eni-0a1b2c3d", gateway_load_balancer_endpoint_id = "vpce-0a1b2c3d" } }
  }

  expect_failures = [var.targets]
}

run "target_for_less_than_nobody" {
  command = plan

  variables {
    targets = { collectors = { network_interface_id = "eni-0a1b2c3d", max_sessions = -1 } }
  }

  expect_failures = [var.targets]
}

run "no_filter" {
  command = plan

  variables {
    filters = {}
  }

  expect_failures = [var.filters]
}

run "filter_action_unknown" {
  command = plan

  variables {
    filters = { default = { rules = [{ action = "mirror" }] } }
  }

  expect_failures = [var.filters]
}

run "filter_direction_unknown" {
  command = plan

  variables {
    filters = { default = { rules = [{ action = "accept", direction = "in" }] } }
  }

  expect_failures = [var.filters]
}

run "filter_ip_version_unknown" {
  command = plan

  variables {
    filters = { default = { ip_versions = ["ipv5"], rules = [{ action = "accept" }] } }
  }

  expect_failures = [var.filters]
}

run "session_number_too_high" {
  command = plan

  variables {
    session = { number = 32767 }
  }

  expect_failures = [var.session]
}

run "session_packet_length_too_long" {
  command = plan

  variables {
    session = { packet_length = 9002 }
  }

  expect_failures = [var.session]
}

run "session_vni_of_zero" {
  command = plan

  variables {
    session = { vni = { from = 0 } }
  }

  expect_failures = [var.session]
}

run "session_vni_upside_down" {
  command = plan

  variables {
    session = { vni = { from = 20, to = 10 } }
  }

  expect_failures = [var.session]
}

run "safety_share_above_all" {
  command = plan

  variables {
    safety = { max_removals = "150%" }
  }

  expect_failures = [var.safety]
}

run "safety_on_ineligible_unknown" {
  command = plan

  variables {
    safety = { on_ineligible = "ignore" }
  }

  expect_failures = [var.safety]
}

run "tags_of_the_fleet" {
  command = plan

  variables {
    tags = { "enigma:fleet" = "other" }
  }

  expect_failures = [var.tags]
}

run "target_of_no_region" {
  command = plan

  variables {
    targets = { collectors = { network_interface_id = "eni-0a1b2c3d", region = "Frankfurt" } }
  }

  expect_failures = [var.targets]
}

run "target_over_no_known_path" {
  command = plan

  variables {
    targets = { collectors = { network_interface_id = "eni-0a1b2c3d", path = "vpn" } }
  }

  expect_failures = [var.targets]
}

run "target_of_a_short_account" {
  command = plan

  variables {
    targets = { collectors = { gateway_load_balancer_endpoint_id = "vpce-0a1b2c3d", account = "2222" } }
  }

  expect_failures = [var.targets]
}

run "account_of_an_interface" {
  command = plan

  variables {
    targets = { collectors = { network_interface_id = "eni-0a1b2c3d", account = "222222222222" } }
  }

  expect_failures = [var.targets]
}

run "east_west_of_no_networks" {
  command = plan

  variables {
    filters = { default = { east_west = false, rules = [{ action = "accept" }] } }
  }

  expect_failures = [var.filters]
}

run "internal_networks_without_effect" {
  command = plan

  variables {
    filters = { default = { internal_cidrs = ["10.0.0.0/8"], rules = [{ action = "accept" }] } }
  }

  expect_failures = [var.filters]
}

run "internal_networks_of_no_list" {
  command = plan

  variables {
    filters = { default = { east_west = false, internal_cidrs = ["vpcs"], rules = [{ action = "accept" }] } }
  }

  expect_failures = [var.filters]
}

run "rule_network_of_no_list" {
  command = plan

  variables {
    filters = { default = { rules = [{ action = "accept", local_cidrs = ["10.0.0.0"] }] } }
  }

  expect_failures = [var.filters]
}

run "cidr_list_empty" {
  command = plan

  variables {
    cidr_lists = { vpcs = [] }
  }

  expect_failures = [var.cidr_lists]
}

run "cidr_list_of_an_address" {
  command = plan

  variables {
    cidr_lists = { vpcs = ["10.0.0.1"] }
  }

  expect_failures = [var.cidr_lists]
}

run "safety_adopt_unknown" {
  command = plan

  variables {
    safety = { adopt = "all" }
  }

  expect_failures = [var.safety]
}

run "cost_of_words" {
  command = plan

  variables {
    cost = { session_hour_usd = "cheap" }
  }

  expect_failures = [var.cost]
}

run "timeout_without_a_unit" {
  command = plan

  variables {
    timeouts = { create = "90" }
  }

  expect_failures = [var.timeouts]
}

run "safety_forgets_a_name" {
  command = plan

  variables {
    safety = { forget_accounts = ["payments"] }
  }

  expect_failures = [var.safety]
}

run "directory_tags_without_a_key" {
  command = plan

  variables {
    directory_tags = [""]
  }

  expect_failures = [var.directory_tags]
}

run "mtu_of_a_load_balancer" {
  command = plan

  variables {
    targets = { collectors = {
      network_load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/c/0123456789abcdef"
      mtu                       = 1500
    } }
  }

  expect_failures = [var.targets]
}

run "mtu_too_small" {
  command = plan

  variables {
    targets = { collectors = { network_interface_id = "eni-0a1b2c3d", mtu = 100 } }
  }

  expect_failures = [var.targets]
}
