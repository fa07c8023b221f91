//! Stories of a fleet as text files: worlds, plans, changes, and what was said. The output in a file is recorded, reviewed
//! and compared; `UPDATE_SCENARIOS=1 cargo test -p enigma-fleet --test scenarios` writes it anew.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod story;
mod world;

use std::path::{Path, PathBuf};
use std::{env, fs};

use similar::TextDiff;
use story::Story;

#[test]
fn every_story_is_told_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(files.len() >= 10, "only {} stories in {}", files.len(), folder.display());
    let mut wrong = Vec::new();
    for path in files {
        let recorded = fs::read_to_string(&path).unwrap();
        let told = tell(&recorded);
        if env::var_os("UPDATE_SCENARIOS").is_some() {
            fs::write(&path, &told).unwrap();
        } else if told != recorded {
            let difference = TextDiff::from_lines(&recorded, &told).unified_diff().to_string();
            wrong.push(format!("{}:\n{difference}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Repeats the commands of a story with what they say now. Lines that begin with `$` are commands, those with `#` are prose, the
/// others are output.
fn tell(recorded: &str) -> String {
    let mut story = Story::new();
    let mut told = String::new();
    for line in recorded.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            told += &format!("{line}\n");
            let output = story.command(command);
            told += &output;
            if !output.is_empty() {
                told += "\n";
            }
        } else if line.starts_with('#') {
            let is_after_command = told.lines().last().is_some_and(|last| last.starts_with('$'));
            told += if is_after_command { "\n" } else { "" };
            told += &format!("{line}\n");
        }
    }
    told
}
