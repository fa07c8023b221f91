# ---- Identity ---------------------------------------------------------------------------------------------------

variable "name" {
  description = "Name of this collector group: the name of its load balancer, target group and auto scaling group, and the value of the tag `enigma:collector` on everything it makes. Unique per account and Region."
  type        = string

  validation {
    # A load balancer's name: letters, digits and hyphens, no hyphen at either end, no `internal-` prefix. 21
    # characters leave room for the suffixes of name prefixes, of which the shortest limit is 32.
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}[a-z0-9]$", var.name)) && !startswith(var.name, "internal-")
    error_message = "name must be 2 to 21 lower-case letters, digits and hyphens, start with a letter, not end with a hyphen and not start with \"internal-\"."
  }
}

variable "tags" {
  description = "Tags for everything the module makes, instances and volumes of the group included. A provider's `default_tags` do not reach instances that an auto scaling group launches: repeat them here."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:") && !startswith(lower(key), "enigma:")])
    error_message = "tags must not use keys that start with \"aws:\" (reserved by AWS) or \"enigma:\" (written by the module)."
  }
}

# ---- Network ----------------------------------------------------------------------------------------------------

variable "vpc_id" {
  description = "VPC in which the load balancer and the collectors live. Both must be in one VPC, so that a collector sees the address of the mirrored interface."
  type        = string

  validation {
    condition     = can(regex("^vpc-[0-9a-f]+$", var.vpc_id))
    error_message = "vpc_id must be a VPC id such as \"vpc-0123456789abcdef0\"."
  }
}

variable "subnet_ids" {
  description = "Private subnets for the load balancer and the collectors, at most one per availability zone. Name one in every zone that has mirrored interfaces: traffic that crosses zones is billed."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0 && length(distinct(var.subnet_ids)) == length(var.subnet_ids)
    error_message = "subnet_ids must name at least one subnet, and none twice."
  }

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "subnet_ids must be subnet ids such as \"subnet-0123456789abcdef0\"."
  }
}

variable "sources" {
  description = "Who may send mirrored packets (UDP 4789): IPv4 ranges of the mirrored subnets, prefix lists, and security groups of mirrored interfaces by names of your choice. At least one. Security groups work within the VPC and its peers; through a transit gateway use ranges."
  type = object({
    cidr_blocks        = optional(list(string), [])
    prefix_list_ids    = optional(list(string), [])
    security_group_ids = optional(map(string), {})
  })

  validation {
    condition     = length(var.sources.cidr_blocks) + length(var.sources.prefix_list_ids) + length(var.sources.security_group_ids) > 0
    error_message = "sources must name at least one range, prefix list or security group: without one no mirrored packet would be admitted."
  }

  validation {
    # cidrnetmask takes IPv4 only, and cidrsubnet(c, 0, 0) clears host bits.
    condition = alltrue([for range in var.sources.cidr_blocks : can(cidrnetmask(range)) && try(cidrsubnet(range, 0, 0) == range, false)])

    error_message = "sources.cidr_blocks must be IPv4 ranges without host bits, such as \"10.0.0.0/16\": mirrored packets arrive over IPv4 from the interface's primary address."
  }

  validation {
    # The names go into the rules' descriptions, whose alphabet AWS bounds.
    condition     = alltrue([for name in keys(var.sources.security_group_ids) : can(regex("^[A-Za-z0-9 ._-]{1,64}$", name))])
    error_message = "sources.security_group_ids must have names of 1 to 64 letters, digits, spaces, dots, underscores and hyphens."
  }

  validation {
    condition     = !contains([for range in var.sources.cidr_blocks : try(split("/", range)[1], "")], "0")
    error_message = "sources.cidr_blocks must not contain a /0 range: anyone who can reach the load balancer could then inject packets. Name the ranges of the mirrored VPCs."
  }
}

