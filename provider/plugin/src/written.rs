//! From what a person wrote, as Terraform carries it, to the core's `Given` values.
//!
//! Null is absent, unknown stays unknown. Types are Terraform's to check: a value of another type cannot arrive here,
//! and would read as absent. Shared by the data source and the resource.

use std::collections::BTreeMap;

use enigma_fleet::given::Given;
use enigma_tfplugin::Dynamic;

/// The object's attribute, converted by `convert`.
pub(crate) fn attribute<T>(
    object: &Dynamic,
    name: &str,
    convert: impl FnOnce(&Dynamic) -> Option<T>,
) -> Given<T> {
    value(object.get(name).unwrap_or(&Dynamic::Null), convert)
}

fn value<T>(value: &Dynamic, convert: impl FnOnce(&Dynamic) -> Option<T>) -> Given<T> {
    match value {
        Dynamic::Null => Given::Absent,
        Dynamic::Unknown => Given::Unknown,
        known => convert(known).into(),
    }
}

/// A text.
pub(crate) fn text(object: &Dynamic, name: &str) -> Given<String> {
    attribute(object, name, to_text)
}

/// A whole number.
pub(crate) fn number(object: &Dynamic, name: &str) -> Given<i64> {
    attribute(object, name, to_number)
}

/// A boolean.
pub(crate) fn boolean(object: &Dynamic, name: &str) -> Given<bool> {
    attribute(object, name, |value| match value {
        Dynamic::Bool(value) => Some(*value),
        _ => None,
    })
}

/// A list or set of texts.
pub(crate) fn texts(object: &Dynamic, name: &str) -> Given<Vec<Given<String>>> {
    attribute(object, name, to_texts)
}

/// A list of anything.
pub(crate) fn list<T>(
    object: &Dynamic,
    name: &str,
    convert: impl Fn(&Dynamic) -> Option<T>,
) -> Given<Vec<Given<T>>> {
    attribute(object, name, |found| {
        Some(found.as_list()?.iter().map(|element| value(element, &convert)).collect())
    })
}

/// A map of anything, by the keys that people chose.
pub(crate) fn map<T>(
    object: &Dynamic,
    name: &str,
    convert: impl Fn(&Dynamic) -> Option<T>,
) -> Given<BTreeMap<String, Given<T>>> {
    attribute(object, name, |found| {
        Some(found.as_map()?.iter().map(|(key, element)| (key.clone(), value(element, &convert))).collect())
    })
}

/// The text of a known value.
pub(crate) fn to_text(value: &Dynamic) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The whole number of a known value.
pub(crate) fn to_number(value: &Dynamic) -> Option<i64> {
    match value {
        Dynamic::Number(number) => number.as_i64(),
        _ => None,
    }
}

/// The texts of a known list.
pub(crate) fn to_texts(found: &Dynamic) -> Option<Vec<Given<String>>> {
    Some(found.as_list()?.iter().map(|element| value(element, to_text)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_unknown_and_known_stay_apart() {
        let object = Dynamic::map([
            ("null", Dynamic::Null),
            ("unknown", Dynamic::Unknown),
            ("text", Dynamic::from("x")),
            ("texts", Dynamic::list([Dynamic::from("a"), Dynamic::Unknown])),
        ]);
        assert_eq!(text(&object, "null"), Given::Absent);
        assert_eq!(text(&object, "not there"), Given::Absent);
        assert_eq!(text(&object, "unknown"), Given::Unknown);
        assert_eq!(text(&object, "text"), Given::Known("x".to_owned()));
        assert_eq!(texts(&object, "texts"), Given::Known(vec![Given::Known("a".to_owned()), Given::Unknown]));
    }
}
