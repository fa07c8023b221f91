variable "name" {
  description = "The fleet's identity: the value of the tag `enigma:fleet` on everything it makes. Another name is another fleet."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits, hyphens, underscores and dots."
  }
}

variable "rules" {
  description = "Who is mirrored, by names of your choice. Values of one key are alternatives, keys must all hold; `exclude` takes the same keys. Each interface is decided by the first rule, in ascending `priority`, that matches it; no match, no mirror."
  type = map(object({
    priority       = optional(number)
    mirror         = optional(bool)
    interfaces     = optional(string)
    filter         = optional(string)
    targets        = optional(list(string))
    session_number = optional(number)
    packet_length  = optional(number)

    accounts                 = optional(list(string))
    regions                  = optional(list(string))
    vpc_ids                  = optional(list(string))
    subnet_ids               = optional(list(string))
    availability_zones       = optional(list(string))
    instance_ids             = optional(list(string))
    auto_scaling_group_names = optional(list(string))
    network_interface_ids    = optional(list(string))
    instance_types           = optional(list(string))
    tags                     = optional(map(list(string)))
    interface_tags           = optional(map(list(string)))
    interface_types          = optional(list(string))
    services                 = optional(list(string))

    exclude = optional(object({
      accounts                 = optional(list(string))
      regions                  = optional(list(string))
      vpc_ids                  = optional(list(string))
      subnet_ids               = optional(list(string))
      availability_zones       = optional(list(string))
      instance_ids             = optional(list(string))
      auto_scaling_group_names = optional(list(string))
      network_interface_ids    = optional(list(string))
      instance_types           = optional(list(string))
      tags                     = optional(map(list(string)))
      interface_tags           = optional(map(list(string)))
      interface_types          = optional(list(string))
      services                 = optional(list(string))
    }))
  }))

  validation {
    condition     = length(var.rules) >= 1 && length(var.rules) <= 500
    error_message = "rules must have 1 to 500 entries: without one nothing would be mirrored."
  }

  validation {
    condition     = alltrue([for rule in values(var.rules) : rule.priority == null ? true : rule.priority >= 0 && rule.priority <= 1000000 && floor(rule.priority) == rule.priority])
    error_message = "rules: every priority must be a whole number from 0 to 1000000; lower decides first."
  }

  validation {
    condition     = alltrue([for rule in values(var.rules) : rule.interfaces == null ? true : contains(["all", "primary"], rule.interfaces)])
    error_message = "rules: interfaces must be \"all\" or \"primary\"."
  }

  validation {
    condition     = alltrue(flatten([for rule in values(var.rules) : [for service in concat(coalesce(rule.services, []), try(coalesce(rule.exclude.services, []), [])) : contains(["elasticache", "rds"], service)]]))
    error_message = "rules: services must be \"rds\", \"elasticache\" or both: of interfaces that services manage AWS mirrors no others."
  }

  validation {
    condition     = alltrue([for rule in values(var.rules) : rule.session_number == null ? true : rule.session_number >= 1 && rule.session_number <= 32766])
    error_message = "rules: session_number must be from 1 to 32766, as AWS allows."
  }

  validation {
    condition     = alltrue([for rule in values(var.rules) : rule.packet_length == null ? true : rule.packet_length >= 35 && rule.packet_length <= 9001])
    error_message = "rules: packet_length must be from 35 to 9001 bytes."
  }

  validation {
    condition     = alltrue([for rule in values(var.rules) : alltrue([for target in coalesce(rule.targets, []) : contains(keys(var.targets), target)])])
    error_message = "rules: every entry of a rule's targets must be a key of the targets of this call."
  }

  validation {
    condition     = alltrue([for rule in values(var.rules) : rule.filter == null ? true : contains(var.filters == null ? ["default"] : keys(var.filters), rule.filter)])
    error_message = "rules: a rule's filter must be a key of the filters of this call (\"default\" when there are none)."
  }
}

