//! The rules of planning, one at a time.

use super::*;
use crate::diagnostics::Diagnostics;
use crate::dynamic::Dynamic;
use crate::path::AttributePath;
use crate::schema::{Attribute, Object, Schema};
use crate::types::Type;

fn schema() -> Schema {
    let part = Object::new()
        .attribute("kind", Attribute::string().required())
        .attribute("size", Attribute::number().default_value(1))
        .attribute("serial", Attribute::string().computed());
    Schema::new()
        .attribute("id", Attribute::string().computed().use_state_for_unknown())
        .attribute("name", Attribute::string().required().requires_replace())
        .attribute("zone", Attribute::string().optional_computed())
        .attribute("note", Attribute::string())
        .attribute("token", Attribute::string().write_only())
        .attribute("tags", Attribute::set(Type::String))
        .attribute("parts", Attribute::nested_map(part))
        .attribute("sum", Attribute::number().computed())
}

/// An object of the schema with these attributes, the others null.
fn object<const N: usize>(attributes: [(&str, Dynamic); N]) -> Dynamic {
    let mut value = Dynamic::map(attributes);
    schema().ty().complete(&mut value).unwrap();
    value
}

fn part(kind: &str, size: Dynamic, serial: Dynamic) -> Dynamic {
    Dynamic::map([("kind", Dynamic::from(kind)), ("size", size), ("serial", serial)])
}

fn prepared(prior: Option<&Dynamic>, config: &Dynamic, proposed: Dynamic) -> Dynamic {
    let mut proposed = proposed;
    prepare(&schema(), &schema().ty(), prior, config, &mut proposed);
    proposed
}

fn paths(found: &Diagnostics) -> Vec<String> {
    found.iter().map(|d| d.attribute.to_string()).collect()
}

#[test]
fn a_creation_has_defaults_unknowns_and_no_write_only_values() {
    let config = object([
        ("name", "n".into()),
        ("token", "secret".into()),
        ("parts", Dynamic::map([("a", part("x", Dynamic::Null, Dynamic::Null))])),
    ]);
    let planned = prepared(None, &config, config.clone());
    let expected = object([
        ("id", Dynamic::Unknown),
        ("name", "n".into()),
        ("zone", Dynamic::Unknown),
        ("parts", Dynamic::map([("a", part("x", 1.into(), Dynamic::Unknown))])),
        ("sum", Dynamic::Unknown),
    ]);
    assert_eq!(planned, expected);
    assert!(check_planned("r", &schema(), None, &config, &planned).is_empty());
}

fn stored() -> Dynamic {
    object([
        ("id", "i".into()),
        ("name", "n".into()),
        ("zone", "z".into()),
        ("tags", Dynamic::list(["a", "b"])),
        ("parts", Dynamic::map([("a", part("x", 1.into(), "s".into()))])),
        ("sum", 1.into()),
    ])
}

fn configured() -> Dynamic {
    object([
        ("name", "n".into()),
        ("token", "secret".into()),
        ("tags", Dynamic::list(["b", "a"])),
        ("parts", Dynamic::map([("a", part("x", Dynamic::Null, Dynamic::Null))])),
    ])
}

#[test]
fn without_a_change_everything_stays_known_whatever_the_order_of_a_set() {
    let Dynamic::Map(mut proposed) = stored() else { panic!("an object") };
    proposed.insert("tags".into(), Dynamic::list(["b", "a"]));
    proposed.insert("token".into(), "secret".into());
    let planned = prepared(Some(&stored()), &configured(), Dynamic::Map(proposed));
    assert!(planned.is_wholly_known(), "{planned:?}");
    assert!(check_planned("r", &schema(), Some(&stored()), &configured(), &planned).is_empty());
}

#[test]
fn a_change_makes_computed_values_unknown_but_for_those_that_never_change() {
    let Dynamic::Map(mut config) = configured() else { panic!("an object") };
    config.insert("note".into(), "new".into());
    let Dynamic::Map(mut proposed) = stored() else { panic!("an object") };
    proposed.insert("note".into(), "new".into());
    let planned = prepared(Some(&stored()), &Dynamic::Map(config), Dynamic::Map(proposed));
    assert_eq!(planned.get("id"), Some(&"i".into()));
    assert_eq!(planned.get("sum"), Some(&Dynamic::Unknown));
    assert_eq!(planned.get("zone"), Some(&Dynamic::Unknown));
}

