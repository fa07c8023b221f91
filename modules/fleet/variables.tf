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

variable "targets" {
  description = "Where sessions send, by names of your choice: each names exactly one network interface, network load balancer or Gateway Load Balancer endpoint, and may prefer availability zones and bound how many sources it takes."
  type = map(object({
    network_interface_id              = optional(string)
    network_load_balancer_arn         = optional(string)
    gateway_load_balancer_endpoint_id = optional(string)
    availability_zones                = optional(list(string))
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
    condition     = alltrue([for target in values(var.targets) : target.max_sessions == null ? true : target.max_sessions >= 1 && target.max_sessions <= 10000 && floor(target.max_sessions) == target.max_sessions])
    error_message = "targets: max_sessions must be a whole number from 1 to 10000."
  }
}

variable "filters" {
  description = "Which packets are mirrored, by names of your choice: rules tried in order, compiled to at most AWS's 10. Unset, one filter `default` takes everything, both directions, IPv4 and IPv6, and DNS."
  type = map(object({
    dns         = optional(bool)
    ip_versions = optional(list(string))
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
  description = "What a plan may not do unnoticed: how many sessions it may remove (a count, or a share of the fleet), and whether a member that cannot get a session is skipped with a warning or refuses the plan. Unset, `25%` and `skip`."
  type = object({
    max_removals  = optional(string)
    on_ineligible = optional(string)
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