variable "egress" {
  description = "Where collectors may connect to, over TCP 443 only: the artifact's address and the Systems Manager endpoints. The default is every address; name your interface endpoints' ranges and the S3 prefix list in a VPC without a way out. DNS and time need no rule in AWS."
  type = object({
    cidr_blocks     = optional(list(string), ["0.0.0.0/0"])
    prefix_list_ids = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = alltrue([for range in var.egress.cidr_blocks : can(cidrnetmask(range))])
    error_message = "egress.cidr_blocks must be IPv4 ranges such as \"10.0.0.0/16\"."
  }

  validation {
    condition     = length(var.egress.cidr_blocks) + length(var.egress.prefix_list_ids) > 0
    error_message = "egress must name at least one range or prefix list: collectors fetch their program over TCP 443."
  }
}

variable "cross_zone" {
  description = "Whether the load balancer sends to collectors in every zone. With false, mirrored packets of a zone without a healthy collector are lost, silently; with true, AWS bills the traffic between zones."
  type        = bool
  default     = true
}

variable "deregistration_delay_seconds" {
  description = "How long a collector that leaves the group still gets packets of flows it already has. Mirrored flows of a busy interface never fall idle, so a longer delay only postpones their move; 60 lets short flows finish where they began."
  type        = number
  default     = 60

  validation {
    condition     = var.deregistration_delay_seconds >= 0 && var.deregistration_delay_seconds <= 3600 && floor(var.deregistration_delay_seconds) == var.deregistration_delay_seconds
    error_message = "deregistration_delay_seconds must be a whole number from 0 to 3600, as AWS allows."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the load balancer. Turn it on where several fleets send to it, and off again before a destroy."
  type        = bool
  default     = false
}

# ---- The program ------------------------------------------------------------------------------------------------

variable "artifact" {
  description = "The collector's program: an https address that the instances can reach (the program itself, or a .tar.gz with `enigma-collector` at its top) and the SHA-256 of that file. An instance that gets anything else installs nothing and stays unhealthy."
  type = object({
    url    = string
    sha256 = string
  })

  validation {
    condition     = can(regex("^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?/[A-Za-z0-9._~:/?#@!$&()*+,;=%-]+$", var.artifact.url))
    error_message = "artifact.url must be an https address with a path, such as \"https://artifacts.example.com/enigma-collector-0.1.0-x86_64.tar.gz\"."
  }

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.artifact.sha256))
    error_message = "artifact.sha256 must be 64 lower-case hexadecimal digits, as sha256sum prints them."
  }
}

# ---- Instances --------------------------------------------------------------------------------------------------

variable "instance_type" {
  description = "Type of the collectors. Its network bandwidth bounds how much mirrored traffic one of them can take."
  type        = string
  # Sustained network bandwidth rather than burst credits decides; two current-generation vCPUs that every commercial,
  # GovCloud and China Region offers.
  default = "c6i.large"

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9-]+$", var.instance_type))
    error_message = "instance_type must be an EC2 instance type such as \"c6i.large\"."
  }

  validation {
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
    condition     = !contains(["c1", "cc1", "cc2", "cg1", "cg2", "cr1", "g1", "g2", "hi1", "hs1", "m1", "m2", "m3", "t1"], split(".", var.instance_type)[0])
    error_message = "instance_type is of a family for which a network load balancer cannot keep the sender's address, so every record would name the load balancer. Choose a current family such as c6i or c7g."
  }
}

variable "architecture" {
  description = "Processor architecture of instance_type and of the artifact: `amd64` or `arm64`. It chooses the Ubuntu image; unused when ami_id is set."
  type        = string
  default     = "amd64"

  validation {
    condition     = contains(["amd64", "arm64"], var.architecture)
    error_message = "architecture must be \"amd64\" or \"arm64\"."
  }
}

variable "ami_id" {
  description = "Image of the collectors: Ubuntu 22.04, or another with cloud-init, systemd and curl. Unset, the newest image that ami_ssm_parameter names is taken at each plan, and a new one replaces the instances one after another."
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null || can(regex("^ami-[0-9a-f]+$", var.ami_id))
    error_message = "ami_id must be an image id such as \"ami-0123456789abcdef0\"."
  }
}

variable "ami_ssm_parameter" {
  description = "Path of the Systems Manager parameter that holds the image id. Unset, Canonical's public parameter for Ubuntu 22.04 and the architecture is read. Unused when ami_id is set."
  type        = string
  default     = null

  validation {
    condition     = var.ami_ssm_parameter == null || can(regex("^/[A-Za-z0-9._/-]+$", var.ami_ssm_parameter))
    error_message = "ami_ssm_parameter must be the absolute path of a parameter, such as \"/golden/ubuntu-22.04/ami-id\"."
  }
}

