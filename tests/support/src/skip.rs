//! Skipping out loud: a test that cannot run here says why, on its output and in the runner's log.
//!
//! Rust's test harness knows only passed and failed, so a test that returns early counts as passed. The runner
//! (`cargo xtask test`) names a file in [`LOG`]; every skip adds one JSON line there, and the runner takes those
//! tests out of the passed ones. Knows nothing of why a test cannot run: that is the caller's sentence.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

/// Environment variable with the path of the file that skips are appended to; unset means "only print".
pub const LOG: &str = "ENIGMA_SKIP_LOG";

/// One line of the skip log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Skip {
    /// The test binary, as nextest names it (`crate::binary`), else the package's name.
    pub suite: String,
    /// The test's path inside its binary.
    pub test: String,
    /// What is missing, in one line.
    pub reason: String,
}

/// Reports that the calling test is skipped because of `reason`; the caller returns right after.
///
/// Prints `SKIPPED: reason` and appends a [`Skip`] to the log. Losing the log line would turn a skip into a pass, so
/// a log that cannot be written panics (and so fails the test).
pub fn skip(reason: impl std::fmt::Display) {
    let reason = reason.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    println!("SKIPPED: {reason}");
    if let Some(path) = std::env::var_os(LOG) {
        let line = Skip { suite: suite(), test: test(), reason };
        append(path.as_ref(), &line).unwrap_or_else(|error| {
            panic!("the skip log {} cannot be written: {error}", path.to_string_lossy())
        });
    }
}

/// Reads a skip log; a file that does not exist is one without skips.
///
/// # Errors
/// A file that exists and cannot be read, or a line that is not a [`Skip`].
pub fn read(path: &std::path::Path) -> anyhow::Result<Vec<Skip>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn append(path: &std::path::Path, line: &Skip) -> std::io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    // One write of a short line to a file opened for appending: test processes at the same time do not mix.
    std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

fn suite() -> String {
    ["NEXTEST_BINARY_ID", "CARGO_PKG_NAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

fn test() -> String {
    std::env::var("NEXTEST_TEST_NAME")
        .ok()
        .or_else(|| std::thread::current().name().map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_keeps_one_line_per_skip() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("skips");
        let skip = |reason: &str| Skip { suite: "s".into(), test: "t".into(), reason: reason.into() };
        append(&path, &skip("no root")).unwrap();
        append(&path, &skip("no \"tshark\"")).unwrap();
        assert_eq!(read(&path).unwrap(), vec![skip("no root"), skip("no \"tshark\"")]);
    }

    #[test]
    fn missing_log_has_no_skips_and_a_broken_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("absent")).unwrap(), Vec::new());
        let broken = dir.path().join("broken");
        std::fs::write(&broken, "SKIPPED\n").unwrap();
        assert!(read(&broken).is_err());
    }
}
