# A fleet in one call: who is mirrored (read once, frozen in a saved plan), the sessions that make it so, and the condition
# that lets no run succeed while a promised session is missing.

data "enigma_mirror_interfaces" "this" {
  rules                   = var.rules
  eligible_instance_types = var.eligible_instance_types
}

resource "enigma_mirror_fleet" "this" {
  name    = var.name
  members = data.enigma_mirror_interfaces.this.members
  targets = var.targets
  filters = var.filters
  session = var.session
  safety  = var.safety
  tags    = var.tags

  lifecycle {
    # A create that was only partly possible succeeds with warnings, because Terraform would otherwise replace the whole
    # fleet. Without this, nothing would stop a pipeline then.
    postcondition {
      condition     = self.pending_count == 0
      error_message = self.summary
    }
  }
}