variable "size" {
  description = "How many collectors: the least, the most, and how many now (unset: the least at first, then whatever the group has). Two by default, because a single one loses packets while it is replaced."
  type = object({
    min     = optional(number, 2)
    max     = optional(number, 4)
    desired = optional(number)
  })
  default = {}

  validation {
    condition     = var.size.min >= 1 && floor(var.size.min) == var.size.min && floor(var.size.max) == var.size.max
    error_message = "size.min and size.max must be whole numbers, and size.min at least 1: an empty group loses every mirrored packet and nothing reports it."
  }

  validation {
    condition     = var.size.min <= var.size.max
    error_message = "size.max must not be below size.min."
  }

  validation {
    condition     = var.size.desired == null ? true : var.size.desired >= var.size.min && var.size.desired <= var.size.max && floor(var.size.desired) == var.size.desired
    error_message = "size.desired must be a whole number from size.min to size.max."
  }
}

variable "target_cpu_percent" {
  description = "Average processor load that the group keeps by adding and removing collectors within `size`. Unset, the group changes its size only when told to. Each change may move mirrored interfaces to another collector, which then sees their open flows from the middle."
  type        = number
  default     = null

  validation {
    condition     = var.target_cpu_percent == null ? true : var.target_cpu_percent >= 10 && var.target_cpu_percent <= 90
    error_message = "target_cpu_percent must be from 10 to 90."
  }

  validation {
    condition     = var.target_cpu_percent == null || var.size.desired == null
    error_message = "target_cpu_percent and size.desired cannot both be set: the plan would undo what scaling did."
  }
}

variable "health" {
  description = "How the load balancer asks a collector whether it takes packets: port, path and protocol of its HTTP server (HTTPS where more_configuration gives it a certificate), seconds between two questions, and how many equal answers change the verdict. With replace_unhealthy the auto scaling group also replaces a collector that is found unhealthy, not before startup_seconds after its launch. With max_drop_share below 1 a collector that loses more than this share of its packets calls itself unhealthy."
  type = object({
    port              = optional(number, 8080)
    path              = optional(string, "/health/ready")
    protocol          = optional(string, "HTTP")
    interval_seconds  = optional(number, 10)
    threshold         = optional(number, 3)
    replace_unhealthy = optional(bool, true)
    startup_seconds   = optional(number, 180)
    max_drop_share    = optional(number, 1)
  })
  default = {}

  validation {
    condition     = var.health.port >= 1024 && var.health.port <= 65535 && var.health.port != 4789 && floor(var.health.port) == var.health.port
    error_message = "health.port must be a whole number from 1024 to 65535 other than 4789: the collector has no privilege to bind lower ports."
  }

  validation {
    condition     = can(regex("^/[A-Za-z0-9._/-]*$", var.health.path))
    error_message = "health.path must be an absolute path such as \"/health/ready\"."
  }

  validation {
    condition     = contains(["HTTP", "HTTPS"], var.health.protocol)
    error_message = "health.protocol must be \"HTTP\" or \"HTTPS\"."
  }

  validation {
    # A collector with a certificate answers nobody without TLS, and the other way round.
    condition     = (var.health.protocol == "HTTPS") == try(length(var.more_configuration.http.tls_certificate) > 0, false)
    error_message = "health.protocol must be \"HTTPS\" if and only if more_configuration has http.tls_certificate: otherwise no collector would ever be found healthy."
  }

  validation {
    condition     = var.health.interval_seconds >= 5 && var.health.interval_seconds <= 300 && var.health.threshold >= 2 && var.health.threshold <= 10
    error_message = "health.interval_seconds must be from 5 to 300 and health.threshold from 2 to 10, as AWS allows."
  }

  validation {
    condition     = var.health.max_drop_share >= 0 && var.health.max_drop_share <= 1
    error_message = "health.max_drop_share must be from 0 to 1."
  }

  validation {
    # An overloaded collector that is terminated hands its load to the others, which are then terminated in turn.
    condition     = var.health.max_drop_share == 1 || !var.health.replace_unhealthy
    error_message = "health.max_drop_share below 1 needs health.replace_unhealthy = false: otherwise an overload would terminate one collector after another, with the records on their disks."
  }

  validation {
    condition     = var.health.startup_seconds >= 0 && var.health.startup_seconds <= 7200
    error_message = "health.startup_seconds must be from 0 to 7200."
  }
}

