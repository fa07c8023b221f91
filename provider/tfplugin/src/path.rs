//! Where in a configuration or state something is: attribute names, map keys and list indices.
//!
//! Elements of a set have no address on the wire, so a path stops at the set.

use std::fmt;

use crate::proto::tfplugin6 as pb;

/// One step down into a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// An attribute or block of an object, by name.
    Attribute(String),
    /// An element of a list, from zero.
    Index(u64),
    /// An element of a map, by key.
    Key(String),
}

/// The address of a value inside a configuration or state; the empty path is the whole object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributePath(Vec<Step>);

impl AttributePath {
    /// The whole object.
    pub fn root() -> Self {
        Self::default()
    }

    /// A top-level attribute.
    pub fn of(name: impl Into<String>) -> Self {
        Self::root().attribute(name)
    }

    /// This path, one attribute deeper.
    #[must_use]
    pub fn attribute(self, name: impl Into<String>) -> Self {
        self.step(Step::Attribute(name.into()))
    }

    /// This path, at a key of a map.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.step(Step::Key(key.into()))
    }

    /// This path, at an index of a list.
    #[must_use]
    pub fn index(self, index: usize) -> Self {
        self.step(Step::Index(index as u64))
    }

    /// This path, one step deeper.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// This path followed by `rest`.
    #[must_use]
    pub fn join(mut self, rest: &Self) -> Self {
        self.0.extend_from_slice(&rest.0);
        self
    }

    /// The steps from the outside in.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// True for the whole object.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a step at the outer end: errors learn their path while they travel outwards, so that the
    /// successful way pays nothing for it. Stored innermost first until [`Self::finish`].
    pub(crate) fn push_outer(&mut self, step: Step) {
        self.0.push(step);
    }

    /// Turns a path collected with [`Self::push_outer`] the right way round.
    pub(crate) fn finish(mut self) -> Self {
        self.0.reverse();
        self
    }

    pub(crate) fn to_wire(&self) -> pb::AttributePath {
        use pb::attribute_path::step::Selector;
        let steps = self.0.iter().map(|step| {
            let selector = match step {
                Step::Attribute(name) => Selector::AttributeName(name.clone()),
                Step::Index(index) => Selector::ElementKeyInt(i64::try_from(*index).unwrap_or(i64::MAX)),
                Step::Key(key) => Selector::ElementKeyString(key.clone()),
            };
            pb::attribute_path::Step { selector: Some(selector) }
        });
        pb::AttributePath { steps: steps.collect() }
    }
}

/// As people write it in configuration: `targets["use1"].arn`, `rules[0].action`.
impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => write!(f, "{name}")?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_written_in_configuration() {
        let path =
            AttributePath::of("targets").key("use \"1\"").attribute("rules").index(2).attribute("cidr");
        assert_eq!(path.to_string(), r#"targets["use \"1\""].rules[2].cidr"#);
        assert_eq!(AttributePath::root().to_string(), "");
    }

    #[test]
    fn the_wire_form_keeps_attributes_keys_and_indices_apart() {
        use pb::attribute_path::step::Selector;
        let wire = AttributePath::of("a").key("a").index(1).to_wire();
        let selectors: Vec<_> = wire.steps.into_iter().filter_map(|s| s.selector).collect();
        assert_eq!(
            selectors,
            [
                Selector::AttributeName("a".into()),
                Selector::ElementKeyString("a".into()),
                Selector::ElementKeyInt(1)
            ]
        );
    }
}
