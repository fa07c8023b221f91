//! `Value<T>`: a typed value that Terraform may not know yet.
//!
//! Reads and writes itself through the serde bridge of [`Dynamic`](crate::Dynamic) without buffering, so that
//! a wrong type is reported at its own path. With other formats (JSON) it behaves like `Option<T>`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// The newtype name by which the serde bridge recognises that null and unknown are welcome.
pub(crate) const VALUE: &str = "$terraform::Value";
/// The same for [`Dynamic`](crate::Dynamic), which also keeps decimals that a double cannot hold.
pub(crate) const DYNAMIC: &str = "$terraform::Dynamic";
/// The newtype name under which such a decimal is written, as text.
pub(crate) const DECIMAL: &str = "$terraform::Decimal";
/// The unit struct name by which the serde bridge recognises an unknown value.
pub(crate) const UNKNOWN: &str = "$terraform::Unknown";

/// A value as Terraform knows it: absent, decided later, or here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value<T> {
    /// Not set.
    #[default]
    Null,
    /// Decided during apply, for instance the id of something not yet made.
    Unknown,
    /// Set and known.
    Known(T),
}

impl<T> Value<T> {
    /// The value, if it is known and not null.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// A borrowed view.
    pub fn as_ref(&self) -> Value<&T> {
        match self {
            Self::Null => Value::Null,
            Self::Unknown => Value::Unknown,
            Self::Known(value) => Value::Known(value),
        }
    }

    /// The same state of knowledge about another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Value<U> {
        match self {
            Self::Null => Value::Null,
            Self::Unknown => Value::Unknown,
            Self::Known(value) => Value::Known(f(value)),
        }
    }

    /// True if nothing was set.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// True if it will be decided during apply.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// True if it is set and known.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// The value, `default` where null, and `None` where unknown.
    pub fn or_default_to(self, default: T) -> Option<T> {
        match self {
            Self::Null => Some(default),
            Self::Unknown => None,
            Self::Known(value) => Some(value),
        }
    }
}

impl<T> From<T> for Value<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

/// An absent option is null, never unknown.
impl<T> From<Option<T>> for Value<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Known)
    }
}

impl<T: Serialize> Serialize for Value<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Unknown => serializer.serialize_unit_struct(UNKNOWN),
            Self::Known(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Value<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(VALUE, ValueVisitor(PhantomData))
    }
}

/// The bridge calls `visit_unit` for null, `visit_none` for unknown and `visit_some` for known; any other
/// format hands over itself as the content of a newtype.
struct ValueVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ValueVisitor<T> {
    type Value = Value<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Unknown)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        T::deserialize(deserializer).map(Value::Known)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Option::<T>::deserialize(deserializer).map(Value::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_knows_null_and_values() {
        let read: Vec<Value<u8>> = serde_json::from_str("[null, 7]").unwrap();
        assert_eq!(read, [Value::Null, Value::Known(7)]);
        assert_eq!(serde_json::to_string(&read).unwrap(), "[null,7]");
    }

    #[test]
    fn a_default_stands_for_null_but_never_for_unknown() {
        assert_eq!(Value::Null.or_default_to(3), Some(3));
        assert_eq!(Value::Unknown.or_default_to(3), None);
        assert_eq!(Value::Known(4).or_default_to(3), Some(4));
    }
}
