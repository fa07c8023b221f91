//! The lists of reviewed differences: lines under the reason they share.
//!
//! A line that begins with `= ` gives a reason; the lines below it, up to the next reason, are differences.
//! `#` begins a comment. `ENIGMA_WRITE_DIFFERENCES=1` writes new ones under `= UNREVIEWED`, which fails.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const UNREVIEWED: &str = "UNREVIEWED";

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/differences").join(name)
}

fn listed(name: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path(name)).unwrap_or_default();
    let mut reason = UNREVIEWED;
    let mut lines = BTreeMap::new();
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("= ") {
            reason = next;
        } else if !line.is_empty() && !line.starts_with('#') {
            lines.insert(line.to_owned(), reason.to_owned());
        }
    }
    lines
}

/// Fails unless `found` is exactly what the list `name` holds, each line with a reason.
pub(crate) fn compare(name: &str, found: &BTreeSet<String>) {
    compare_all([(name, found)]);
}

/// The same for several lists; all that is wrong with any is told at once.
pub(crate) fn compare_all<'a>(lists: impl IntoIterator<Item = (&'a str, &'a BTreeSet<String>)>) {
    let wrong: Vec<String> = lists.into_iter().filter_map(|(name, found)| wrong(name, found)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn wrong(name: &str, found: &BTreeSet<String>) -> Option<String> {
    let listed = listed(name);
    let new: Vec<&String> = found.iter().filter(|line| !listed.contains_key(*line)).collect();
    let gone: Vec<&String> = listed.keys().filter(|line| !found.contains(*line)).collect();
    let unreviewed = listed.values().filter(|reason| *reason == UNREVIEWED).count();
    if std::env::var_os("ENIGMA_WRITE_DIFFERENCES").is_some() && !new.is_empty() {
        let mut text = std::fs::read_to_string(path(name)).unwrap_or_default();
        text.push_str("\n= UNREVIEWED\n");
        for line in &new {
            text.push_str(line);
            text.push('\n');
        }
        std::fs::write(path(name), text).expect("the list is writable");
    }
    (!new.is_empty() || !gone.is_empty() || unreviewed > 0).then(|| {
        format!(
            "{name}: {} differences not listed:\n{new:#?}\n{} listed but gone:\n{gone:#?}\n{unreviewed} without a reason",
            new.len(),
            gone.len(),
        )
    })
}