variable "eligible_instance_types" {
  description = "Instance types, families or patterns to treat as mirrorable although the provider's dated list does not have them yet. Unset, only the list counts."
  type        = set(string)
  default     = null

  validation {
    condition     = var.eligible_instance_types == null ? true : alltrue([for type in var.eligible_instance_types : can(regex("^[a-z0-9*-]+(\\.[a-z0-9*-]+)?$", type))])
    error_message = "eligible_instance_types must be types (\"m8i.large\"), families (\"m8i\") or patterns (\"m8i.*\")."
  }
}

variable "directory_tags" {
  description = "Keys of tags that `directory_json` carries, those of the instance before those of the interface, so that they are on the collector's records. Unset, none."
  type        = set(string)
  default     = null

  validation {
    condition     = var.directory_tags == null ? true : alltrue([for key in var.directory_tags : length(key) >= 1 && length(key) <= 128])
    error_message = "directory_tags must be keys of tags, of 1 to 128 characters."
  }
}

variable "targets" {
  description = "Where sessions send, by names of your choice: each names exactly one network interface, network load balancer or Gateway Load Balancer endpoint, its Region unless it is the provider's, the account that owns the endpoint unless it is the provider's, how packets of other VPCs get to it (`path`), the MTU of an interface unless it is 9001, and may prefer availability zones, name the VPCs whose sources it takes, and bound how many; `max_sessions = 0` moves all of them to other targets."
  type = map(object({
    network_interface_id              = optional(string)
    network_load_balancer_arn         = optional(string)
    gateway_load_balancer_endpoint_id = optional(string)
    region                            = optional(string)
    account                           = optional(string)
    path                              = optional(string)
    mtu                               = optional(number)
    availability_zones                = optional(set(string))
    vpc_ids                           = optional(set(string))
    max_sessions                      = optional(number)
  }))

  validation {
    condition     = length(var.targets) >= 1 && length(var.targets) <= 100
    error_message = "targets must have 1 to 100 entries."
  }

  validation {
    condition = alltrue([for target in values(var.targets) : length([for given in [
      target.network_interface_id != null, target.network_load_balancer_arn != null, target.gateway_load_balancer_endpoint_id != null,
    ] : given if given]) == 1])
    error_message = "targets: each must name exactly one of network_interface_id, network_load_balancer_arn and gateway_load_balancer_endpoint_id."
  }

  validation {
    condition     = alltrue([for target in values(var.targets) : target.max_sessions == null ? true : target.max_sessions >= 0 && target.max_sessions <= 10000 && floor(target.max_sessions) == target.max_sessions])
    error_message = "targets: max_sessions must be a whole number from 0, which moves every source elsewhere, to 10000."
  }

  validation {
    condition     = alltrue([for target in values(var.targets) : target.vpc_ids == null ? true : length(target.vpc_ids) >= 1 && alltrue([for vpc in target.vpc_ids : can(regex("^vpc-[0-9a-f]{8}([0-9a-f]{9})?$", vpc))])])
    error_message = "targets: vpc_ids must have at least one entry, and each entry must be the id of a VPC, such as \"vpc-0a1b2c3d\"."
  }

  validation {
    condition     = alltrue([for target in values(var.targets) : target.region == null ? true : can(regex("^[a-z]+(-[a-z]+)+-[0-9]+$", target.region))])
    error_message = "targets: region must be the code of a Region, such as \"eu-central-1\"."
  }

  validation {
    condition     = alltrue([for target in values(var.targets) : target.path == null ? true : contains(["peering", "transit_gateway"], target.path)])
    error_message = "targets: path must be \"peering\" or \"transit_gateway\"."
  }

  validation {
    condition     = alltrue([for target in values(var.targets) : target.mtu == null ? true : target.network_interface_id != null && target.mtu >= 576 && target.mtu <= 9001])
    error_message = "targets: mtu must be the bytes that a network_interface_id takes, from 576 to 9001."
  }

  validation {
    condition     = alltrue([for target in values(var.targets) : target.account == null ? true : target.gateway_load_balancer_endpoint_id != null && can(regex("^[0-9]{12}$", target.account))])
    error_message = "targets: account must be the 12 digits of the account that owns a gateway_load_balancer_endpoint_id; the other kinds are the provider's own and are shared."
  }
}

