//! Form parameters to values, with EC2's own complaints.
//!
//! Reading a parameter takes it out; what is left when an action has read all it knows is an unknown parameter,
//! and EC2 refuses those. Lists are flattened and 1-based: `Filter.1.Value.2`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::error::ApiError;

/// The parameters of one call that nobody has read yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    pairs: BTreeMap<String, String>,
}

impl Params {
    /// Parses a form body or a query string. A parameter given twice is refused: nobody can say which one counts.
    pub(crate) fn from_form(form: &[u8]) -> Result<Self, ApiError> {
        let mut pairs = BTreeMap::new();
        for (key, value) in form_urlencoded::parse(form) {
            if pairs.insert(key.clone().into_owned(), value.into_owned()).is_some() {
                let message = format!("The parameter {key} may only be specified once");
                return Err(ApiError::new("MalformedQueryString", message));
            }
        }
        Ok(Self { pairs })
    }

    pub(crate) fn from_pairs(pairs: BTreeMap<String, String>) -> Self {
        Self { pairs }
    }

    /// The same with one more pair, if there is a value for it.
    pub(crate) fn with(mut self, name: &str, value: Option<String>) -> Self {
        self.pairs.extend(value.map(|value| (name.to_owned(), value)));
        self
    }

    /// Everything not read yet, for the journal and for token fingerprints.
    pub(crate) fn pairs(&self) -> &BTreeMap<String, String> {
        &self.pairs
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.pairs.remove(name)
    }

    /// A parameter that must be there and not be empty.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name).filter(|value| !value.is_empty()).ok_or_else(|| ApiError::missing(name))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.text(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::value(name, other, "Expecting true or false.")),
        }
    }

    pub(crate) fn integer(
        &mut self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let bounds = || format!("Expecting a value from {} to {}.", range.start(), range.end());
        match text.parse::<i64>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(ApiError::value(name, &text, &bounds())),
        }
    }

    pub(crate) fn required_integer(
        &mut self,
        name: &str,
        range: RangeInclusive<i64>,
    ) -> Result<i64, ApiError> {
        self.integer(name, range)?.ok_or_else(|| ApiError::missing(name))
    }

    /// One of a closed set of words.
    pub(crate) fn word(&mut self, name: &str, words: &[&str]) -> Result<Option<String>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        if words.contains(&text.as_str()) {
            return Ok(Some(text));
        }
        Err(ApiError::value(name, &text, &format!("Expecting one of: {}.", words.join(", "))))
    }

    /// Members of a flattened list of scalars, in index order.
    pub(crate) fn list(&mut self, prefix: &str) -> Result<Vec<String>, ApiError> {
        let indexes = self.indexes(prefix)?;
        indexes.into_iter().map(|index| self.required(&format!("{prefix}.{index}"))).collect()
    }

    /// Indexes present under `prefix.N` or `prefix.N.member`.
    pub(crate) fn indexes(&self, prefix: &str) -> Result<BTreeSet<u32>, ApiError> {
        let mut indexes = BTreeSet::new();
        for key in self.pairs.keys() {
            let Some(rest) = key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) else {
                continue;
            };
            let number = rest.split('.').next().unwrap_or(rest);
            match number.parse::<u32>() {
                Ok(index) if index > 0 => indexes.insert(index),
                _ => return Err(unknown(key)),
            };
        }
        Ok(indexes)
    }

    /// Whether any parameter stands under `prefix.`.
    pub(crate) fn has_members(&self, prefix: &str) -> bool {
        self.pairs.keys().any(|key| key.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Refuses what no one has read.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.pairs.keys().next() {
            Some(key) => Err(unknown(key)),
            None => Ok(()),
        }
    }
}

fn unknown(key: &str) -> ApiError {
    ApiError::new("UnknownParameter", format!("The parameter {key} is not recognized"))
}
