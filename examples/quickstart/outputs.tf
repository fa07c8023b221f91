# Counts and sentences only: an output made from `sessions` would show every session a second time in each plan.

output "summary" {
  description = "What the fleet is, in one sentence."
  value       = enigma_mirror_fleet.prod.summary
}

output "skipped_by_reason" {
  description = "How many interfaces are not mirrored, by reason."
  value       = data.enigma_mirror_interfaces.prod.skipped_by_reason
}
