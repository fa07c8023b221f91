//! The collector against others on one machine, in one run: captures offline, and packets live.
//!
//! Programs run in turn, round by round, so that a machine whose speed drifts is fair to all of them; ratios are taken round by
//! round and their median is printed. CPU time is user and system of whole processes (`getrusage(2)`), from start to end. What each
//! line counts stands above its table.

#![allow(clippy::print_stdout, reason = "the tables are what this program is for")]

mod inner;
mod live;
mod made;
mod offline;
mod round;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use enigma_test_support::places;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let (words, captures): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|word| matches!(word.as_str(), "offline" | "live"));
    let wants = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    let collector = match std::env::var_os("ENIGMA_COLLECTOR") {
        Some(path) => PathBuf::from(path),
        None => places::target_dir().join("release").join("enigma-collector"),
    };
    ensure!(collector.exists(), "build it first: cargo build --release -p enigma-collector");
    let before = std::env::var_os("ENIGMA_COLLECTOR_BEFORE").map(PathBuf::from);
    if let Some(before) = &before {
        ensure!(before.exists(), "ENIGMA_COLLECTOR_BEFORE names no program: {}", before.display());
    }
    let scratch = tempfile::tempdir()?;
    let captures = match captures.is_empty() {
        true => vec![made::capture(scratch.path())?],
        false => captures.into_iter().map(PathBuf::from).collect(),
    };
    if wants("offline") {
        for capture in &captures {
            offline::compare(&collector, before.as_deref(), capture, scratch.path())?;
        }
    }
    if wants("live") {
        live::compare(&collector, &captures[0], scratch.path())?;
    }
    Ok(())
}
