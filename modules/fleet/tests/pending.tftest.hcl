# A create that was only partly possible succeeds, so that nothing is tainted; the run must fail all the same.

mock_provider "enigma" {}

variables {
  name    = "prod"
  rules   = { everything = { vpc_ids = ["vpc-0a1b2c3d"] } }
  targets = { collectors = { network_interface_id = "eni-0a1b2c3d" } }
}

run "pending_sessions_fail_the_run" {
  command = apply

  override_resource {
    target = enigma_mirror_fleet.this
    values = {
      pending_count = 1
      session_count = 2
      summary       = "1 of 2 sessions is pending."
    }
  }

  expect_failures = [enigma_mirror_fleet.this]
}
