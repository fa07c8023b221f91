//! The schema of `enigma_mirror_interfaces`.
//!
//! Values are checked by the core, which is the one validator of what people write; the schema only has shapes and words.

use enigma_tfplugin::{Attribute, Object, Schema, Type};

use crate::member::members_type;

/// Inputs first, results after, in the order of the documentation.
pub(super) fn schema() -> Schema {
    Schema::new()
        .description(
            "Which network interfaces a fleet mirrors, and why the others are left out. Reads AWS once per plan; a saved \
             plan keeps exactly what was reviewed.",
        )
        .attribute(
            "rules",
            Attribute::nested_map(rule())
                .required()
                .description(
                    "Rules by a name you choose. Each interface is decided by the first rule, in ascending `priority`, that \
                     matches it; interfaces that no rule matches are not mirrored. Two rules of equal priority that match one \
                     interface with different outcomes are an error.",
                ),
        )
        .attribute(
            "eligible_instance_types",
            Attribute::set(Type::String).description(
                "Instance types (`m8i.large`), families (`m8i`) or patterns (`m8i.*`) to treat as mirrorable although they are \
                 not on the list of supported types that this version of the provider carries. Unset: only the list counts.",
            ),
        )
        .attribute(
            "directory_tags",
            Attribute::set(Type::String).description(
                "Keys of tags that a fleet's `directory_json` carries: those of the instance, and of the interface where the instance has \
                 none of that key. A change of such a tag is a change of the fleet. Unset: none.",
            ),
        )
        .attribute(
            "members",
            Attribute::of(members_type()).computed().description(
                "The interfaces to mirror, keyed `account/region/eni`. Pass it to `enigma_mirror_fleet.members`. `settings` is what the \
                 member's rule says itself; `held` lists the mirror sessions that exist on the interface already, whoever made them. A key \
                 `account/region` is no interface: its `place` tells the fleet what it must know of that place besides, such as that it \
                 could not be read, or sessions of others.",
            ),
        )
        .attribute(
            "skipped",
            Attribute::map(Type::object([("reason", Type::String), ("detail", Type::String)])).computed().description(
                "The interfaces that a rule matched and that are not mirrored, with the same keys: a reason code such as \
                 `excluded` or `unsupported_instance_type`, and a sentence.",
            ),
        )
        .attribute(
            "skipped_by_reason",
            Attribute::map(Type::Number).computed().description("How many interfaces were skipped, by reason code."),
        )
        .attribute(
            "unread",
            Attribute::map(Type::String).computed().description(
                "The places `account/region` that could not be read, and why. A fleet keeps its sessions there.",
            ),
        )
        .attribute(
            "left_out",
            Attribute::map(Type::String)
                .computed()
                .description("The organization's accounts that are not read, by id, and why: excluded, or not active."),
        )
        .attribute(
            "by_place",
            Attribute::map(Type::object([
                ("account", Type::String),
                ("member_count", Type::Number),
                ("skipped_count", Type::Number),
            ]))
            .computed()
            .description("What was found in each place `account/region` that was read; `account` is its key, else its name in the organization."),
        )
        .attribute(
            "matched_count",
            Attribute::number().computed().description(
                "How many interfaces a rule matches that means to mirror or to leave out: `member_count` and `skipped_count` together.",
            ),
        )
        .attribute(
            "member_count",
            Attribute::number().computed().description("How many interfaces are in `members`, places not counted."),
        )
        .attribute(
            "skipped_count",
            Attribute::number().computed().description("How many interfaces are in `skipped`."),
        )
        .attribute(
            "unmatched_count",
            Attribute::number().computed().description("How many interfaces were seen that no rule matches."),
        )
        .attribute("summary", Attribute::string().computed().description("The counts in one sentence."))
}

fn rule() -> Object {
    selector(Object::new())
        .attribute(
            "priority",
            Attribute::number().description(
                "Lower decides first. Unset: 100.",
            ),
        )
        .attribute(
            "exclude",
            Attribute::nested_single(selector(Object::new())).description(
                "Interfaces that this rule does not match although the rest of it does; the same keys, at least one of them.",
            ),
        )
        .attribute(
            "interfaces",
            Attribute::string().description(
                "`all` interfaces of a matching instance, or only its `primary` one (device index 0). Unset: `all`.",
            ),
        )
        .attribute(
            "mirror",
            Attribute::bool().description(
                "`false` leaves matching interfaces out; they are listed in `skipped` with the reason `excluded`. Unset: `true`.",
            ),
        )
        .attribute(
            "filter",
            Attribute::string().description(
                "Key of the fleet's filter for matching interfaces. Unset: `default`, or the only filter the fleet has.",
            ),
        )
        .attribute(
            "targets",
            Attribute::list(Type::String).description(
                "Keys of the fleet's targets that matching interfaces may send to. Unset: every target of the Region.",
            ),
        )
        .attribute(
            "session_number",
            Attribute::number().description(
                "The lowest session number to try for matching interfaces. Unset: the fleet's `session.number`.",
            ),
        )
        .attribute(
            "packet_length",
            Attribute::number().description(
                "Bytes of each packet to mirror, counted after the VXLAN header. Unset: the fleet's `session.packet_length`.",
            ),
        )
}

fn selector(object: Object) -> Object {
    let texts = || Attribute::list(Type::String);
    let tags = || Attribute::map(Type::list(Type::String));
    object
        .attribute(
            "accounts",
            texts().description(
                "Accounts of the interfaces: keys of the provider's `accounts`, or account ids. Unset: every account of the provider.",
            ),
        )
        .attribute("regions", texts().description("Regions of the interfaces. Unset: every Region of the provider."))
        .attribute("vpc_ids", texts().description("VPCs of the interfaces. Unset: any."))
        .attribute("subnet_ids", texts().description("Subnets of the interfaces. Unset: any."))
        .attribute("availability_zones", texts().description("Availability zones of the interfaces. Unset: any."))
        .attribute("instance_ids", texts().description("Instances that the interfaces are attached to. Unset: any."))
        .attribute(
            "auto_scaling_group_names",
            texts().description("Auto scaling groups of those instances, by name. Unset: any."),
        )
        .attribute("network_interface_ids", texts().description("Single interfaces. Unset: any."))
        .attribute(
            "instance_types",
            texts().description("Types of those instances; `*` stands for any characters (`m5.*`). Unset: any."),
        )
        .attribute(
            "tags",
            tags().description(
                "Tags of those instances: every key must be there with one of its values; `*` in a value stands for any characters.",
            ),
        )
        .attribute("interface_tags", tags().description("The same for tags of the interfaces themselves."))
        .attribute(
            "interface_types",
            texts().description("AWS's interface types, such as `interface` or `lambda`. Unset: any."),
        )
        .attribute(
            "services",
            texts().description(
                "AWS services that manage the interfaces: `rds`, `elasticache`, the two whose interfaces AWS mirrors. In `exclude` it leaves \
                 them out. Unset: any, and interfaces that no service manages.",
            ),
        )
}
