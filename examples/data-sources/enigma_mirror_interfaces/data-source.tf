data "enigma_mirror_interfaces" "prod" {
  rules = {
    everything = { vpc_ids = ["vpc-0123456789abcdef0"], priority = 200 }
    backups    = { tags = { role = ["backup", "nas"] }, filter = "quiet", priority = 100 }
    never      = { tags = { "enigma:mirror" = ["no"] }, mirror = false, priority = 1 }
  }
}

output "skipped" {
  value = data.enigma_mirror_interfaces.prod.skipped_by_reason
}
