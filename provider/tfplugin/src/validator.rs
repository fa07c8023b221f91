//! Checks of single values that need nothing but the value, run during `terraform validate` and every plan.
//!
//! A validator reports all its mistakes, each with its path below the attribute. It never sees null or an
//! unknown attribute. Rules that span attributes belong into the resource's own `validate`.

use std::fmt;
use std::ops::RangeBounds;

use serde::de::DeserializeOwned;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::dynamic::Dynamic;
use crate::path::AttributePath;

/// Collects the mistakes that a validator finds in one attribute.
#[derive(Debug)]
pub struct Mistakes<'a> {
    attribute: &'a AttributePath,
    into: &'a mut Diagnostics,
}

impl Mistakes<'_> {
    /// The value as a whole is wrong; `why` is a whole sentence.
    pub fn add(&mut self, why: impl Into<String>) {
        self.add_at(&AttributePath::root(), why);
    }

    /// Something inside is wrong, at `path` below the attribute.
    pub fn add_at(&mut self, path: &AttributePath, why: impl Into<String>) {
        let path = self.attribute.clone().join(path);
        self.into.push(Diagnostic::error(format!("Invalid value for {path}"), why).at(path));
    }
}

type Check = dyn Fn(&Dynamic, &mut Mistakes<'_>) + Send + Sync;

/// A check of one attribute's value.
pub struct Validator {
    description: String,
    check: Box<Check>,
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Validator").field(&self.description).finish()
    }
}

impl Validator {
    /// A check of the value as the Rust type `T`; skipped as long as anything inside is unknown.
    ///
    /// `description` completes "the value must be ..." in the documentation; the error is a whole sentence for
    /// the person. A value that is no `T` is a mistake as well.
    pub fn new<T, F>(description: impl Into<String>, check: F) -> Self
    where
        T: DeserializeOwned,
        F: Fn(T) -> Result<(), String> + Send + Sync + 'static,
    {
        Self::of_dynamic(description, move |value, mistakes| {
            if !value.is_wholly_known() {
                return;
            }
            match value.to_typed::<T>() {
                Ok(typed) => {
                    if let Err(why) = check(typed) {
                        mistakes.add(why);
                    }
                }
                Err(error) => {
                    mistakes.add_at(&error.path, format!("This value cannot be used: {}.", error.message));
                }
            }
        })
    }