variable "wait_for_healthy" {
  description = "Whether the apply that makes the group waits, ten minutes at most, until size.min collectors are healthy behind the load balancer, and one that changes size.desired until so many are. With false an apply can succeed although no collector works."
  type        = bool
  default     = true
}

variable "instance_refresh" {
  description = "Whether a change of image, configuration or artifact replaces the running collectors by itself, and how many percent of them must stay in service meanwhile. With enabled = false only new instances get the change."
  type = object({
    enabled                = optional(bool, true)
    min_healthy_percentage = optional(number, 50)
  })
  default = {}

  validation {
    condition     = var.instance_refresh.min_healthy_percentage >= 0 && var.instance_refresh.min_healthy_percentage <= 100
    error_message = "instance_refresh.min_healthy_percentage must be from 0 to 100."
  }
}

variable "root_volume" {
  description = "The collectors' disk (gp3, always encrypted): its size, which bounds the records an instance can keep, and the KMS key. Unset, the account's default EBS key is used; with a key of your own, grant it to the auto scaling service-linked role first."
  type = object({
    size_gib    = optional(number, 30)
    kms_key_arn = optional(string)
  })
  default = {}

  validation {
    condition     = var.root_volume.size_gib >= 10 && var.root_volume.size_gib <= 16384 && floor(var.root_volume.size_gib) == var.root_volume.size_gib
    error_message = "root_volume.size_gib must be a whole number from 10 (8 for the system, 2 for records) to 16384 (the largest gp3 volume)."
  }

  validation {
    condition     = var.root_volume.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.root_volume.kms_key_arn))
    error_message = "root_volume.kms_key_arn must be the ARN of a KMS key, not of an alias, such as \"arn:aws:kms:us-east-1:111111111111:key/...\"."
  }
}

variable "metadata_hop_limit" {
  description = "How many network hops an answer of the instance metadata service may take. 1 keeps it on the instance; containers on it need 2."
  type        = number
  default     = 1

  validation {
    condition     = var.metadata_hop_limit >= 1 && var.metadata_hop_limit <= 64 && floor(var.metadata_hop_limit) == var.metadata_hop_limit
    error_message = "metadata_hop_limit must be a whole number from 1 to 64, as AWS allows."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the instances' role, for accounts that demand one on every role. Unset, there is none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
}

variable "policy_arns" {
  description = "More IAM policies for the instances' role, by names of your choice, for example the one that lets your own agent report. Unset, the role can open Session Manager sessions and nothing else."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.policy_arns) : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", arn))])
    error_message = "policy_arns must be ARNs of IAM policies, such as \"arn:aws:iam::111111111111:policy/agent\"."
  }
}

# ---- The collector's own settings -------------------------------------------------------------------------------

variable "receive_buffer_mib" {
  description = "Kernel buffer of each receiving socket, and the kernel's bound on it (net.core.rmem_max), or size of each ring. It holds what arrives while the program is busy; what does not fit is dropped and counted."
  type        = number
  # At 10 Gbit/s and 1,500-byte packets the kernel accounts about 2.3 kB a packet, so 64 MiB cover roughly 30 ms.
  default = 64

  validation {
    condition     = var.receive_buffer_mib >= 1 && var.receive_buffer_mib <= 1024 && floor(var.receive_buffer_mib) == var.receive_buffer_mib
    error_message = "receive_buffer_mib must be a whole number from 1 to 1024."
  }
}

variable "workers" {
  description = "Receiving threads of a collector, each with its own flow table. The kernel steers both directions of a flow to one of them; only a flow of which some packets are fragmented and others are not may be reported in two parts with more than one."
  type        = number
  default     = 1

  validation {
    condition     = var.workers >= 1 && var.workers <= 64 && floor(var.workers) == var.workers
    error_message = "workers must be a whole number from 1 to 64."
  }
}

