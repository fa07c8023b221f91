//! What may stand at the top of the repository, and how long a Rust file may be.

use anyhow::Result;

use super::{Finding, Tree};

/// Everything that may stand at the top beside dotfiles: a newcomer reads this list before anything else.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "collector",
    "docs",
    "examples",
    "modules",
    "provider",
    "tests",
];
/// More than this is two subjects in one file, or tests that belong in a neighbour.
const LINES_AT_MOST: usize = 600;
/// Half of all files have to be shorter: a limit alone invites files just below it.
const MEDIAN_AT_MOST: usize = 200;

pub(super) fn top_level(tree: &Tree) -> Vec<Finding> {
    let mut entries: Vec<&str> = tree.files().filter_map(|path| path.split('/').next()).collect();
    entries.dedup();
    entries
        .into_iter()
        .filter(|entry| !entry.starts_with('.') && !TOP.contains(entry))
        .map(|entry| Finding::new(entry, format!("the top level is {} and dotfiles", TOP.join(" "))))
        .collect()
}

pub(super) fn sizes(tree: &Tree) -> Result<Vec<Finding>> {
    let sizes = lines(tree)?;
    let mut findings: Vec<Finding> = sizes
        .iter()
        .filter(|(lines, _)| *lines > LINES_AT_MOST)
        .map(|(lines, path)| Finding::new(*path, format!("{lines} lines; at most {LINES_AT_MOST}")))
        .collect();
    let median = median(&sizes);
    if median > MEDIAN_AT_MOST {
        findings.push(Finding::new("*.rs", format!("median of {median} lines; at most {MEDIAN_AT_MOST}")));
    }
    Ok(findings)
}

/// Says in one line how many Rust files there are and how long.
pub(super) fn size_summary(tree: &Tree) -> Result<String> {
    let sizes = lines(tree)?;
    let total: usize = sizes.iter().map(|(lines, _)| lines).sum();
    let longest = sizes.last().map(|(lines, path)| format!("{path} with {lines}")).unwrap_or_default();
    let median = median(&sizes);
    Ok(format!("{} Rust files, {total} lines, median {median}, longest {longest}", sizes.len()))
}

/// Every Rust file with its number of lines, shortest first.
fn lines(tree: &Tree) -> Result<Vec<(usize, &str)>> {
    let mut sizes = Vec::new();
    for path in tree.with_extension("rs") {
        sizes.push((tree.read(path)?.lines().count(), path));
    }
    sizes.sort_unstable();
    Ok(sizes)
}

fn median(sizes: &[(usize, &str)]) -> usize {
    sizes.get(sizes.len() / 2).map_or(0, |(lines, _)| *lines)
}