#[test]
fn what_cannot_change_in_place_is_named() {
    let Dynamic::Map(mut planned) = stored() else { panic!("an object") };
    planned.insert("name".into(), "m".into());
    planned.insert("note".into(), "x".into());
    assert_eq!(replaced_paths(&schema(), &stored(), &Dynamic::Map(planned)), [AttributePath::of("name")]);
    assert!(replaced_paths(&schema(), &stored(), &stored()).is_empty());
}

#[test]
fn a_plan_that_contradicts_the_configuration_is_named_attribute_by_attribute() {
    let mut wrong = stored();
    if let Dynamic::Map(wrong) = &mut wrong {
        wrong.insert("name".into(), "other".into());
        wrong.insert("note".into(), "not configured".into());
        wrong.insert("token".into(), "leaked".into());
        wrong.insert("parts".into(), Dynamic::map([("a", part("y", 2.into(), Dynamic::Null))]));
        wrong.insert("zone".into(), "anything".into());
    }
    let found = check_planned("r", &schema(), Some(&stored()), &configured(), &wrong);
    assert_eq!(paths(&found), ["name", "note", "token", "parts[\"a\"].kind"]);

    let mut missing = stored();
    if let Dynamic::Map(missing) = &mut missing {
        missing.insert("parts".into(), Dynamic::map([("b", part("x", 1.into(), Dynamic::Null))]));
    }
    let found = check_planned("r", &schema(), Some(&stored()), &configured(), &missing);
    assert_eq!(paths(&found), ["parts"]);
}

#[test]
fn an_unknown_configuration_must_be_planned_unknown_or_kept() {
    let Dynamic::Map(mut config) = configured() else { panic!("an object") };
    config.insert("note".into(), Dynamic::Unknown);
    let config = Dynamic::Map(config);
    let with_note = |note: Dynamic| {
        let Dynamic::Map(mut planned) = stored() else { panic!("an object") };
        planned.insert("note".into(), note);
        check_planned("r", &schema(), None, &config, &Dynamic::Map(planned))
    };
    assert!(with_note(Dynamic::Unknown).is_empty());
    assert_eq!(paths(&with_note("guess".into())), ["note"]);
}

#[test]
fn known_values_come_out_of_apply_unchanged_and_unknown_ones_as_anything() {
    let ty = schema().ty();
    let mut planned = stored();
    if let Dynamic::Map(planned) = &mut planned {
        planned.insert("sum".into(), Dynamic::Unknown);
        planned.insert("parts".into(), Dynamic::map([("a", part("x", 1.into(), Dynamic::Unknown))]));
    }
    assert!(check_applied("r", &ty, &planned, &stored()).is_empty());
    let mut reordered = stored();
    if let Dynamic::Map(reordered) = &mut reordered {
        reordered.insert("tags".into(), Dynamic::list(["b", "a"]));
    }
    assert!(check_applied("r", &ty, &planned, &reordered).is_empty());

    let mut other = stored();
    if let Dynamic::Map(other) = &mut other {
        other.insert("zone".into(), "elsewhere".into());
        other.insert("parts".into(), Dynamic::map([("b", part("x", 1.into(), Dynamic::Null))]));
    }
    let found = check_applied("r", &ty, &planned, &other);
    assert_eq!(paths(&found), ["parts[\"a\"]", "parts[\"b\"]", "zone"]);
}

#[test]
fn thousands_of_broken_entries_are_not_thousands_of_errors() {
    let ty = Type::object([("m", Type::map(Type::Number))]);
    let entries = |value: i64| {
        let entries = (0..5_000).map(|key| (key.to_string(), Dynamic::from(value)));
        Dynamic::map([("m", Dynamic::map(entries))])
    };
    assert_eq!(check_applied("r", &ty, &entries(1), &entries(2)).len(), 10);
}

#[test]
fn what_is_still_unknown_is_stored_as_null_and_told() {
    let mut state = Dynamic::map([("m", Dynamic::map([("k", Dynamic::Unknown)]))]);
    let found = check_known("r", &mut state);
    assert_eq!(paths(&found), ["m[\"k\"]"]);
    assert_eq!(state, Dynamic::map([("m", Dynamic::map([("k", Dynamic::Null)]))]));
    assert!(check_known("r", &mut state).is_empty());
}