variable "filters" {
  description = "Which packets are mirrored, by names of your choice: rules tried in order, compiled to at most AWS's 10. `east_west = false` leaves out traffic with `internal_cidrs` before any rule; networks are CIDR blocks or names of `cidr_lists`. Unset, one filter `default` takes everything, both directions, IPv4 and IPv6, and DNS."
  type = map(object({
    dns            = optional(bool)
    ip_versions    = optional(list(string))
    east_west      = optional(bool)
    internal_cidrs = optional(list(string))
    rules = list(object({
      action       = string
      protocol     = optional(string)
      direction    = optional(string)
      ports        = optional(list(string))
      local_ports  = optional(list(string))
      remote_ports = optional(list(string))
      local_cidrs  = optional(list(string))
      remote_cidrs = optional(list(string))
    }))
  }))
  default = null

  validation {
    condition     = var.filters == null ? true : length(var.filters) >= 1
    error_message = "filters must have an entry, or be left out: an empty map would mirror nothing."
  }

  validation {
    condition     = alltrue(flatten([for filter in values(coalesce(var.filters, {})) : [for rule in filter.rules : contains(["accept", "reject"], rule.action)]]))
    error_message = "filters: every rule's action must be \"accept\" or \"reject\"."
  }

  validation {
    condition     = alltrue(flatten([for filter in values(coalesce(var.filters, {})) : [for rule in filter.rules : contains(["both", "egress", "ingress"], coalesce(rule.direction, "both"))]]))
    error_message = "filters: every rule's direction must be \"both\", \"egress\" or \"ingress\", seen from the mirrored interface."
  }

  validation {
    condition     = alltrue(flatten([for filter in values(coalesce(var.filters, {})) : [for version in coalesce(filter.ip_versions, []) : contains(["ipv4", "ipv6"], version)]]))
    error_message = "filters: ip_versions must be \"ipv4\", \"ipv6\" or both."
  }

  validation {
    condition     = alltrue([for filter in values(coalesce(var.filters, {})) : (filter.east_west == false) == (length(coalesce(filter.internal_cidrs, [])) > 0)])
    error_message = "filters: east_west = false and internal_cidrs, the networks that it leaves out, must be written together."
  }

  validation {
    condition = alltrue(flatten([for filter in values(coalesce(var.filters, {})) : [
      for network in concat(coalesce(filter.internal_cidrs, []), flatten([for rule in filter.rules : concat(coalesce(rule.local_cidrs, []), coalesce(rule.remote_cidrs, []))])) :
      can(cidrhost(network, 0)) || contains(keys(coalesce(var.cidr_lists, {})), network)
    ]]))
    error_message = "filters: every network must be a CIDR block or a key of the cidr_lists of this call."
  }
}

variable "cidr_lists" {
  description = "Lists of CIDR blocks by names of your choice, to write in `filters` instead of the blocks: AWS's filter rules take no prefix lists."
  type        = map(list(string))
  default     = null

  validation {
    condition     = alltrue([for blocks in values(coalesce(var.cidr_lists, {})) : length(blocks) >= 1 && alltrue([for block in blocks : can(cidrhost(block, 0))])])
    error_message = "cidr_lists: each must have at least one entry, and each entry must be a CIDR block such as \"10.0.0.0/8\"."
  }
}

