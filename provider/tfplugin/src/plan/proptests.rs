//! For any configuration: what is prepared is a valid plan, what is applied from it is accepted, and a second plan
//! over the result changes nothing.

use proptest::collection::btree_map;
use proptest::prelude::*;

use super::*;
use crate::dynamic::Dynamic;
use crate::schema::{Attribute, Object, Schema};

fn schema() -> Schema {
    let inner = Object::new()
        .attribute("on", Attribute::bool().default_value(true))
        .attribute("code", Attribute::string().computed());
    let part = Object::new()
        .attribute("kind", Attribute::string())
        .attribute("size", Attribute::number().default_value(1))
        .attribute("serial", Attribute::string().computed().use_state_for_unknown())
        .attribute("rows", Attribute::nested_list(inner));
    Schema::new()
        .attribute("id", Attribute::string().computed())
        .attribute("zone", Attribute::string().optional_computed())
        .attribute("note", Attribute::string())
        .attribute("token", Attribute::string().write_only())
        .attribute("parts", Attribute::nested_map(part))
}

fn text() -> impl Strategy<Value = Dynamic> {
    prop_oneof![Just(Dynamic::Null), "[a-c]".prop_map(Dynamic::from)]
}

fn rows() -> impl Strategy<Value = Dynamic> {
    let row = prop_oneof![Just(Dynamic::Null), any::<bool>().prop_map(Dynamic::from)]
        .prop_map(|on| Dynamic::map([("on", on)]));
    prop_oneof![Just(Dynamic::Null), proptest::collection::vec(row, 0..3).prop_map(Dynamic::List)]
}

/// What a person could write: computed attributes null.
fn configs() -> impl Strategy<Value = Dynamic> {
    let size = prop_oneof![Just(Dynamic::Null), (0..9_i64).prop_map(Dynamic::from)];
    let part = (text(), size, rows())
        .prop_map(|(kind, size, rows)| Dynamic::map([("kind", kind), ("size", size), ("rows", rows)]));
    let parts = prop_oneof![Just(Dynamic::Null), btree_map("[a-c]", part, 0..4).prop_map(Dynamic::Map)];
    (text(), text(), text(), parts).prop_map(|(zone, note, token, parts)| {
        let mut config = Dynamic::map([("zone", zone), ("note", note), ("token", token), ("parts", parts)]);
        schema().ty().complete(&mut config).unwrap();
        config
    })
}

/// What a provider does in apply: every unknown becomes something.
fn filled(value: Dynamic) -> Dynamic {
    match value {
        Dynamic::Unknown => Dynamic::from("made"),
        Dynamic::List(elements) => Dynamic::List(elements.into_iter().map(filled).collect()),
        Dynamic::Map(entries) => Dynamic::Map(entries.into_iter().map(|(k, v)| (k, filled(v))).collect()),
        other => other,
    }
}

/// What Terraform proposes: the configuration, with stored values where nothing is configured.
fn proposed(config: &Dynamic, prior: &Dynamic) -> Dynamic {
    match (config, prior) {
        (Dynamic::Map(config), Dynamic::Map(prior)) => {
            let merged = config.iter().map(|(key, config)| {
                let value = match (config, prior.get(key)) {
                    (config, None) => config.clone(),
                    (Dynamic::Null, Some(prior)) => prior.clone(),
                    (config, Some(prior)) => proposed(config, prior),
                };
                (key.clone(), value)
            });
            Dynamic::Map(merged.collect())
        }
        (Dynamic::List(config), Dynamic::List(prior)) => {
            let pairs = config.iter().enumerate();
            let merged = pairs
                .map(|(at, config)| prior.get(at).map_or_else(|| config.clone(), |p| proposed(config, p)));
            Dynamic::List(merged.collect())
        }
        (config, _) => config.clone(),
    }
}

proptest! {
    #[test]
    fn a_second_plan_is_empty(config in configs()) {
        let (schema, ty) = (schema(), schema().ty());
        let mut planned = config.clone();
        prepare(&schema, &ty, None, &config, &mut planned);
        prop_assert!(check_planned("r", &schema, None, &config, &planned).is_empty());

        let stored = filled(planned.clone());
        prop_assert!(check_applied("r", &ty, &planned, &stored).is_empty());

        let mut second = proposed(&config, &stored);
        prepare(&schema, &ty, Some(&stored), &config, &mut second);
        prop_assert_eq!(&second, &stored);
        prop_assert!(replaced_paths(&schema, &stored, &second).is_empty());
    }

    #[test]
    fn any_change_is_planned_by_the_rules_and_converges(before in configs(), after in configs()) {
        let (schema, ty) = (schema(), schema().ty());
        let mut planned = before.clone();
        prepare(&schema, &ty, None, &before, &mut planned);
        let stored = filled(planned);

        // Terraform does not carry over what is neither configured nor computed.
        let mut change = proposed(&after, &stored);
        drop_unconfigured(&after, &mut change);
        prepare(&schema, &ty, Some(&stored), &after, &mut change);
        let broken = check_planned("r", &schema, Some(&stored), &after, &change);
        prop_assert!(broken.is_empty(), "{:?}", broken);

        let settled = filled(change);
        let mut again = proposed(&after, &settled);
        drop_unconfigured(&after, &mut again);
        prepare(&schema, &ty, Some(&settled), &after, &mut again);
        prop_assert_eq!(again, settled);
    }
}

/// `note`, `kind`, `parts` and `rows` are not computed: unset means null.
fn drop_unconfigured(config: &Dynamic, change: &mut Dynamic) {
    match (config, change) {
        (Dynamic::Map(config), Dynamic::Map(change)) => {
            for (key, value) in change {
                match config.get(key) {
                    Some(Dynamic::Null) if ["note", "kind", "parts", "rows"].contains(&key.as_str()) => {
                        *value = Dynamic::Null;
                    }
                    Some(config) => drop_unconfigured(config, value),
                    None => {}
                }
            }
        }
        (Dynamic::List(config), Dynamic::List(change)) => {
            for (config, value) in config.iter().zip(change) {
                drop_unconfigured(config, value);
            }
        }
        _ => {}
    }
}
