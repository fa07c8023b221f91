//! The schema of `enigma_mirror_fleet`.
//!
//! Inputs are nested attributes with keys that people choose, so that a diff is stable and readable. Large computed
//! maps are plain
//! `map(object)`: `terraform test` can override those and nested ones not. Values are checked by the core, the one validator.

use enigma_tfplugin::{Attribute, Object, Schema, Type};

use super::{cost, forgetting, shares, timeouts};
use crate::member::members_type;

/// Version 0: the first published shape.
pub(super) fn schema() -> Schema {
    inputs(
        Schema::new().version(0).description(
            "Traffic mirroring of many network interfaces as one reviewed object: targets, filters, rules and one session for each \
             member. The plan lists exactly which interfaces will be mirrored, by which session; apply does that and nothing else.",
        ),
    )
    .attribute("id", Attribute::string().computed().use_state_for_unknown().description("The fleet's name."))
    .attribute(
        "sessions",
        Attribute::map(Type::object([
            ("session_id", Type::String),
            ("instance_id", Type::String),
            ("name", Type::String),
            ("rule", Type::String),
            ("filter", Type::String),
            ("target", Type::String),
            ("session_number", Type::Number),
            ("virtual_network_id", Type::Number),
            ("packet_length", Type::Number),
            ("state", Type::String),
        ]))
        .computed()
        .description(
            "The sessions, keyed `account/region/eni`. `state` is `active`; `pending` (promised, and not made yet or not at its number yet); `missing` (deleted by \
             someone, will be made again); or `source_gone` (the interface vanished during the apply).",
        ),
    )
    .attribute("session_count", Attribute::number().computed().description("How many keys `sessions` has."))
    .attribute(
        "pending_count",
        Attribute::number().computed().description(
            "How many of them are promised and not made, and how many other changes of the last apply are not done yet. Put a postcondition on it: a create that was only partly possible \
             succeeds with warnings, because Terraform would otherwise replace the whole fleet.",
        ),
    )
    .attribute(
        "target_ids",
        Attribute::map(Type::String).computed().description("Ids of the fleet's mirror targets, keyed `account/region/target`."),
    )
    .attribute(
        "filter_ids",
        Attribute::map(Type::String).computed().description("Ids of the fleet's mirror filters, keyed `account/region/filter`."),
    )
    .attribute(
        "filter_rules",
        Attribute::map(Type::String).computed().description(
            "What the filters compile to, one AWS rule a key `account/region/filter/direction/number`, and `.../amazon-dns` where \
             DNS to the Amazon resolver is mirrored.",
        ),
    )
    .attribute("shares", shares::attribute())
    .attribute(
        "tags_all",
        Attribute::map(Type::String)
            .computed()
            .description("`tags` over the provider's `default_tags`: what everything carries that the fleet makes."),
    )
    .attribute(
        "coverage",
        Attribute::of(Type::object([
            ("matched", Type::Number),
            ("mirrored", Type::Number),
            ("skipped", Type::Number),
            ("percent", Type::Number),
        ]))
        .computed()
        .description(
            "How many of the members are mirrored: `matched` = `mirrored` + `skipped`, and `percent`, rounded down. Like the summary it changes only when something else does, but for a refresh after an apply that did not finish, which counts what is pending as skipped; the data source's counts are those of each plan.",
        ),
    )
    .attribute(
        "estimated_monthly_cost_usd",
        Attribute::number().computed().description(
            "What the sessions cost in 730 hours, in whole US dollars rounded up: AWS charges each session by the hour until it is deleted, stopped instances included. Traffic between zones, load balancers and collectors are not in it.",
        ),
    )
    .attribute(
        "directory_json",
        Attribute::string().computed().sensitive().description(
            "Who is behind each VNI, as JSON for `enigma-collector`: interface with its addresses, instance, name, tags chosen \
                 with the data source's `directory_tags`, account, Region, VPC, subnet, zone and target. Addresses alone are no change: they \
                 are brought up to date with the next. Sensitive only so that plans do not print ten thousand entries twice.",
        ),
    )
    .attribute(
        "spec_json",
        Attribute::string().computed().sensitive().description(
            "The fleet's arguments without its members as JSON with sorted keys, for programs that keep or check the fleet outside of Terraform. Sensitive only so that plans do not print every change twice.",
        ),
    )
    .attribute(
        "summary",
        Attribute::string().computed().description("One sentence that a reviewer reads first. Changes only when something else does."),
    )
}