variable "session" {
  description = "Settings of every session: the lowest number to use on an interface, how many bytes of each packet, and the range of virtual network ids. Unset, number 100, whole packets, and ids from 1 to 16777215."
  type = object({
    number        = optional(number)
    packet_length = optional(number)
    vni = optional(object({
      from = optional(number)
      to   = optional(number)
    }))
  })
  default = null

  validation {
    condition     = try(var.session.number, null) == null ? true : var.session.number >= 1 && var.session.number <= 32766 && floor(var.session.number) == var.session.number
    error_message = "session.number must be a whole number from 1 to 32766, as AWS allows."
  }

  validation {
    condition     = try(var.session.packet_length, null) == null ? true : var.session.packet_length >= 35 && var.session.packet_length <= 9001 && floor(var.session.packet_length) == var.session.packet_length
    error_message = "session.packet_length must be a whole number from 35 to 9001 bytes."
  }

  validation {
    condition     = try(coalesce(var.session.vni.from, 1), 1) >= 1 && try(coalesce(var.session.vni.to, 16777215), 16777215) <= 16777215 && try(coalesce(var.session.vni.from, 1), 1) <= try(coalesce(var.session.vni.to, 16777215), 16777215)
    error_message = "session.vni must be a range within 1 to 16777215, with from not above to."
  }
}

variable "safety" {
  description = "What a plan may not do unnoticed: how many sessions it may remove (a count, or a share of the fleet), whether a member that cannot get a session is skipped with a warning or refuses the plan, whether it takes over untagged sessions that already send to the fleet's destinations (`matching`), whether it may share targets outside the organization, and which accounts are gone for good, so that what it has in them is forgotten while they cannot be read. Unset, `25%`, `skip`, `none`, `true` and no account."
  type = object({
    max_removals               = optional(string)
    on_ineligible              = optional(string)
    adopt                      = optional(string)
    share_outside_organization = optional(bool)
    forget_accounts            = optional(set(string))
  })
  default = null

  validation {
    condition     = try(var.safety.max_removals, null) == null ? true : can(regex("^([0-9]+|[0-9]{1,2}%|100%)$", var.safety.max_removals))
    error_message = "safety.max_removals must be a count such as \"10\" or a share from \"0%\" to \"100%\"."
  }

  validation {
    condition     = try(var.safety.on_ineligible, null) == null ? true : contains(["fail", "skip"], var.safety.on_ineligible)
    error_message = "safety.on_ineligible must be \"skip\" or \"fail\"."
  }

  validation {
    condition     = try(var.safety.adopt, null) == null ? true : contains(["matching", "none"], var.safety.adopt)
    error_message = "safety.adopt must be \"none\" or \"matching\"."
  }

  validation {
    condition     = try(var.safety.forget_accounts, null) == null ? true : alltrue([for account in var.safety.forget_accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "safety.forget_accounts must be ids of accounts, which have 12 digits."
  }
}

variable "cost" {
  description = "Prices for the output `estimated_monthly_cost_usd`: that of one session for one hour in US dollars. Unset, AWS's price for US East; see <https://aws.amazon.com/vpc/pricing/>."
  type = object({
    session_hour_usd = optional(string)
  })
  default = null

  validation {
    condition     = try(var.cost.session_hour_usd, null) == null ? true : can(regex("^[0-9]+([.][0-9]{1,6})?$", var.cost.session_hour_usd))
    error_message = "cost.session_hour_usd must be a price such as \"0.015\", with at most six decimals."
  }
}

variable "timeouts" {
  description = "How long an apply may take for making, changing and destroying the fleet, such as `90m`. Then no further call begins, and the next apply goes on from there. Unset, `60m` each."
  type = object({
    create = optional(string)
    update = optional(string)
    delete = optional(string)
  })
  default = null

  validation {
    condition     = var.timeouts == null ? true : alltrue([for limit in values(var.timeouts) : limit == null ? true : can(regex("^([0-9]+[hms])+$", limit))])
    error_message = "timeouts must be durations such as \"90m\" or \"1h30m\"."
  }
}

variable "tags" {
  description = "Tags for everything the fleet makes, beside its own `enigma:*` and `Name` tags."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:") && !startswith(lower(key), "enigma:")])
    error_message = "tags must not use keys that start with \"aws:\" (reserved by AWS) or \"enigma:\" (the fleet's own)."
  }
}
