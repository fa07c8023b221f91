resource "enigma_mirror_fleet" "prod" {
  name    = "prod"
  members = data.enigma_mirror_interfaces.prod.members

  targets = {
    main = { network_load_balancer_arn = module.collector.nlb_arn }
  }

  filters = {
    default = { dns = true, rules = [{ action = "accept" }] }
    quiet = {
      rules = [
        { action = "reject", protocol = "tcp", remote_ports = ["3260"] },
        { action = "accept" },
      ]
    }
  }

  lifecycle {
    postcondition {
      condition     = self.pending_count == 0
      error_message = "${self.pending_count} of ${self.session_count} sessions are not made; the diagnostics above say why. Apply again."
    }
  }
}
