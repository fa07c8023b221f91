//! The bridge to Rust types: what fits, and where what does not is reported.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;
use crate::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Colour {
    DarkRed,
    Blue,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Item {
    id: Value<String>,
    size: Option<u16>,
    colour: Value<Colour>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Thing {
    name: String,
    items: Value<BTreeMap<String, Item>>,
    list: Vec<Value<i64>>,
    by_colour: BTreeMap<Colour, bool>,
    anything: Dynamic,
}

fn thing() -> Thing {
    let item = Item { id: Value::Unknown, size: None, colour: Value::Known(Colour::DarkRed) };
    Thing {
        name: "n".into(),
        items: Value::Known(BTreeMap::from([("k".into(), item)])),
        list: vec![Value::Null, Value::Unknown, Value::Known(-3)],
        by_colour: BTreeMap::from([(Colour::Blue, true)]),
        anything: Dynamic::list([
            Dynamic::Unknown,
            Dynamic::Number(Number::parse("1e400").unwrap_or(Number::Int(1))),
        ]),
    }
}

#[test]
fn typed_values_keep_null_unknown_and_known_apart() {
    let value = Dynamic::from_typed(&thing()).unwrap();
    assert_eq!(value.at(&AttributePath::of("items").key("k").attribute("id")), Some(&Dynamic::Unknown));
    assert_eq!(value.at(&AttributePath::of("items").key("k").attribute("size")), Some(&Dynamic::Null));
    assert_eq!(value.at(&AttributePath::of("items").key("k").attribute("colour")), Some(&"dark_red".into()));
    assert_eq!(value.at(&AttributePath::of("list").index(2)), Some(&Dynamic::from(-3)));
    assert_eq!(value.to_typed::<Thing>().unwrap(), thing());
}

/// Breaks one place of a good value and returns what is said about it.
fn broken(path: &AttributePath, with: Dynamic) -> ValueError {
    fn set(value: &mut Dynamic, steps: &[Step], with: Dynamic) {
        match (steps, value) {
            ([], value) => *value = with,
            ([Step::Attribute(key) | Step::Key(key), rest @ ..], Dynamic::Map(entries)) => {
                set(entries.get_mut(key).unwrap(), rest, with);
            }
            ([Step::Index(at), rest @ ..], Dynamic::List(elements)) => {
                set(&mut elements[usize::try_from(*at).unwrap()], rest, with);
            }
            _ => panic!("no such place"),
        }
    }
    let mut value = Dynamic::from_typed(&thing()).unwrap();
    set(&mut value, path.steps(), with);
    value.to_typed::<Thing>().unwrap_err()
}

#[test]
fn what_does_not_fit_is_reported_at_its_path_with_attributes_and_keys_apart() {
    let size = AttributePath::of("items").key("k").attribute("size");
    let error = broken(&size, Dynamic::from(70_000));
    assert_eq!(error.path, size);
    assert!(error.message.contains("70000") && error.message.contains("u16"), "{error}");

    let element = AttributePath::of("list").index(1);
    assert_eq!(broken(&element, "x".into()).path, element);

    let name = AttributePath::of("name");
    let error = broken(&name, Dynamic::Unknown);
    assert_eq!((&error.path, error.message.contains("known only after apply")), (&name, true));
    let error = broken(&name, Dynamic::Null);
    assert_eq!((&error.path, error.message.contains("null")), (&name, true));

    let colour = AttributePath::of("items").key("k").attribute("colour");
    let error = broken(&colour, "green".into());
    assert_eq!(error.path, colour);
    assert!(error.message.contains("dark_red"), "{error}");
}

#[test]
fn what_terraform_has_no_place_for_is_refused_with_its_path() {
    #[derive(Serialize)]
    struct Odd {
        ratio: BTreeMap<&'static str, f64>,
    }
    let error = Dynamic::from_typed(&Odd { ratio: BTreeMap::from([("a", f64::NAN)]) }).unwrap_err();
    assert_eq!(error.path, AttributePath::of("ratio").key("a"));
    assert!(Dynamic::from_typed(&BTreeMap::from([(vec![1], 1)])).is_err());
}

#[test]
fn inside_an_unknown_everything_is_unknown() {
    let value = Dynamic::map([("a", Dynamic::Unknown)]);
    assert_eq!(value.at(&AttributePath::of("a").key("b")), Some(&Dynamic::Unknown));
    assert_eq!(value.at(&AttributePath::of("b")), None);
    assert!(!value.is_wholly_known());
}

#[test]
fn unknowns_are_nulled_everywhere() {
    let mut value =
        Dynamic::list([Dynamic::Unknown, Dynamic::map([("a", Dynamic::Unknown), ("b", Dynamic::Null)])]);
    assert!(value.null_unknowns());
    assert_eq!(
        value,
        Dynamic::list([Dynamic::Null, Dynamic::map([("a", Dynamic::Null), ("b", Dynamic::Null)])])
    );
    assert!(!value.null_unknowns());
}