fn inputs(schema: Schema) -> Schema {
    schema
        .attribute(
            "name",
            Attribute::string().required().requires_replace().description(
                "The fleet's identity: the value of the tag `enigma:fleet` on everything it makes. 1 to 64 letters, digits, `-`, `_` or \
                 `.`. A new name is a new fleet.",
            ),
        )
        .attribute(
            "members",
            Attribute::of(members_type()).required().write_only().description(
                "Who is mirrored: `data.enigma_mirror_interfaces.NAME.members`. Write-only: it is an observation, so it is neither stored \
                 nor compared. Null is an error, so that `ignore_changes` can never look like \"remove everything\".",
            ),
        )
        .attribute(
            "targets",
            Attribute::nested_map(target())
                .required()
                .description("Where sessions send, by a name you choose. Each becomes one traffic mirror target."),
        )
        .attribute(
            "filters",
            Attribute::nested_map(filter()).description(
                "Which packets are mirrored, by a name you choose. Unset: one filter `default` that accepts everything in both directions, \
                 IPv4 and IPv6, and DNS.",
            ),
        )
        .attribute(
            "cidr_lists",
            Attribute::map(Type::list(Type::String)).description(
                "Lists of CIDR blocks by names you choose, to be written in filters instead of their blocks: AWS's filter rules take no \
                 prefix lists. Each block counts as if it were written there.",
            ),
        )
        .attribute("session", Attribute::nested_single(session()).description("Settings of every session."))
        .attribute("safety", Attribute::nested_single(safety()).description("What a plan may not do unnoticed."))
        .attribute(
            "tags",
            Attribute::map(Type::String).description(
                "Tags for everything the fleet makes, beside its own `enigma:*` and `Name` tags.",
            ),
        )
        .attribute("cost", cost::argument())
        .attribute("timeouts", timeouts::block())
}

fn target() -> Object {
    Object::new()
        .attribute(
            "network_interface_id",
            Attribute::string().description(
                "Send to this interface. AWS admits 10 sources, 100 for the largest instance sizes; see `max_sessions`.",
            ),
        )
        .attribute(
            "network_load_balancer_arn",
            Attribute::string().description(
                "Send to this Network Load Balancer. It needs a UDP listener on port 4789, or nothing arrives and nothing says so.",
            ),
        )
        .attribute(
            "gateway_load_balancer_endpoint_id",
            Attribute::string().description("Send to this Gateway Load Balancer endpoint."),
        )
        .attribute(
            "region",
            Attribute::string().description(
                "Its Region. It takes sources of that Region only, as AWS has it. Unset: the provider's Region.",
            ),
        )
        .attribute(
            "account",
            Attribute::string().description(
                "Id of the account that owns a Gateway Load Balancer endpoint. Its target is made there and takes sources of that account \
                 only; the other kinds are made in the provider's account and shared. Unset: the provider's account.",
            ),
        )
        .attribute(
            "path",
            Attribute::string().description(
                "How packets of sources in other VPCs get to it: `peering` or `transit_gateway`. A transit gateway carries 8500 bytes, \
                 so with it a plan says which sessions need a smaller `packet_length`. Sources in the target's own VPC are not concerned, and \
                 nothing in AWS changes with it. Unset: nothing is assumed.",
            ),
        )
        .attribute(
            "mtu",
            Attribute::number().description(
                "MTU of the target's network interface in bytes, from 576 to 9001; for `network_interface_id` only. AWS's API does not tell \
                 it. AWS cuts mirrored packets that do not fit it, and mirroring adds 54 bytes (74 over IPv6) to each packet. Unset: 9001, \
                 the largest in a VPC.",
            ),
        )
        .attribute(
            "availability_zones",
            Attribute::set(Type::String).description(
                "Zones whose sources prefer this target, by the names that its account has for them, or by ids such as `use1-az1`, which are the \
                 same for every account. Unset: all alike.",
            ),
        )
        .attribute(
            "vpc_ids",
            Attribute::set(Type::String).description(
                "VPCs whose sources may send to it. A Gateway Load Balancer endpoint takes what comes from the VPC it is in, so write that VPC \
                 with each endpoint where sources are in several. Unset: every VPC.",
            ),
        )
        .attribute(
            "max_sessions",
            Attribute::number().description(
                "How many sources may be assigned to it. `0` drains it: its sources move to other targets. Unset: 10 for an interface, no \
                 limit otherwise.",
            ),
        )
}

