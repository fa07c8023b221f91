# A fleet in one call: who is mirrored (read once, frozen in a saved plan), the sessions that make it so, and the condition
# that lets no run succeed while a promised session is missing.

data "enigma_mirror_interfaces" "this" {
  rules                   = var.rules
  eligible_instance_types = var.eligible_instance_types
  directory_tags          = var.directory_tags
}

resource "enigma_mirror_fleet" "this" {
  name       = var.name
  members    = data.enigma_mirror_interfaces.this.members
  targets    = var.targets
  filters    = var.filters
  cidr_lists = var.cidr_lists
  session    = var.session
  safety     = var.safety
  cost       = var.cost
  tags       = var.tags

  dynamic "timeouts" {
    for_each = var.timeouts == null ? [] : [var.timeouts]

    content {
      create = timeouts.value.create
      update = timeouts.value.update
      delete = timeouts.value.delete
    }
  }

  lifecycle {
    # A create that was only partly possible succeeds with warnings, because Terraform would otherwise replace the whole
    # fleet. Without this, nothing would stop a pipeline then.
    postcondition {
      condition     = self.pending_count == 0
      error_message = "${self.pending_count} of ${self.session_count} sessions are not made; the diagnostics above say why. Apply again."
    }
  }
}
