//! A key of the configuration file as data: name, default, what is allowed, what it means and why the default is
//! what it is. The checker, the messages and the reference page all read the same description.

use super::problem::Problem;
use super::raw::{RawConfig, RawValue};

/// One key.
pub(crate) struct Key {
    /// Section it stands in, dotted.
    pub(crate) section: &'static str,
    /// Its name there.
    pub(crate) name: &'static str,
    /// The value when it is absent, in TOML's notation.
    pub(crate) default: &'static str,
    /// What may be written, as it completes "allowed: ...".
    pub(crate) allowed: &'static str,
    /// What it does, one or two sentences.
    pub(crate) meaning: &'static str,
    /// Why the default is that value.
    pub(crate) reason: &'static str,
}

impl Key {
    /// Dotted path, for example `receive.listen`.
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

/// Second pass: hands out typed values and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    raw: &'a RawConfig,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Starts with the problems of the first pass.
    pub(crate) fn new(raw: &'a RawConfig, problems: Vec<Problem>) -> Self {
        Self { raw, problems }
    }

    /// The value of `key` by `parse`, which answers `None` for what is not allowed. A wrong value is noted and the
    /// default stands in for it, so that reading can go on to the next key.
    pub(crate) fn get<T>(&mut self, key: &Key, parse: impl Fn(&RawValue) -> Option<T>) -> T {
        if let Some((line, value)) = self.raw.get(&key.path()) {
            match parse(value) {
                Some(value) => return value,
                None => self.problems.push(Problem {
                    line: *line,
                    path: key.path(),
                    text: format!("found {}, allowed: {}", value.shown(), key.allowed),
                }),
            }
        }
        RawValue::parse(key.default)
            .and_then(|value| parse(&value))
            .expect("a test checks that every default is allowed by its own key")
    }

    /// Notes that a value, allowed by itself, does not go with others.
    pub(crate) fn object(&mut self, key: &Key, text: &str) {
        let line = self.raw.get(&key.path()).map_or(0, |(line, _)| *line);
        self.problems.push(Problem { line, path: key.path(), text: text.to_owned() });
    }

    /// Whether the value of `key` has been refused: then nothing follows from the default that stands in for it.
    pub(crate) fn is_wrong(&self, key: &Key) -> bool {
        let path = key.path();
        self.problems.iter().any(|problem| problem.path == path)
    }

    /// Everything that was wrong, in no particular order.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}
