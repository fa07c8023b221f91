//! Running other programs: what is run is named in every error, and a failure brings the program's own words.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// How many lines of a failed program's output an error carries: enough for a message and its context.
const LINES_SHOWN: usize = 25;

/// Runs `command` without input and returns its standard output.
///
/// # Errors
/// It does not start, or ends with another status than 0; then with the end of what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = name(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("`{name}` does not start"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("`{name}` ends with {}:\n{}", output.status, last_lines(&String::from_utf8_lossy(&said)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `command` without input, its output going to ours.
///
/// # Errors
/// It does not start, or ends with another status than 0.
pub(crate) fn pass_through(command: &mut Command) -> Result<()> {
    let name = name(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("`{name}` does not start"))?;
    if !status.success() {
        bail!("`{name}` ends with {status}");
    }
    Ok(())
}

/// A `cargo` command in the root of the checkout: the very Cargo that runs us.
pub(crate) fn cargo<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Returns the root of the checkout.
pub(crate) fn root() -> PathBuf {
    enigma_test_support::workspace_root()
}

/// Returns `path` relative to the checkout where it lies inside, for people to read.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

/// Reports whether we are root, by the owner of our own process.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
