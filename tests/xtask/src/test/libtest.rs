//! Cargo's own test runner, and the examples in documentation: run, shown as it goes, and read from its text.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::report::Suite;
use crate::shell;

/// Runs `cargo test ARGUMENTS` over the workspace and returns one suite per test binary that has tests.
pub(super) fn run(arguments: &[&str], variables: &[(&str, &OsStr)]) -> Result<Vec<Suite>> {
    let mut command = shell::cargo(["test", "--locked", "--workspace", "--no-fail-fast"]);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    super::with_variables(&mut command, variables);
    let started = Instant::now();
    let mut child = command.spawn().context("`cargo test` does not start")?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    // Cargo names the binary on standard error and the binary its tests on standard output; the lines of both are
    // taken in the order in which they come.
    let (lines, received) = std::sync::mpsc::channel();
    let readers = [out.map(Pipe::Out), err.map(Pipe::Err)].into_iter().flatten().map(|pipe| {
        let lines = lines.clone();
        std::thread::spawn(move || pipe.send_lines(&lines))
    });
    let readers: Vec<_> = readers.collect();
    drop(lines);
    let mut reading = Reading::default();
    for line in received {
        if reading.take(&line) {
            println!("{line}");
        }
    }
    for reader in readers {
        reader.join().ok();
    }
    let status = child.wait()?;
    let mut suites = reading.suites;
    suites.retain(|suite| suite.total() > 0);
    if let Some(first) = suites.first_mut() {
        // Binaries run one after the other, and only the whole is timed.
        first.took = started.elapsed();
    }
    if !status.success() && suites.iter().all(|suite| suite.failed.is_empty()) {
        suites.push(Suite::broken("cargo test", Err(anyhow::anyhow!("`cargo test` ends with {status}"))));
    }
    Ok(suites)
}

enum Pipe {
    Err(std::process::ChildStderr),
    Out(std::process::ChildStdout),
}

impl Pipe {
    fn send_lines(self, lines: &std::sync::mpsc::Sender<String>) {
        let reader: Box<dyn std::io::Read> = match self {
            Self::Err(pipe) => Box::new(pipe),
            Self::Out(pipe) => Box::new(pipe),
        };
        for line in BufReader::new(reader).lines().map_while(std::result::Result::ok) {
            if lines.send(line).is_err() {
                break;
            }
        }
    }
}

/// What was read of the runner's text so far.
#[derive(Default)]
struct Reading {
    suites: Vec<Suite>,
}

impl Reading {
    /// Takes one line in; reports whether a person should see it.
    fn take(&mut self, line: &str) -> bool {
        let line = line.trim_end();
        if let Some(name) = binary(line) {
            self.suites.push(Suite::new(name));
            return false;
        }
        let Some((name, verdict)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        else {
            let noise = ["Compiling", "Finished", "running ", "test result: ok", "Downloaded", "Downloading"];
            return !line.is_empty() && !noise.iter().any(|word| line.trim_start().starts_with(word));
        };
        if self.suites.is_empty() {
            self.suites.push(Suite::new("tests"));
        }
        if let Some(suite) = self.suites.last_mut() {
            match verdict {
                "ok" => suite.ran(name),
                "ignored" => suite.skip(name, "marked as ignored"),
                _ if verdict.starts_with("ignored,") => suite.skip(name, verdict),
                _ => suite.fail(name),
            }
        }
        !verdict.starts_with("ok")
    }
}

/// The name of the test binary, or of the crate whose examples run, if `line` announces one.
fn binary(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name} (examples)"));
    }
    let path = line.strip_prefix("Running ")?.rsplit_once('(')?.1.strip_suffix(')')?;
    let file = path.rsplit('/').next()?;
    Some(file.rsplit_once('-').map_or(file, |(name, _)| name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_two_binaries_is_told_apart() {
        let mut reading = Reading::default();
        let text = "   Compiling enigma-wire v0.1.0
     Running unittests src/lib.rs (target/debug/deps/enigma_wire-0a1b2c)
running 3 tests
test decap::tests::short ... ok
test decap::tests::long ... FAILED
test decap::tests::later ... ignored
test result: FAILED. 1 passed; 1 failed
   Doc-tests enigma_wire
test src/lib.rs - (line 3) ... ok";
        let shown: Vec<&str> = text.lines().filter(|line| reading.take(line)).collect();
        assert_eq!(
            shown,
            [
                "test decap::tests::long ... FAILED",
                "test decap::tests::later ... ignored",
                "test result: FAILED. 1 passed; 1 failed"
            ]
        );
        let [unit, examples] = &reading.suites[..] else { panic!("two suites") };
        assert_eq!(
            (unit.name.as_str(), &unit.passed[..]),
            ("enigma_wire", &["decap::tests::short".to_owned()][..])
        );
        assert_eq!((unit.failed.len(), unit.skipped.len()), (1, 1));
        assert_eq!((examples.name.as_str(), examples.passed.len()), ("enigma_wire (examples)", 1));
    }
}
