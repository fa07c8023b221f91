//! `Dynamic`: any Terraform value, for code that walks values by schema instead of by Rust type.
//!
//! Lists, sets and tuples are all [`Dynamic::List`]; maps and objects are both [`Dynamic::Map`]. Which of them
//! is meant is the schema's knowledge, not the value's.

pub(crate) mod de;
pub(crate) mod ser;

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::de::ValueError;
use crate::number::Number;
use crate::path::{AttributePath, Step};

/// Any Terraform value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Dynamic {
    /// Not set.
    #[default]
    Null,
    /// Decided during apply.
    Unknown,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// A list, set or tuple.
    List(Vec<Self>),
    /// A map or object.
    Map(BTreeMap<String, Self>),
}

impl Dynamic {
    /// The value that `value` serializes to.
    ///
    /// # Errors
    /// Where the Rust type has no Terraform counterpart: bytes, maps with keys other than text, NaN.
    pub fn from_typed<T: Serialize + ?Sized>(value: &T) -> Result<Self, ValueError> {
        value.serialize(ser::Serializer).map_err(ValueError::finish)
    }

    /// Reads the value as a Rust type; nothing is copied but what `T` keeps.
    ///
    /// # Errors
    /// With the path of the first value that does not fit: another type, null or unknown where `T` has no
    /// place for it (use [`Value`](crate::Value)), a number out of range.
    pub fn to_typed<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        T::deserialize(de::Deserializer(self)).map_err(ValueError::finish)
    }

    /// Takes an attribute or map element out; null if this is no map or has no such entry.
    pub fn take(&mut self, key: &str) -> Self {
        match self {
            Self::Map(entries) => entries.remove(key).unwrap_or_default(),
            _ => Self::Null,
        }
    }

    /// An object or map of these entries.
    pub fn map<K: Into<String>, V: Into<Self>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// A list or set of these elements.
    pub fn list<V: Into<Self>>(elements: impl IntoIterator<Item = V>) -> Self {
        Self::List(elements.into_iter().map(Into::into).collect())
    }

    /// True if not set.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// True if this value itself is unknown; see [`Self::is_wholly_known`] for what it contains.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// True if neither this value nor anything inside it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(elements) => elements.iter().all(Self::is_wholly_known),
            Self::Map(entries) => entries.values().all(Self::is_wholly_known),
            _ => true,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The entries, if it is a map or object.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The elements, if it is a list, set or tuple.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// An attribute or map element; `None` if this is no map or has no such entry.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// The value at `path`; `None` where a step leads nowhere. Inside an unknown everything is unknown.
    pub fn at(&self, path: &AttributePath) -> Option<&Self> {
        path.steps().iter().try_fold(self, |value, step| match (value, step) {
            (Self::Unknown, _) => Some(value),
            (Self::Map(entries), Step::Attribute(key) | Step::Key(key)) => entries.get(key),
            (Self::List(elements), Step::Index(index)) => elements.get(usize::try_from(*index).ok()?),
            _ => None,
        })
    }

    /// Makes the value at `path` unknown; false if there is none, or it is already.
    pub(crate) fn make_unknown(&mut self, path: &AttributePath) -> bool {
        let mut place = self;
        for step in path.steps() {
            let inner = match (place, step) {
                (Self::Map(entries), Step::Attribute(key) | Step::Key(key)) => entries.get_mut(key),
                (Self::List(elements), Step::Index(index)) => {
                    usize::try_from(*index).ok().and_then(|index| elements.get_mut(index))
                }
                _ => None,
            };
            match inner {
                Some(inner) => place = inner,
                None => return false,
            }
        }
        !matches!(std::mem::replace(place, Self::Unknown), Self::Unknown)
    }

    /// What it is, in Terraform's words, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown => "an unknown value",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "an object or map",
        }
    }

    /// Replaces every unknown inside by null and says whether there was one.
    pub(crate) fn null_unknowns(&mut self) -> bool {
        match self {
            Self::Unknown => {
                *self = Self::Null;
                true
            }
            // No short cut: every element must be visited.
            Self::List(elements) => elements.iter_mut().fold(false, |found, e| e.null_unknowns() | found),
            Self::Map(entries) => entries.values_mut().fold(false, |found, e| e.null_unknowns() | found),
            _ => false,
        }
    }

    pub(crate) fn into_option(self) -> Option<Self> {
        (!self.is_null()).then_some(self)
    }
}

impl From<bool> for Dynamic {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Dynamic {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Dynamic {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Dynamic {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

#[cfg(test)]
mod tests;
