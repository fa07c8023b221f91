//! First pass: TOML text to values under dotted paths, with their lines. Knows which keys exist (and proposes the
//! nearest for one that does not) but not what their values mean. The TOML reader recovers from mistakes of
//! syntax, so a missing quote in line 3 does not hide an unknown key in line 9.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Section;
use super::problem::Problem;

/// A value as written. Only what keys can ask for; the rest keeps its name for the message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RawValue {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Self>),
    /// A date, a table, or an integer beyond 64 bits: never allowed, shown as found.
    Other(String),
}

impl RawValue {
    fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Self::Other(number.as_str().to_owned()), Self::Integer),
            DeValue::Float(number) => {
                number.as_str().parse().map_or_else(|_| Self::Other(number.as_str().to_owned()), Self::Float)
            }
            DeValue::Boolean(yes) => Self::Bool(*yes),
            DeValue::Datetime(at) => Self::Other(at.to_string()),
            DeValue::Array(list) => {
                Self::List(list.iter().map(|item| Self::from_toml(item.get_ref())).collect())
            }
            DeValue::Table(_) => Self::Other("a section".to_owned()),
        }
    }

    /// A single value in TOML's notation; how defaults are written down.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        DeValue::parse(text).ok().map(|value| Self::from_toml(value.get_ref()))
    }

    /// As a person wrote it, short enough for one line of a message.
    pub(crate) fn shown(&self) -> String {
        let text = match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Bool(yes) => yes.to_string(),
            Self::List(list) => {
                format!("[{}]", list.iter().map(Self::shown).collect::<Vec<_>>().join(", "))
            }
            Self::Other(text) => text.clone(),
        };
        // 60 characters: a pasted certificate must not push the rest of the report off the screen.
        if text.chars().count() > 60 { text.chars().take(57).chain("...".chars()).collect() } else { text }
    }
}

/// Values by dotted path, with the line each stands in.
#[derive(Debug, Default)]
pub(crate) struct RawConfig {
    values: BTreeMap<String, (usize, RawValue)>,
    /// Lines with a mistake of syntax: what was made of them is not what somebody wrote.
    broken: Vec<usize>,
}

impl RawConfig {
    /// Reads the whole text; problems are those of syntax and of names.
    pub(crate) fn parse(text: &str, sections: &[&Section]) -> (Self, Vec<Problem>) {
        let lines = Lines::new(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut problems: Vec<Problem> = errors
            .iter()
            .map(|error| Problem {
                line: error.span().map_or(0, |span| lines.of(span.start)),
                path: String::new(),
                text: format!("not valid TOML: {}", error.message().replace('\n', ", ")),
            })
            .collect();
        let mut raw =
            Self { broken: problems.iter().map(|problem| problem.line).collect(), ..Self::default() };
        raw.walk("", table.get_ref(), &lines, sections, &mut problems);
        (raw, problems)
    }

    /// What stands at `path`, and in which line.
    pub(crate) fn get(&self, path: &str) -> Option<&(usize, RawValue)> {
        self.values.get(path)
    }

    fn walk(
        &mut self,
        prefix: &str,
        table: &DeTable<'_>,
        lines: &Lines,
        sections: &[&Section],
        problems: &mut Vec<Problem>,
    ) {
        for (key, value) in table {
            let path = join(prefix, key.get_ref());
            let line = lines.of(Spanned::span(key).start);
            if self.broken.contains(&line) {
                continue;
            }
            let is_section = sections
                .iter()
                .any(|section| section.name == path || section.name.starts_with(&format!("{path}.")));
            match value.get_ref() {
                DeValue::Table(inner) if is_section => self.walk(&path, inner, lines, sections, problems),
                found if is_section => problems.push(Problem {
                    line,
                    text: format!(
                        "found {}, allowed: a section, written [{path}]",
                        RawValue::from_toml(found).shown()
                    ),
                    path,
                }),
                found if known(&path, sections) => {
                    self.values.insert(path, (line, RawValue::from_toml(found)));
                }
                found => {
                    let kind = if found.is_table() { "section" } else { "key" };
                    let hint = match nearest(&path, sections) {
                        Some(name) => format!("; did you mean {name}?"),
                        None => format!("; allowed here: {}", allowed_under(prefix, sections).join(", ")),
                    };
                    problems.push(Problem { line, text: format!("no such {kind}{hint}"), path });
                }
            }
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn known(path: &str, sections: &[&Section]) -> bool {
    sections.iter().any(|section| section.keys.iter().any(|key| key.path() == path))
}

/// Names that may stand directly under `prefix`: keys and the next part of section names.
fn allowed_under(prefix: &str, sections: &[&Section]) -> Vec<String> {
    let mut names: Vec<String> = sections
        .iter()
        .flat_map(|section| {
            let keys = section.keys.iter().map(|key| key.path());
            keys.chain([section.name.to_owned()])
        })
        .filter_map(|path| {
            let rest = if prefix.is_empty() {
                Some(path.as_str())
            } else {
                path.strip_prefix(prefix)?.strip_prefix('.')
            };
            rest.and_then(|rest| rest.split('.').next()).map(str::to_owned)
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The key or section somebody most likely meant.
fn nearest(path: &str, sections: &[&Section]) -> Option<String> {
    // 0.85 of Jaro-Winkler: finds a swapped or missing letter, and not merely the same section name.
    const NEAR: f64 = 0.85;
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    sections
        .iter()
        .flat_map(|section| section.keys.iter().map(|key| key.path()).chain([section.name.to_owned()]))
        .map(|name| {
            // The last part alone also counts: a right key in the wrong section is a frequent mistake.
            let score = strsim::jaro_winkler(&last(path), &last(&name));
            let whole = strsim::jaro_winkler(path, &name);
            (score, whole, name)
        })
        .filter(|(score, _, _)| *score >= NEAR)
        .max_by(|a, b| (a.0 + a.1).total_cmp(&(b.0 + b.1)))
        .map(|(_, _, name)| name)
}

/// Byte offset to line number.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn new(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { starts }
    }

    fn of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }
}
