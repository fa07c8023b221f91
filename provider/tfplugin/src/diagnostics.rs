//! What Terraform shows to people: errors and warnings, each with a summary, a detail and, where one
//! attribute is at fault, its path. Many are collected and shown together; this module decides nothing.

use std::fmt;

use crate::path::AttributePath;
use crate::proto::tfplugin6 as pb;
use crate::types::Type;

/// Whether a diagnostic stops the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Terraform stops and exits with a code other than zero.
    Error,
    /// Terraform shows it and goes on.
    Warning,
}

/// One message for a person.
///
/// A good one says what did not happen, to which object, why, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// Whether it stops the operation.
    pub severity: Severity,
    /// One line without a full stop; Terraform prints it bold and may group equal ones.
    pub summary: String,
    /// Whole sentences, any number of lines; may be empty.
    pub detail: String,
    /// The attribute at fault; the root path means the whole block.
    pub attribute: AttributePath,
}

impl Diagnostic {
    /// An error about the whole object.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Error, summary, detail)
    }

    /// A warning about the whole object.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Warning, summary, detail)
    }

    fn new(severity: Severity, summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { severity, summary: summary.into(), detail: detail.into(), attribute: AttributePath::root() }
    }

    /// The same message, pointing at one attribute.
    #[must_use]
    pub fn at(mut self, attribute: AttributePath) -> Self {
        self.attribute = attribute;
        self
    }

    pub(crate) fn to_wire(&self) -> pb::Diagnostic {
        let severity = match self.severity {
            Severity::Error => pb::diagnostic::Severity::Error,
            Severity::Warning => pb::diagnostic::Severity::Warning,
        };
        pb::Diagnostic {
            severity: severity.into(),
            summary: self.summary.clone(),
            detail: self.detail.clone(),
            attribute: (!self.attribute.is_root()).then(|| self.attribute.to_wire()),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.summary)?;
        if !self.attribute.is_root() {
            write!(f, " (at {})", self.attribute)?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// Diagnostics in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "diagnostics are the only way a person learns what happened"]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds an error about the whole object.
    pub fn error(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(Diagnostic::error(summary, detail));
    }

    /// Adds a warning about the whole object.
    pub fn warning(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(Diagnostic::warning(summary, detail));
    }

    /// True as soon as one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// True when nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many were reported.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// `Ok(value)` when none of them is an error; the warnings are then lost, so use it only where there
    /// can be none, or return them beside the value.
    ///
    /// # Errors
    /// All of them, when one is an error.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.has_errors() { Err(self) } else { Ok(value) }
    }

    /// Makes every path one that Terraform can find in a value of this type.
    pub(crate) fn confine(&mut self, ty: &Type) {
        for diagnostic in &mut self.0 {
            diagnostic.attribute = ty.addressable(&diagnostic.attribute);
        }
    }

    pub(crate) fn to_wire(&self) -> Vec<pb::Diagnostic> {
        self.0.iter().map(Diagnostic::to_wire).collect()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_alone_are_not_errors() {
        let mut found = Diagnostics::new();
        found.warning("Old name", "");
        assert!(!found.has_errors() && !found.is_empty());
        found.push(Diagnostic::error("Bad name", "x").at(AttributePath::of("name")));
        assert!(found.has_errors());
        assert_eq!(found.iter().last().unwrap().to_string(), "error: Bad name (at name): x");
    }

    #[test]
    fn the_wire_form_has_a_path_only_when_one_attribute_is_meant() {
        let whole = Diagnostic::warning("w", "d").to_wire();
        assert_eq!((whole.severity, whole.attribute), (2, None));
        let one = Diagnostic::error("e", "d").at(AttributePath::of("a").index(3)).to_wire();
        assert_eq!((one.severity, one.attribute.unwrap().steps.len()), (1, 2));
    }
}
