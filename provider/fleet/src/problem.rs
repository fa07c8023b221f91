//! Mistakes in what a person wrote, each with the place it was written at.
//!
//! Parsers collect all problems of one run instead of stopping at the first. A problem is about text, a
//! [`Finding`](crate::finding::Finding) is about a world; neither knows how it will be shown.

use std::fmt;
use std::str::FromStr;

use crate::given::Given;
use crate::ids::IdError;

/// One step from the root of a configuration to a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A named attribute.
    Attr(&'static str),
    /// The key of a map.
    Key(String),
    /// The position in a list, from 0.
    Index(usize),
}

/// The way from the root of a configuration to a value, such as `filters["quiet"].rules[0].ports`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The root: the whole block.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// This path and one attribute more.
    #[must_use]
    pub fn attr(&self, name: &'static str) -> Self {
        self.with(Step::Attr(name))
    }

    /// This path and one map key more.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(Step::Key(key.into()))
    }

    /// This path and one list position more.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attr(name) if position == 0 => f.write_str(name)?,
                Step::Attr(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written.
    pub path: Path,
    /// One line: what is wrong.
    pub summary: String,
    /// Why, and what to write instead.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.path, self.summary, self.detail)
    }
}

/// Collects problems, and remembers whether something could not be checked yet.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) problems: Vec<Problem>,
    pub(crate) has_unknown: bool,
}

impl Notes {
    pub(crate) fn problem(&mut self, path: &Path, summary: impl Into<String>, detail: impl Into<String>) {
        self.problems.push(Problem { path: path.clone(), summary: summary.into(), detail: detail.into() });
    }

    /// The known value; notes that something is unknown.
    pub(crate) fn value<'a, T>(&mut self, given: &'a Given<T>) -> Option<&'a T> {
        self.has_unknown |= given.is_unknown();
        given.known()
    }

    /// Parses text into a type of [`crate::ids`].
    pub(crate) fn text<T: FromStr<Err = IdError>>(&mut self, path: &Path, text: &str) -> Option<T> {
        text.parse().map_err(|error| self.id_error(path, &error)).ok()
    }

    /// Parses a number into a type of [`crate::ids`].
    pub(crate) fn number<T: TryFrom<i64, Error = IdError>>(&mut self, path: &Path, found: i64) -> Option<T> {
        T::try_from(found).map_err(|error| self.id_error(path, &error)).ok()
    }

    pub(crate) fn id_error(&mut self, path: &Path, error: &IdError) {
        let detail = match error {
            IdError::Shape { expected, .. } => format!("Write {expected}."),
            IdError::Range { min, max, .. } => format!("Write a whole number from {min} to {max}."),
        };
        self.problem(path, format!("Invalid value: {error}"), detail);
    }

    /// All known elements of a list, each parsed by `parse`; unknown elements are noted and left out.
    pub(crate) fn list<T>(
        &mut self,
        path: &Path,
        given: &Given<Vec<Given<String>>>,
        mut parse: impl FnMut(&mut Self, &Path, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let elements = self.value(given)?;
        let mut parsed = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            let at = path.index(index);
            match element {
                Given::Known(text) => parsed.extend(parse(self, &at, text)),
                Given::Unknown => self.has_unknown = true,
                Given::Absent => {
                    self.problem(&at, "Null element", "Remove the element, or write its value.");
                }
            }
        }
        Some(parsed)
    }
}

/// `, did you mean "x"?` for the known word nearest to a mistyped one, else nothing.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    // 0.7 accepts one or two slips in short words and rejects unrelated ones.
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, candidate)| format!(" Did you mean {candidate:?}?"))
}