fn filter() -> Object {
    Object::new()
        .attribute(
            "dns",
            Attribute::bool().description(
                "Whether DNS to and from the Amazon resolver is mirrored. AWS leaves it out unless asked, whatever the rules say. Unset: `false`.",
            ),
        )
        .attribute(
            "ip_versions",
            Attribute::list(Type::String).description("`ipv4`, `ipv6` or both. One of them halves the rules needed. Unset: both."),
        )
        .attribute(
            "east_west",
            Attribute::bool().description(
                "Whether traffic with `internal_cidrs` is mirrored; `false` leaves it out before any rule is tried. Unset: `true`.",
            ),
        )
        .attribute(
            "internal_cidrs",
            Attribute::list(Type::String).description(
                "What `east_west = false` leaves out: CIDR blocks, such as those of the VPCs, or names of `cidr_lists`. Written with it alone.",
            ),
        )
        .attribute(
            "rules",
            Attribute::nested_list(filter_rule()).required().description(
                "Tried in order, the first match decides; what no rule matches is not mirrored. All rules together must compile to at most \
                 AWS's 10.",
            ),
        )
}

fn filter_rule() -> Object {
    let texts = || Attribute::list(Type::String);
    Object::new()
        .attribute(
            "action",
            Attribute::string()
                .required()
                .description("`accept` mirrors, `reject` does not."),
        )
        .attribute(
            "protocol",
            Attribute::string().description("`all`, `tcp`, `udp`, `icmp`, `icmpv6` or an IANA number. Unset: `all`."),
        )
        .attribute(
            "direction",
            Attribute::string().description(
                "Seen from the mirrored interface: `ingress`, `egress` or `both`. Unset: `both`.",
            ),
        )
        .attribute(
            "ports",
            texts().description(
                "Ports or ranges (`443`, `6000-6010`) on either side of the connection; costs twice the rules of one side. Only for `tcp` and `udp`.",
            ),
        )
        .attribute("local_ports", texts().description("Ports of the mirrored interface itself. Not together with `ports`."))
        .attribute("remote_ports", texts().description("Ports of the other side. Not together with `ports`."))
        .attribute("local_cidrs", texts().description("Networks of the interface's own address: CIDR blocks, or names of `cidr_lists`. Unset: any."))
        .attribute("remote_cidrs", texts().description("Networks of the other side's address: CIDR blocks, or names of `cidr_lists`. Unset: any."))
}

fn session() -> Object {
    Object::new()
        .attribute(
            "number",
            Attribute::number().description(
                "The lowest session number to use on each interface; numbers that others hold there are avoided. Lower numbers see packets first. Unset: 100.",
            ),
        )
        .attribute(
            "packet_length",
            Attribute::number().description(
                "Bytes of each packet to mirror, counted after the VXLAN header; at most 8500 with load balancers. Unset: whole packets (8500 with load balancers).",
            ),
        )
        .attribute(
            "vni",
            Attribute::nested_single(
                Object::new()
                    .attribute("from", Attribute::number().description("First VNI. Unset: 1."))
                    .attribute("to", Attribute::number().description("Last VNI. Unset: 16777215.")),
            )
            .description("The range that virtual network ids are taken from; each session gets its own."),
        )
}

fn safety() -> Object {
    Object::new()
        .attribute(
            "max_removals",
            Attribute::string().description(
                "How many sessions one plan may remove: a count (`10`) or a share of the fleet (`25%`). More is an error. Destroying the \
                 fleet is not limited. Unset: `25%`.",
            ),
        )
        .attribute(
            "on_ineligible",
            Attribute::string().description(
                "What happens to a member that cannot get a session, for example because its target is full: `skip` leaves it out with a \
                 warning, `fail` refuses the plan. Unset: `skip`.",
            ),
        )
        .attribute(
            "adopt",
            Attribute::string().description(
                "`matching` takes over sessions that carry no fleet's tag and already send a member to one of the fleet's destinations, \
                 instead of adding one: each is shown in the plan. `none` leaves them alone. Unset: `none`.",
            ),
        )
        .attribute(
            "share_outside_organization",
            Attribute::bool().description(
                "Whether targets may be shared with accounts outside the organization, which accept an invitation with the role that the \
                 provider uses there. Unset: `true`.",
            ),
        )
        .attribute("forget_accounts", forgetting::argument())
}
