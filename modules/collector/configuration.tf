# The collector's configuration file: what the module decides, with what more_configuration adds to it. The program itself
# checks the values, at boot; names are checked here, because a plan is where people look.

locals {
  # Every key of the file, by section, in the order of the collector's own reference.
  configuration_keys = {
    "receive"       = ["listen", "geneve", "workers", "pin", "buffer", "batch_wait", "mode", "interface", "steering", "gro"]
    "receive.allow" = ["vnis", "sources"]
    "flow" = [
      "memory", "content_memory", "local_networks", "duplicates", "duplicate_window", "duplicate_memory", "interim",
      "vantage_packets", "vantage_burst", "tcp_attempt", "tcp_opening", "tcp_idle", "tcp_interactive", "tcp_closed", "udp",
      "icmp", "other", "community_id_seed",
    ]
    "enrich"      = ["file", "interval"]
    "export"      = ["to", "queue"]
    "export.file" = ["directory", "rotate_size", "rotate_interval", "keep_files", "keep_size", "compress", "flush_interval"]
    "http"        = ["listen", "tls_certificate", "tls_key", "token_file"]
    "health"      = ["max_drop_share", "window"]
    "shutdown"    = ["drain", "write_limit"]
    "log"         = ["level", "format", "file"]
  }

  # Written from variables of their own, or tied to the rest of the instance.
  own_configuration_keys = [
    "receive.listen", "receive.workers", "receive.mode", "receive.buffer", "flow.memory", "export.to", "export.file.directory",
    "export.file.rotate_size", "export.file.rotate_interval", "export.file.keep_files", "export.file.keep_size", "http.listen",
    "health.max_drop_share", "shutdown.drain", "shutdown.write_limit",
  ]

  # Lines by section, in the order of keys. A text, number, truth or list of them looks the same in JSON and in TOML.
  more_lines = { for section in keys(local.configuration_keys) : section => join("", [
    for key, value in try(var.more_configuration[section], {}) : "${key} = ${jsonencode(value)}\n" if value != null
  ]) }

  # Of sections that the template does not write itself.
  more_sections = join("", [
    for section in ["receive.allow", "enrich", "log"] : "\n[${section}]\n${local.more_lines[section]}" if local.more_lines[section] != ""
  ])

  collector_config = templatefile("${path.module}/templates/collector.toml.tftpl", {
    vxlan_port        = local.vxlan_port
    health_port       = var.health.port
    receive_buffer    = local.receive_buffer
    workers           = var.workers
    receive_mode      = var.receive_mode
    flow_memory       = "${var.flow_memory_mib}MiB"
    records_directory = local.records_directory
    record_file_size  = "${local.record_file_mib}MiB"
    record_file_age   = "${local.record_file_age_hours}h"
    record_files      = local.record_files
    record_disk       = "${local.record_disk_mib}MiB"
    max_drop_share    = var.health.max_drop_share
    drain             = "${local.drain_seconds}s"
    final_write       = "${local.final_write_seconds}s"
    more              = local.more_lines
    more_sections     = local.more_sections
  })
}
