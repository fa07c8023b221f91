# What the module hands to the provider and gives back, against a mocked provider: no AWS.

mock_provider "enigma" {
  mock_data "enigma_mirror_interfaces" {
    defaults = {
      members           = {}
      member_count      = 2
      skipped           = { "111111111111/us-east-1/eni-0c" = { reason = "is_target", detail = "It is a mirror target." } }
      skipped_by_reason = { is_target = 1 }
      skipped_count     = 1
      unmatched_count   = 3
      unread            = { "222222222222/us-east-1" = "The role cannot be assumed." }
      left_out          = { "333333333333" = "It is excluded." }
      by_place          = { "111111111111/us-east-1" = { account = "main", member_count = 2, skipped_count = 1 } }
    }
  }

  mock_resource "enigma_mirror_fleet" {
    defaults = {
      pending_count = 0
      session_count = 2
      summary       = "2 sessions."

      coverage                   = { matched = 3, mirrored = 2, skipped = 1, percent = 66 }
      directory_json             = "{\"sessions\":[]}"
      estimated_monthly_cost_usd = 22
      filter_rules               = { "111111111111/us-east-1/default/ingress/1" = "accept all" }
      spec_json                  = "{\"name\":\"prod\"}"
      shares                     = { "111111111111/us-east-1" = { arn = "arn:aws:ram:us-east-1:111111111111:resource-share/1", accounts = ["222222222222"], targets = ["collectors"] } }
    }
  }
}

variables {
  name    = "prod"
  rules   = { everything = { vpc_ids = ["vpc-0a1b2c3d"] } }
  targets = { collectors = { network_interface_id = "eni-0a1b2c3d" } }
}

run "smallest_call" {
  command = apply

  assert {
    condition     = data.enigma_mirror_interfaces.this.rules["everything"].vpc_ids == tolist(["vpc-0a1b2c3d"]) && data.enigma_mirror_interfaces.this.rules["everything"].priority == null
    error_message = "What is not written must stay unset, so that the provider's defaults hold."
  }

  assert {
    condition     = enigma_mirror_fleet.this.filters == null && enigma_mirror_fleet.this.session == null && enigma_mirror_fleet.this.safety == null && enigma_mirror_fleet.this.cidr_lists == null && enigma_mirror_fleet.this.cost == null && enigma_mirror_fleet.this.timeouts == null
    error_message = "Inputs that are left out must stay unset."
  }

  assert {
    condition     = output.session_count == 2 && output.member_count == 2 && output.skipped_count == 1 && output.unmatched_count == 3 && output.summary == "2 sessions."
    error_message = "Counts and summary must be the provider's."
  }

  assert {
    condition     = output.skipped["111111111111/us-east-1/eni-0c"].reason == "is_target" && output.skipped_by_reason == tomap({ is_target = 1 })
    error_message = "Who is left out, and why, must be given back."
  }

  assert {
    condition     = output.unread == tomap({ "222222222222/us-east-1" = "The role cannot be assumed." }) && output.left_out == tomap({ "333333333333" = "It is excluded." }) && output.by_place["111111111111/us-east-1"].member_count == 2
    error_message = "What was not read, and what was found where, must be given back."
  }

  assert {
    condition     = output.coverage.percent == 66 && output.estimated_monthly_cost_usd == 22 && output.shares["111111111111/us-east-1"].accounts[0] == "222222222222" && length(output.filter_rules) == 1
    error_message = "Coverage, cost, shares and compiled rules must be the provider's."
  }

  assert {
    condition     = nonsensitive(output.spec_json) == "{\"name\":\"prod\"}" && nonsensitive(output.directory_json) == "{\"sessions\":[]}"
    error_message = "What programs read must be the provider's."
  }
}