    /// A check that walks the value itself, may find several mistakes, and may meet unknowns inside.
    pub fn of_dynamic<F>(description: impl Into<String>, check: F) -> Self
    where
        F: Fn(&Dynamic, &mut Mistakes<'_>) + Send + Sync + 'static,
    {
        Self { description: description.into(), check: Box::new(check) }
    }

    /// Completes "the value must be ...".
    pub fn description(&self) -> &str {
        &self.description
    }

    /// One of these texts; near misses are pointed out.
    pub fn one_of<S: Into<String>>(allowed: impl IntoIterator<Item = S>) -> Self {
        let allowed: Vec<String> = allowed.into_iter().map(Into::into).collect();
        let list = allowed.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ");
        Self::new(format!("one of {list}"), move |value: String| {
            if allowed.contains(&value) {
                return Ok(());
            }
            let near = allowed.iter().find(|text| text.eq_ignore_ascii_case(value.trim()));
            let hint = near.map(|text| format!(" Did you mean \"{text}\"?")).unwrap_or_default();
            Err(format!("\"{value}\" is not one of {}.{hint}", allowed.join(", ")))
        })
    }

    /// A whole number within `range`.
    pub fn whole_number(range: impl RangeBounds<i64> + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::new(format!("a whole number in {range:?}"), move |value: i64| {
            if range.contains(&value) { Ok(()) } else { Err(format!("{value} is not in {range:?}.")) }
        })
    }

    /// A text of so many characters, or a list, set or map of so many elements.
    pub fn length(range: impl RangeBounds<usize> + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::of_dynamic(format!("of a length in {range:?}"), move |value, mistakes| {
            let (len, what) = match value {
                Dynamic::String(text) => (text.chars().count(), "characters"),
                Dynamic::List(elements) => (elements.len(), "elements"),
                Dynamic::Map(entries) => (entries.len(), "elements"),
                _ => return,
            };
            if !range.contains(&len) {
                mistakes.add(format!("It has {len} {what}; the number must be in {range:?}."));
            }
        })
    }

    /// Every element of a list, set or map passes `inner`; each mistake points at its element.
    pub fn each(inner: Self) -> Self {
        Self::of_dynamic(format!("made of elements, each {}", inner.description), move |value, mistakes| {
            let mut check = |path: &AttributePath, element: &Dynamic| {
                if !element.is_null() && !element.is_unknown() {
                    let attribute = mistakes.attribute.clone().join(path);
                    (inner.check)(element, &mut Mistakes { attribute: &attribute, into: mistakes.into });
                }
            };
            match value {
                Dynamic::List(elements) => {
                    for (position, element) in elements.iter().enumerate() {
                        check(&AttributePath::root().index(position), element);
                    }
                }
                Dynamic::Map(entries) => {
                    for (key, element) in entries {
                        check(&AttributePath::root().key(key), element);
                    }
                }
                _ => {}
            }
        })
    }

    /// Every key of a map passes `check`, whose error is a whole sentence; the mistake points at the key.
    pub fn keys<F>(description: impl Into<String>, check: F) -> Self
    where
        F: Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    {
        Self::of_dynamic(format!("a map whose keys are {}", description.into()), move |value, mistakes| {
            for key in value.as_map().into_iter().flat_map(|entries| entries.keys()) {
                if let Err(why) = check(key) {
                    mistakes.add_at(&AttributePath::root().key(key), why);
                }
            }
        })
    }

    pub(crate) fn run(&self, value: &Dynamic, attribute: &AttributePath, into: &mut Diagnostics) {
        (self.check)(value, &mut Mistakes { attribute, into });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(validator: &Validator, value: &Dynamic) -> Vec<String> {
        let mut found = Diagnostics::new();
        validator.run(value, &AttributePath::of("a"), &mut found);
        found.iter().map(|d| format!("{}: {}", d.attribute, d.detail)).collect()
    }

    #[test]
    fn every_element_at_fault_is_reported_with_its_path() {
        let ports = Validator::each(Validator::whole_number(1..=65535));
        let value =
            Dynamic::list([Dynamic::from(0), Dynamic::from(80), Dynamic::Unknown, Dynamic::from(70000)]);
        assert_eq!(
            mistakes(&ports, &value),
            ["a[0]: 0 is not in 1..=65535.", "a[3]: 70000 is not in 1..=65535."]
        );
    }

    #[test]
    fn a_near_miss_is_pointed_out() {
        let action = Validator::one_of(["accept", "reject"]);
        assert_eq!(mistakes(&action, &"accept".into()), Vec::<String>::new());
        let found = mistakes(&action, &"Accept".into());
        assert!(found[0].ends_with("Did you mean \"accept\"?"), "{found:?}");
    }

    #[test]
    fn unknowns_inside_postpone_a_typed_check_but_not_a_length() {
        let typed = Validator::new("sorted", |_: Vec<i64>| Err("no".into()));
        let value = Dynamic::list([Dynamic::Unknown]);
        assert!(mistakes(&typed, &value).is_empty());
        assert_eq!(mistakes(&Validator::length(2..), &value).len(), 1);
        assert_eq!(mistakes(&typed, &Dynamic::list([Dynamic::from("x")]))[0].split(':').next(), Some("a[0]"));
    }

    #[test]
    fn keys_are_checked_one_by_one() {
        let lower = Validator::keys("lower case", |key| {
            if key.chars().all(char::is_lowercase) {
                Ok(())
            } else {
                Err(format!("\"{key}\" is not lower case."))
            }
        });
        assert_eq!(
            mistakes(&lower, &Dynamic::map([("ok", 1i64), ("No", 2)])),
            ["a[\"No\"]: \"No\" is not lower case."]
        );
    }
}
