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
    }
  }

  mock_resource "enigma_mirror_fleet" {
    defaults = {
      pending_count = 0
      session_count = 2
      summary       = "2 sessions."
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
    condition     = enigma_mirror_fleet.this.filters == null && enigma_mirror_fleet.this.session == null && enigma_mirror_fleet.this.safety == null
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
}

run "every_input_reaches_the_provider" {
  command = plan

  variables {
    rules = {
      all   = { vpc_ids = ["vpc-0a1b2c3d"], priority = 200, filter = "quiet", targets = ["collectors"], session_number = 7, packet_length = 128, interfaces = "primary", exclude = { tags = { role = ["nas"] } } }
      never = { tags = { "enigma:mirror" = ["no"] }, mirror = false, priority = 1 }
    }
    eligible_instance_types = ["m8i"]
    filters = {
      quiet = { dns = true, ip_versions = ["ipv4"], rules = [{ action = "reject", protocol = "tcp", ports = ["3260"], direction = "both" }, { action = "accept" }] }
    }
    session = { number = 100, packet_length = 512, vni = { from = 1000, to = 1999 } }
    safety  = { max_removals = "10%", on_ineligible = "fail" }
    tags    = { team = "secops" }
  }

  assert {
    condition     = data.enigma_mirror_interfaces.this.rules["all"].exclude.tags["role"] == tolist(["nas"]) && data.enigma_mirror_interfaces.this.rules["never"].mirror == false && data.enigma_mirror_interfaces.this.eligible_instance_types == toset(["m8i"])
    error_message = "Rules must reach the data source whole."
  }

  assert {
    condition     = enigma_mirror_fleet.this.filters["quiet"].rules[0].ports == tolist(["3260"]) && enigma_mirror_fleet.this.filters["quiet"].rules[1].action == "accept" && enigma_mirror_fleet.this.filters["quiet"].dns
    error_message = "Filters must reach the fleet whole and in order."
  }

  assert {
    condition     = enigma_mirror_fleet.this.session.vni.from == 1000 && enigma_mirror_fleet.this.session.packet_length == 512 && enigma_mirror_fleet.this.safety.max_removals == "10%" && enigma_mirror_fleet.this.tags == tomap({ team = "secops" })
    error_message = "Session, safety and tags must reach the fleet."
  }
}
