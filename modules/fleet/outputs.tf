output "summary" {
  description = "One sentence that a reviewer reads first."
  value       = enigma_mirror_fleet.this.summary
}

output "session_count" {
  description = "How many interfaces have, or are about to get, a session."
  value       = enigma_mirror_fleet.this.session_count
}

output "member_count" {
  description = "How many interfaces the rules chose when the plan was made."
  value       = data.enigma_mirror_interfaces.this.member_count
}

output "skipped_count" {
  description = "How many interfaces a rule matched that are not mirrored."
  value       = data.enigma_mirror_interfaces.this.skipped_count
}

output "skipped_by_reason" {
  description = "The same by reason code, such as `unsupported_instance_type`."
  value       = data.enigma_mirror_interfaces.this.skipped_by_reason
}

output "skipped" {
  description = "Those interfaces by `account/region/eni`, each with its reason and a sentence."
  value       = data.enigma_mirror_interfaces.this.skipped
}

output "unmatched_count" {
  description = "How many interfaces were seen that no rule matches."
  value       = data.enigma_mirror_interfaces.this.unmatched_count
}

output "sessions" {
  description = "The sessions by `account/region/eni`. As an output of a root module it changes with every change of membership; prefer the counts there."
  value       = enigma_mirror_fleet.this.sessions
}

output "target_ids" {
  description = "Ids of the fleet's mirror targets by `account/region/target`."
  value       = enigma_mirror_fleet.this.target_ids
}

output "filter_ids" {
  description = "Ids of the fleet's mirror filters by `account/region/filter`."
  value       = enigma_mirror_fleet.this.filter_ids
}
