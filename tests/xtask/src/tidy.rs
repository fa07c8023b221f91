//! Checks of the repository itself: layout, sizes, crates, layers, words, links and Terraform's format.
//!
//! Each check is a function from a [`Tree`] to findings, so that it can be tried on a tree that breaks it. Knows
//! nothing of how it is started: `cargo xtask tidy` prints the findings, `cargo xtask test` counts the checks.

mod crates;
mod features;
mod layers;
mod layout;
mod links;
mod terraform;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// The files under version control, or about to be: everything below `root` that Git does not ignore.
pub(crate) struct Tree {
    root: PathBuf,
    /// Paths relative to `root`, with `/`, sorted.
    files: Vec<String>,
}

/// One thing that is not as it should be, and where.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Finding {
    /// A path relative to the root, with a line where there is one.
    place: String,
    problem: String,
}

/// What a check came to.
pub(crate) enum Outcome {
    Done(Vec<Finding>),
    /// Not carried out, and why.
    Skipped(String),
}

/// A check and the name that people and the table of suites know it by.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Tree) -> Result<Outcome>,
}

pub(crate) const CHECKS: &[Check] = &[
    Check { name: "top level", run: |tree| done(layout::top_level(tree)) },
    Check { name: "file sizes", run: |tree| Ok(Outcome::Done(layout::sizes(tree)?)) },
    Check { name: "crates", run: |tree| Ok(Outcome::Done(crates::check(tree)?)) },
    Check { name: "layers", run: |tree| Ok(Outcome::Done(layers::check(tree)?)) },
    Check { name: "features", run: |tree| Ok(Outcome::Done(features::check(tree)?)) },
    Check { name: "words", run: |tree| Ok(Outcome::Done(words::check(tree)?)) },
    Check { name: "links", run: |tree| Ok(Outcome::Done(links::check(tree)?)) },
    Check { name: "Terraform format", run: terraform::check },
];

/// Runs every check, prints what it finds, and fails if it finds anything.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::of_checkout()?;
    let mut found = 0;
    for check in CHECKS {
        match (check.run)(&tree).with_context(|| format!("the check of {} cannot run", check.name))? {
            Outcome::Done(findings) => {
                println!("tidy: {} ... {}", check.name, if findings.is_empty() { "ok" } else { "FAILED" });
                found += findings.len();
                findings.iter().for_each(|finding| println!("  {finding}"));
            }
            Outcome::Skipped(why) => println!("tidy: {} ... skipped: {why}", check.name),
        }
    }
    println!("tidy: {}", layout::size_summary(&tree)?);
    if found > 0 {
        bail!("{found} things in this checkout are not as they should be");
    }
    Ok(())
}

fn done(findings: Vec<Finding>) -> Result<Outcome> {
    Ok(Outcome::Done(findings))
}

impl Tree {
    /// Lists the checkout as Git sees it, new files included.
    pub(crate) fn of_checkout() -> Result<Self> {
        let root = shell::root();
        let listing = shell::output(
            Command::new("git")
                .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
                .current_dir(&root),
        )?;
        let files = listing.split('\0').filter(|path| root.join(path).is_file()).map(str::to_owned);
        Ok(Self::new(root.clone(), files))
    }

    fn new(root: PathBuf, files: impl Iterator<Item = String>) -> Self {
        let mut files: Vec<String> = files.collect();
        files.sort();
        files.dedup();
        Self { root, files }
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    fn with_extension<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = &'a str> {
        self.files().filter(move |path| Path::new(path).extension().is_some_and(|found| found == extension))
    }

    fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    fn read(&self, path: &str) -> Result<String> {
        std::fs::read_to_string(self.root.join(path))
            .with_context(|| format!("{path} cannot be read as text"))
    }
}

impl Finding {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.problem)
    }
}

#[cfg(test)]
mod tests;
