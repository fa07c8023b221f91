//! Values as a person wrote them: absent, not known yet, or known.
//!
//! Terraform validates and plans configurations whose leaves may be unknown until an apply. [`Given`] carries that third
//! state into the parsers, which skip what they cannot check and never call it a mistake. What a value means is decided there.

use serde::{Deserialize, Serialize};

/// One written value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Given<T> {
    /// Nothing was written (Terraform's null): the default applies.
    #[default]
    Absent,
    /// Something was written whose value is not known yet.
    Unknown,
    /// The value.
    Known(T),
}

impl<T> Given<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Unknown => None,
        }
    }

    /// Whether a value was written that is not known yet.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Whether nothing was written.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Converts a known value and keeps the other states.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Given<U> {
        match self {
            Self::Absent => Given::Absent,
            Self::Unknown => Given::Unknown,
            Self::Known(value) => Given::Known(convert(value)),
        }
    }

    /// The same state by reference.
    pub fn as_ref(&self) -> Given<&T> {
        match self {
            Self::Absent => Given::Absent,
            Self::Unknown => Given::Unknown,
            Self::Known(value) => Given::Known(value),
        }
    }
}

impl<T> From<Option<T>> for Given<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Known)
    }
}
