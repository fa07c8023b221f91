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

output "filter_rules" {
  description = "What the filters compile to: one AWS rule by `account/region/filter/direction/number`."
  value       = enigma_mirror_fleet.this.filter_rules
}

output "shares" {
  description = "The resource shares that let other accounts send to the fleet's targets, by `account/region`: ARN, accounts and targets."
  value       = enigma_mirror_fleet.this.shares
}

output "unread" {
  description = "The places `account/region` that could not be read, and why. The fleet keeps its sessions there."
  value       = data.enigma_mirror_interfaces.this.unread
}

output "left_out" {
  description = "The organization's accounts that are not read, by id, and why."
  value       = data.enigma_mirror_interfaces.this.left_out
}

output "by_place" {
  description = "What was found in each place `account/region` that was read: how many members, and how many skipped."
  value       = data.enigma_mirror_interfaces.this.by_place
}

output "coverage" {
  description = "How many of the interfaces that rules mean to mirror are mirrored: `matched`, `mirrored`, `skipped` and `percent`."
  value       = enigma_mirror_fleet.this.coverage
}

output "estimated_monthly_cost_usd" {
  description = "What the sessions cost in 730 hours, in whole US dollars rounded up; traffic, load balancers and collectors are not in it."
  value       = enigma_mirror_fleet.this.estimated_monthly_cost_usd
}

output "directory_json" {
  description = "Who is behind each virtual network id, as JSON for the collector. Sensitive only to keep plans short."
  value       = enigma_mirror_fleet.this.directory_json
  sensitive   = true
}

output "spec_json" {
  description = "The fleet's arguments without its members as JSON, for programs that check the fleet outside of Terraform. Sensitive only to keep plans short."
  value       = enigma_mirror_fleet.this.spec_json
  sensitive   = true
}
