# What a new instance does on its first boot: write the collector's configuration and unit, prepare what the caller wants
# there, fetch the program, compare its checksum, start. Nothing is installed from a package archive, so nothing but the artifact's address must be reachable.

locals {
  # The first and last are where the program looks and writes by itself; the second is loaded by the unit in mode "ring".
  config_path       = "/etc/enigma/collector.toml"
  early_path        = "/etc/enigma/early.nft"
  install_path      = "/usr/local/sbin/enigma-collector-install"
  prepare_path      = "/usr/local/sbin/enigma-collector-prepare"
  records_directory = "/var/log/enigma"

  # Two bounds on the records of an instance, whichever comes first: their age, and half of the disk that the system
  # leaves free. The other half is for files being written, one for each of ten streams.
  record_disk_mib       = max(1, (var.root_volume.size_gib - 8) * 1024 / 2)
  record_file_mib       = max(1, min(256, floor(local.record_disk_mib / 10)))
  record_files          = max(1, floor(local.record_disk_mib / local.record_file_mib))
  record_file_age_hours = min(744, max(1, ceil(var.records_retention_days * 24 / local.record_files)))
  receive_buffer        = "${var.receive_buffer_mib}MiB"
  drain_seconds         = ceil(var.health.interval_seconds * var.health.threshold) + 5
  final_write_seconds   = 10
  systemd_stop_seconds  = local.drain_seconds + local.final_write_seconds + 20

  service = templatefile("${path.module}/templates/enigma-collector.service.tftpl", {
    config_path  = local.config_path
    early_path   = local.early_path
    receive_mode = var.receive_mode
    stop_seconds = local.systemd_stop_seconds
  })

  cloud_config = {
    # No login account at all: Session Manager makes its own when an operator comes in.
    users = [{
      name           = "enigma-collector"
      gecos          = "Enigma collector"
      system         = true
      no_create_home = true
      lock_passwd    = true
      shell          = "/usr/sbin/nologin"
    }]
    disable_root    = true
    ssh_pwauth      = false
    package_update  = false
    package_upgrade = false

    write_files = concat([
      { path = local.config_path, owner = "root:root", permissions = "0644", content = local.collector_config },
      {
        path        = "/etc/systemd/system/enigma-collector.service"
        owner       = "root:root"
        permissions = "0644"
        content     = local.service
      },
      {
        path        = "/etc/sysctl.d/60-enigma-collector.conf"
        owner       = "root:root"
        permissions = "0644"
        content     = "net.core.rmem_max = ${var.receive_buffer_mib * 1024 * 1024}\n"
      },
      {
        path        = "/etc/tmpfiles.d/enigma-collector.conf"
        owner       = "root:root"
        permissions = "0644"
        content     = "d ${local.records_directory} 0750 enigma-collector enigma-collector ${var.records_retention_days}d\n"
      },
      { path = local.install_path, owner = "root:root", permissions = "0755", content = file("${path.module}/templates/install.sh") },
      ], var.receive_mode == "ring" ? [
      { path = local.early_path, owner = "root:root", permissions = "0644", content = file("${path.module}/templates/early.nft") },
      ] : [], var.prepare_script == null ? [] : [
      { path = local.prepare_path, owner = "root:root", permissions = "0700", content = var.prepare_script },
    ])

    # One command: the next would be run although the one before has failed.
    runcmd = [concat(
      [local.install_path, var.artifact.url, var.artifact.sha256],
      var.prepare_script == null ? [] : [local.prepare_path],
    )]
  }

  user_data = "#cloud-config\n${yamlencode(local.cloud_config)}"
}