run "every_input_reaches_the_provider" {
  command = plan

  variables {
    rules = {
      all   = { vpc_ids = ["vpc-0a1b2c3d"], priority = 200, filter = "quiet", targets = ["collectors"], session_number = 7, packet_length = 128, interfaces = "primary", exclude = { tags = { role = ["nas"] }, services = ["rds"] } }
      never = { tags = { "enigma:mirror" = ["no"] }, mirror = false, priority = 1 }
    }
    eligible_instance_types = ["m8i"]
    filters = {
      quiet = { dns = true, ip_versions = ["ipv4"], east_west = false, internal_cidrs = ["vpcs"], rules = [{ action = "reject", remote_cidrs = ["nas"] }, { action = "reject", protocol = "tcp", ports = ["3260"], direction = "both" }, { action = "accept" }] }
    }
    cidr_lists = { vpcs = ["10.0.0.0/8", "2001:db8::/32"], nas = ["192.0.2.0/24"] }
    targets = {
      collectors = { network_interface_id = "eni-0a1b2c3d", region = "eu-central-1", path = "transit_gateway", availability_zones = ["eu-central-1a"], max_sessions = 0 }
      endpoint   = { gateway_load_balancer_endpoint_id = "vpce-0a1b2c3d", account = "222222222222", vpc_ids = ["vpc-0a1b2c3d"] }
    }
    session  = { number = 100, packet_length = 512, vni = { from = 1000, to = 1999 } }
    safety   = { max_removals = "10%", on_ineligible = "fail", adopt = "matching", share_outside_organization = false }
    cost     = { session_hour_usd = "0.02" }
    timeouts = { create = "2h", update = "1h30m" }
    tags     = { team = "secops" }
  }

  assert {
    condition     = data.enigma_mirror_interfaces.this.rules["all"].exclude.tags["role"] == tolist(["nas"]) && data.enigma_mirror_interfaces.this.rules["all"].exclude.services == tolist(["rds"]) && data.enigma_mirror_interfaces.this.rules["never"].mirror == false && data.enigma_mirror_interfaces.this.eligible_instance_types == toset(["m8i"])
    error_message = "Rules must reach the data source whole."
  }

  assert {
    condition     = enigma_mirror_fleet.this.filters["quiet"].rules[1].ports == tolist(["3260"]) && enigma_mirror_fleet.this.filters["quiet"].rules[2].action == "accept" && enigma_mirror_fleet.this.filters["quiet"].dns
    error_message = "Filters must reach the fleet whole and in order."
  }

  assert {
    condition     = enigma_mirror_fleet.this.filters["quiet"].east_west == false && enigma_mirror_fleet.this.filters["quiet"].internal_cidrs == tolist(["vpcs"]) && enigma_mirror_fleet.this.filters["quiet"].rules[0].remote_cidrs == tolist(["nas"]) && enigma_mirror_fleet.this.cidr_lists["nas"] == tolist(["192.0.2.0/24"])
    error_message = "Networks and the lists that name them must reach the fleet."
  }

  assert {
    condition     = enigma_mirror_fleet.this.targets["collectors"].region == "eu-central-1" && enigma_mirror_fleet.this.targets["collectors"].path == "transit_gateway" && enigma_mirror_fleet.this.targets["collectors"].availability_zones == toset(["eu-central-1a"]) && enigma_mirror_fleet.this.targets["collectors"].max_sessions == 0 && enigma_mirror_fleet.this.targets["endpoint"].account == "222222222222" && enigma_mirror_fleet.this.targets["endpoint"].vpc_ids == toset(["vpc-0a1b2c3d"]) && enigma_mirror_fleet.this.targets["endpoint"].max_sessions == null
    error_message = "Where targets are, and how many sources they take, must reach the fleet."
  }

  assert {
    condition     = enigma_mirror_fleet.this.safety.adopt == "matching" && enigma_mirror_fleet.this.safety.share_outside_organization == false && enigma_mirror_fleet.this.cost.session_hour_usd == "0.02" && enigma_mirror_fleet.this.timeouts.create == "2h" && enigma_mirror_fleet.this.timeouts.update == "1h30m" && enigma_mirror_fleet.this.timeouts.delete == null
    error_message = "Adoption, sharing, cost and time limits must reach the fleet."
  }

  assert {
    condition     = enigma_mirror_fleet.this.session.vni.from == 1000 && enigma_mirror_fleet.this.session.packet_length == 512 && enigma_mirror_fleet.this.safety.max_removals == "10%" && enigma_mirror_fleet.this.tags == tomap({ team = "secops" })
    error_message = "Session, safety and tags must reach the fleet."
  }
}
