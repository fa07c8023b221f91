# Counts and sentences only: an output made from `sessions` would show every session a second time in each plan.

output "summary" {
  description = "What the fleet is, in one sentence."
  value       = enigma_mirror_fleet.prod.summary
}

output "unread" {
  description = "Accounts and Regions that could not be read, and why. The fleet keeps its sessions there."
  value       = data.enigma_mirror_interfaces.prod.unread
}

output "by_place" {
  description = "How many interfaces are mirrored and skipped in each account and Region."
  value       = data.enigma_mirror_interfaces.prod.by_place
}

output "member_role_policy" {
  description = "The policy of the role in each member account."
  value       = data.enigma_iam_policy.prod.member_role_json
}

output "member_role_trust_policy" {
  description = "Who may assume that role."
  value       = data.enigma_iam_policy.prod.trust_policy_json
}