variable "receive_mode" {
  description = "How packets reach a collector: `udp` through sockets, without any privilege, or `ring` through memory that the kernel fills beside its UDP stack, at a fraction of the cost for each packet. A ring needs CAP_NET_RAW, which the collector's unit then has, and a firewall rule, which the unit sets where the image has `nft`; without it the collector warns and the kernel does the work of both ways."
  type        = string
  default     = "udp"

  validation {
    condition     = contains(["udp", "ring"], var.receive_mode)
    error_message = "receive_mode must be \"udp\" or \"ring\"."
  }
}

variable "flow_memory_mib" {
  description = "Memory for the flow tables of a collector. When it is full, the flow that was idle longest is written as a record and forgotten."
  type        = number
  # The collector's own default; a quarter of it fits the smallest sensible instance.
  default = 256

  validation {
    condition     = var.flow_memory_mib >= 1 && var.flow_memory_mib <= 65536 && floor(var.flow_memory_mib) == var.flow_memory_mib
    error_message = "flow_memory_mib must be a whole number from 1 to 65536."
  }
}

variable "records_retention_days" {
  description = "After how many days an instance deletes its own record files, or earlier when its disk demands it. They live on its disk and go with it: ship them elsewhere if they must outlive the instance."
  type        = number
  default     = 7

  validation {
    condition     = var.records_retention_days >= 1 && var.records_retention_days <= 365 && floor(var.records_retention_days) == var.records_retention_days
    error_message = "records_retention_days must be a whole number from 1 to 365."
  }
}

variable "more_configuration" {
  description = "Further keys of the collector's configuration file, by section: `{ flow = { duplicates = \"drop\" }, \"export.file\" = { compress = \"zstd\" } }`. Keys that the module writes itself are refused; null is as if absent. A plan checks names, the collector checks values at its first boot: an instance whose configuration it refuses installs nothing and stays unhealthy, which `enigma-collector check-config` with the output `collector_configuration` tells before. Files that are named here must be on the image, or put there by prepare_script."
  type        = any
  default     = {}

  validation {
    condition = can(keys(var.more_configuration)) && alltrue([
      for section in try(values(var.more_configuration), []) : can(keys(section))
    ])
    error_message = "more_configuration must be an object of sections, each an object of keys, such as { flow = { duplicates = \"drop\" } }."
  }

  validation {
    condition = alltrue(flatten([
      for section, keys in try({ for name, keys in var.more_configuration : name => keys(keys) }, {}) : [
        for key in keys : contains(lookup(local.configuration_keys, section, []), key)
      ]
    ]))
    error_message = "more_configuration has keys that the collector does not know: ${join(", ", flatten([
      for section, keys in try({ for name, keys in var.more_configuration : name => keys(keys) }, {}) : [
        for key in keys : "${section}.${key}" if !contains(lookup(local.configuration_keys, section, []), key)
      ]
    ]))}. Its sections are ${join(", ", keys(local.configuration_keys))}; their keys are in docs/reference/configuration.md."
  }

  validation {
    condition = alltrue([for name in local.own_configuration_keys : try(
      var.more_configuration[regex("^(.*)[.]", name)[0]][regex("[^.]*$", name)] == null, true
    )])
    error_message = "more_configuration must leave to the module what it writes itself: ${join(", ", local.own_configuration_keys)}. Variables of their own, such as workers and flow_memory_mib, set most of them."
  }

  validation {
    condition = alltrue(flatten([
      for section in try(values(var.more_configuration), []) : [
        for value in try(values(section), []) :
        can(tostring(value)) || try(!can(keys(value)) && alltrue([for item in tolist(value) : tostring(item) != null]), false)
      ]
    ]))
    error_message = "more_configuration takes texts, numbers, true, false and lists of them as values."
  }
}

variable "prepare_script" {
  description = "Script that each new instance runs as root at its first boot, before it installs the program; it begins with `#!`. It is for what the configuration names: it fetches a certificate and its key, a token or a directory of sessions from where the instance's role (`policy_arns`) may read, and gives them to the group `enigma-collector`. If it fails, nothing is installed and the instance stays unhealthy. Keep secrets themselves out of it: user data is read by every program on the instance, and by whoever may describe it. Unset, nothing is run."
  type        = string
  default     = null

  validation {
    condition     = var.prepare_script == null ? true : startswith(var.prepare_script, "#!/")
    error_message = "prepare_script must begin with the path of what runs it, such as \"#!/bin/bash\"."
  }
}
