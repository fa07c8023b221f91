//! The resource's arguments as the core's raw fleet.

use std::collections::BTreeSet;

use enigma_fleet::given::Given;
use enigma_fleet::ids::FleetName;
use enigma_fleet::spec::{RawFilter, RawFilterRule, RawFleet, RawSafety, RawSession, RawTarget, RawVniRange};
use enigma_tfplugin::{Dynamic, Value};

use super::tags;
use crate::reach::RawTags;
use crate::written::{attribute, boolean, list, map, number, text, texts, to_texts};

/// The names of the arguments that describe the fleet, beside `name` and `members`: what a description in tags carries.
pub(super) const DESCRIBED: [&str; 8] =
    ["cidr_lists", "cost", "filters", "safety", "session", "tags", "targets", "timeouts"];

/// The arguments as written, with unknown leaves; tags over those of the provider.
pub(super) fn raw(config: &Dynamic, default_tags: &Given<RawTags>) -> RawFleet {
    RawFleet {
        name: text(config, "name"),
        targets: map(config, "targets", |target| Some(raw_target(target))),
        filters: map(config, "filters", |filter| Some(raw_filter(filter))),
        cidr_lists: map(config, "cidr_lists", to_texts),
        session: attribute(config, "session", |session| Some(raw_session(session))),
        safety: attribute(config, "safety", |safety| {
            Some(RawSafety {
                max_removals: text(safety, "max_removals"),
                on_ineligible: text(safety, "on_ineligible"),
                adopt: text(safety, "adopt"),
                share_outside_organization: boolean(safety, "share_outside_organization"),
            })
        }),
        tags: tags::merged(config, default_tags),
    }
}

fn raw_target(target: &Dynamic) -> RawTarget {
    RawTarget {
        network_interface_id: text(target, "network_interface_id"),
        network_load_balancer_arn: text(target, "network_load_balancer_arn"),
        gateway_load_balancer_endpoint_id: text(target, "gateway_load_balancer_endpoint_id"),
        availability_zones: texts(target, "availability_zones"),
        vpc_ids: texts(target, "vpc_ids"),
        max_sessions: number(target, "max_sessions"),
        region: text(target, "region"),
        account: text(target, "account"),
        mtu: number(target, "mtu"),
        path: text(target, "path"),
    }
}

fn raw_filter(filter: &Dynamic) -> RawFilter {
    RawFilter {
        dns: boolean(filter, "dns"),
        ip_versions: texts(filter, "ip_versions"),
        east_west: boolean(filter, "east_west"),
        internal_cidrs: texts(filter, "internal_cidrs"),
        rules: list(filter, "rules", |rule| Some(raw_rule(rule))),
    }
}

fn raw_rule(rule: &Dynamic) -> RawFilterRule {
    RawFilterRule {
        action: text(rule, "action"),
        protocol: text(rule, "protocol"),
        direction: text(rule, "direction"),
        ports: texts(rule, "ports"),
        local_ports: texts(rule, "local_ports"),
        remote_ports: texts(rule, "remote_ports"),
        local_cidrs: texts(rule, "local_cidrs"),
        remote_cidrs: texts(rule, "remote_cidrs"),
    }
}

fn raw_session(session: &Dynamic) -> RawSession {
    RawSession {
        number: number(session, "number"),
        packet_length: number(session, "packet_length"),
        vni: attribute(session, "vni", |vni| {
            Some(RawVniRange { from: number(vni, "from"), to: number(vni, "to") })
        }),
    }
}

/// Beside the described arguments: the keys of tags that sources have in the directory, since an import knows no members.
const DIRECTORY_TAGS: &str = "directory_tags";

/// The described arguments as JSON, for [`super::spec_tags`], with these keys of the directory's tags; null ones are left out.
pub(super) fn describe(state: &Dynamic, tag_keys: &BTreeSet<String>) -> String {
    let entries = DESCRIBED.iter().filter_map(|name| {
        let value = state.get(name).filter(|value| !value.is_null())?;
        Some(((*name).to_owned(), to_json(value)))
    });
    let keys = tag_keys.iter().map(String::as_str).collect::<serde_json::Value>();
    let keys = (!tag_keys.is_empty()).then(|| (DIRECTORY_TAGS.to_owned(), keys));
    serde_json::Value::Object(entries.chain(keys).collect()).to_string()
}

/// The keys of the directory's tags in a description; none of a damaged one.
pub(super) fn described_tag_keys(json: &str) -> BTreeSet<String> {
    let description: Option<serde_json::Value> = serde_json::from_str(json).ok();
    let keys = description.as_ref().and_then(|description| description.get(DIRECTORY_TAGS)?.as_array());
    keys.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect()
}

/// The whole fleet without its members as JSON: keys sorted, null ones left out. Unknown while a part of it is.
pub(super) fn description(fleet: &FleetName, arguments: &Dynamic) -> Value<String> {
    let mut entries = serde_json::Map::from_iter([("name".to_owned(), fleet.as_str().into())]);
    for name in DESCRIBED.iter().filter(|name| !matches!(**name, "cost" | "timeouts")) {
        match arguments.get(name) {
            None | Some(Dynamic::Null) => {}
            Some(value) if !value.is_wholly_known() => return Value::Unknown,
            Some(value) => drop(entries.insert((*name).to_owned(), to_json(value))),
        }
    }
    Value::Known(serde_json::Value::Object(entries).to_string())
}

fn to_json(value: &Dynamic) -> serde_json::Value {
    match value {
        Dynamic::Null | Dynamic::Unknown => serde_json::Value::Null,
        Dynamic::Bool(value) => (*value).into(),
        Dynamic::Number(number) => number.as_i64().map_or_else(|| number.as_f64().into(), Into::into),
        Dynamic::String(text) => text.as_str().into(),
        Dynamic::List(elements) => elements.iter().map(to_json).collect(),
        // Nulls are what is absent: without them the description is half as long.
        Dynamic::Map(entries) => serde_json::Value::Object(
            entries
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), to_json(value)))
                .collect(),
        ),
    }
}

/// The described arguments of a description; none of a damaged one. Attributes it lacks are filled in as null by the schema.
pub(super) fn described(json: &str) -> Vec<(String, Dynamic)> {
    let Ok(serde_json::Value::Object(entries)) = serde_json::from_str(json) else { return Vec::new() };
    entries
        .into_iter()
        .filter(|(name, _)| DESCRIBED.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name, Dynamic::from_typed(&value).ok()?)))
        .collect()
}
