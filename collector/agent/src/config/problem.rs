//! Mistakes in a configuration file, as a person reads them: where, which key, what was found, what is allowed.

use std::fmt;

use super::SECTIONS;
use super::raw::RawConfig;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Line in the file, from 1; 0 where no line is at fault.
    pub(crate) line: usize,
    /// Dotted path of the key, empty for a mistake of syntax.
    pub(crate) path: String,
    /// What is wrong and what would be right, without the path.
    pub(crate) text: String,
}

/// All mistakes of one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Problems {
    file: String,
    list: Vec<Problem>,
}

impl Problems {
    /// Sorts by line, then by key, so that the report reads like the file.
    pub(crate) fn new(file: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by(|a, b| (a.line, &a.path).cmp(&(b.line, &b.path)));
        Self { file: file.to_owned(), list }
    }

    /// What is wrong with files that a configuration without mistakes names: by key, at its line of `text`.
    pub(crate) fn of_files(file: &str, text: &str, wrong: Vec<(String, String)>) -> Self {
        let (raw, _) = RawConfig::parse(text, SECTIONS);
        let line = |path: &str| raw.get(path).map_or(0, |(line, _)| *line);
        let list = wrong.into_iter().map(|(path, text)| Problem { line: line(&path), path, text });
        Self::new(file, list.collect())
    }

    /// The mistakes one by one.
    #[cfg(test)]
    pub(crate) fn list(&self) -> &[Problem] {
        &self.list
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            write!(f, "{}", self.file)?;
            if problem.line > 0 {
                write!(f, ":{}", problem.line)?;
            }
            if !problem.path.is_empty() {
                write!(f, ": {}", problem.path)?;
            }
            writeln!(f, ": {}", problem.text)?;
        }
        match self.list.len() {
            1 => write!(f, "1 mistake; nothing was started"),
            n => write!(f, "{n} mistakes; nothing was started"),
        }
    }
}
