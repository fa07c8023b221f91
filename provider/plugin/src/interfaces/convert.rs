//! The data source's arguments as the core's selection types.

use enigma_fleet::given::Given;
use enigma_fleet::selection::{RawRule, RawSelection, RawSelector};
use enigma_tfplugin::Dynamic;

use crate::written;

/// The data source's arguments as written.
pub(super) fn raw(config: &Dynamic) -> RawSelection {
    RawSelection {
        rules: written::map(config, "rules", |rule| Some(raw_rule(rule))),
        eligible_instance_types: written::texts(config, "eligible_instance_types"),
    }
}

fn raw_rule(rule: &Dynamic) -> RawRule {
    RawRule {
        priority: written::number(rule, "priority"),
        mirror: written::boolean(rule, "mirror"),
        interfaces: written::text(rule, "interfaces"),
        targets: written::texts(rule, "targets"),
        filter: written::text(rule, "filter"),
        session_number: written::number(rule, "session_number"),
        packet_length: written::number(rule, "packet_length"),
        selector: raw_selector(rule),
        exclude: written::attribute(rule, "exclude", |exclude| Some(raw_selector(exclude))),
    }
}

fn raw_selector(object: &Dynamic) -> RawSelector {
    let texts = |name: &str| written::texts(object, name);
    let tags = |name: &str| -> Given<_> { written::map(object, name, written::to_texts) };
    RawSelector {
        accounts: texts("accounts"),
        regions: texts("regions"),
        vpc_ids: texts("vpc_ids"),
        subnet_ids: texts("subnet_ids"),
        availability_zones: texts("availability_zones"),
        instance_ids: texts("instance_ids"),
        auto_scaling_group_names: texts("auto_scaling_group_names"),
        network_interface_ids: texts("network_interface_ids"),
        instance_types: texts("instance_types"),
        interface_types: texts("interface_types"),
        services: texts("services"),
        tags: tags("tags"),
        interface_tags: tags("interface_tags"),
    }
}
