provider "enigma" {
  region    = var.region
  endpoints = var.endpoint == null ? null : { ec2 = var.endpoint, elbv2 = var.endpoint, sts = var.endpoint }
}

# Who: discovery and selection. What is read here is what the plan shows and what the apply does.
data "enigma_mirror_interfaces" "prod" {
  rules = {
    everything = { vpc_ids = [var.vpc_id], priority = 200 }
    databases  = { vpc_ids = [var.vpc_id], tags = { role = ["database"] }, filter = "quiet", priority = 100 }
    never      = { vpc_ids = [var.vpc_id], tags = { role = ["backup"] }, mirror = false, priority = 1 }
  }
}

# What: one target, two filters with their rules, and one session for each member.
resource "enigma_mirror_fleet" "prod" {
  name    = "prod"
  members = data.enigma_mirror_interfaces.prod.members

  targets = {
    collectors = { network_load_balancer_arn = var.network_load_balancer_arn }
  }

  filters = {
    default = { dns = true, rules = [{ action = "accept" }] }
    quiet = {
      rules = [
        { action = "reject", protocol = "tcp", local_ports = ["5432"] },
        { action = "accept" },
      ]
    }
  }

  tags = { team = "secops" }

  lifecycle {
    postcondition {
      condition     = self.pending_count == 0
      error_message = "${self.pending_count} of ${self.session_count} sessions are not made; the diagnostics above say why. Apply again."
    }
  }
}
