# The credentials of this provider belong to the security account, where the collectors are. Everything else is reached by the
# role that a stack set has put into each account of the units.
provider "enigma" {
  region = sort(var.regions)[0]

  organization = {
    unit_ids            = var.unit_ids
    exclude_account_ids = var.exclude_account_ids
    role_name           = "enigma-mirror"
    external_id         = var.external_id
    regions             = var.regions
  }

  default_tags = { tags = { owner = "security" } }

  endpoints = var.endpoint == null ? null : {
    ec2           = var.endpoint
    elbv2         = var.endpoint
    organizations = var.endpoint
    ram           = var.endpoint
    sts           = var.endpoint
  }
}

# Who: every production interface, whichever account it is in. An account that joins a unit is in the next plan.
data "enigma_mirror_interfaces" "prod" {
  rules = {
    production = { tags = { stage = ["prod"] }, interface_types = ["interface"], priority = 200 }
    never      = { tags = { "enigma:mirror" = ["no"] }, mirror = false, priority = 1 }
  }
}

# Whether what is sent there arrives, before anything is sent.
data "enigma_mirror_target" "collectors" {
  for_each                  = var.network_load_balancer_arns
  network_load_balancer_arn = each.value
}

check "collectors_receive" {
  assert {
    condition     = alltrue([for target in data.enigma_mirror_target.collectors : target.ready])
    error_message = join(" ", flatten([for target in data.enigma_mirror_target.collectors : target.problems]))
  }
}

# What: a target in each Region, shared with exactly the accounts that send to it.
resource "enigma_mirror_fleet" "prod" {
  name    = "prod"
  members = data.enigma_mirror_interfaces.prod.members

  targets = {
    for region, arn in var.network_load_balancer_arns : region => { network_load_balancer_arn = arn, region = region }
  }

  filters = {
    default = { dns = true, rules = [{ action = "accept" }] }
  }

  safety = { share_outside_organization = false }

  lifecycle {
    postcondition {
      condition     = self.pending_count == 0
      error_message = "${self.pending_count} of ${self.session_count} sessions are not made; the diagnostics above say why. Apply again."
    }
  }
}

# The policies for a stack set and for this account.
data "enigma_iam_policy" "prod" {
  fleet       = "prod"
  external_id = var.external_id
}
