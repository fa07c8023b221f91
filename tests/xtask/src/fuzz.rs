//! Runs the fuzz targets one after the other, and prints how often each was executed.
//!
//! What runs is `tests/fuzz`, a workspace of its own, through cargo-fuzz. It is built without a sanitizer: the code that
//! is reached forbids `unsafe`, so that there is nothing for one to find, and it runs several times as fast. New inputs
//! go to `target/fuzz/corpus`; an input that breaks a target stays in `tests/fuzz/artifacts`, to be moved to
//! `tests/fuzz/regressions`, where plain tests replay it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use enigma_test_support::{target_dir, tools};

use crate::shell;

/// Longest input: mirrored packets are longer only by payload, of which nobody looks at more.
const LONGEST: u32 = 4096;

/// Most memory a target may take, in MiB: its tables are small, so that a leak shows.
const MEMORY: u32 = 1024;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Longest time for each target
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
    /// Executions of each target, if it gets there in time
    #[arg(long, value_name = "N")]
    executions: Option<u64>,
    /// The targets [default: all]
    targets: Vec<String>,
}

/// What a target did.
struct Figures {
    target: String,
    executions: u64,
    seconds: f64,
    peak_mib: u64,
    failed: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let cargo_fuzz = cargo_fuzz()?;
    let targets = if options.targets.is_empty() { all()? } else { options.targets.clone() };
    let mut figures = Vec::new();
    for target in targets {
        println!("fuzz: {target} ...");
        let done = one(&cargo_fuzz, &target, options)?;
        println!("fuzz: {target}: {} executions in {:.0} s", done.executions, done.seconds);
        figures.push(done);
    }
    println!("\n| target | executions | seconds | a second | peak memory |\n|---|---|---|---|---|");
    for Figures { target, executions, seconds, peak_mib, .. } in &figures {
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = *executions as f64 / seconds.max(0.001);
        println!("| `{target}` | {executions} | {seconds:.0} | {rate:.0} | {peak_mib} MiB |");
    }
    let broken: Vec<&str> = figures.iter().filter(|f| f.failed).map(|f| f.target.as_str()).collect();
    if !broken.is_empty() {
        bail!(
            "an input breaks {}: see tests/fuzz/artifacts, and move it to tests/fuzz/regressions",
            broken.join(", ")
        );
    }
    Ok(())
}

fn one(cargo_fuzz: &PathBuf, target: &str, options: &Options) -> Result<Figures> {
    let corpus = target_dir().join("fuzz/corpus").join(target);
    let manifest = shell::root().join("tests/fuzz/Cargo.toml");
    let mut seeds = shell::cargo(["run", "--quiet", "--release", "--bin", "seeds", "--manifest-path"]);
    seeds.arg(&manifest).arg("--target-dir").arg(target_dir().join("fuzz")).args(["--", target]).arg(&corpus);
    shell::pass_through(&mut seeds)?;
    let mut command = Command::new(cargo_fuzz);
    command.arg("fuzz").arg("run").arg("--fuzz-dir").arg(shell::root().join("tests/fuzz"));
    command
        .arg("--target-dir")
        .arg(target_dir().join("fuzz"))
        .args(["--sanitizer", "none", target])
        .arg(&corpus);
    let kept = shell::root().join("tests/fuzz/corpus").join(target);
    if kept.is_dir() {
        command.arg(kept);
    }
    command.args(["--", "-print_final_stats=1", "-verbosity=0"]);
    command.arg(format!("-max_total_time={}", options.seconds));
    command.arg(format!("-max_len={LONGEST}")).arg(format!("-rss_limit_mb={MEMORY}"));
    if let Some(executions) = options.executions {
        command.arg(format!("-runs={executions}"));
    }
    // The flags of instrumentation are for nightly compilers; a stable one takes them when told that we mean it.
    match nightly() {
        Some(toolchain) => command.env("RUSTUP_TOOLCHAIN", toolchain),
        None => command.env("RUSTC_BOOTSTRAP", "1"),
    };
    let started = Instant::now();
    let output = command
        .current_dir(shell::root())
        .stdin(Stdio::null())
        .output()
        .context("cargo-fuzz does not start")?;
    let seconds = started.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let stat = |name: &str| {
        said.lines().find_map(|line| line.strip_prefix(&format!("stat::{name}:"))?.trim().parse::<u64>().ok())
    };
    let Some(executions) = stat("number_of_executed_units") else {
        bail!("fuzz target {target} did not run:\n{}", last_lines(&said));
    };
    if !output.status.success() {
        println!("{}", last_lines(&said));
    }
    Ok(Figures {
        target: target.to_owned(),
        executions,
        // By libFuzzer's own rate, because building the target took time, too.
        seconds: stat("average_exec_per_sec")
            .filter(|rate| *rate > 0)
            .map_or(seconds, |rate| quotient(executions, rate)),
        peak_mib: stat("peak_rss_mb").unwrap_or(0),
        failed: !output.status.success(),
    })
}

#[allow(clippy::cast_precision_loss, reason = "seconds for people")]
fn quotient(executions: u64, rate: u64) -> f64 {
    executions as f64 / rate as f64
}

/// Every target, by the files of `tests/fuzz/fuzz_targets`.
fn all() -> Result<Vec<String>> {
    let folder = shell::root().join("tests/fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("no folder {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        if let Some(name) = entry?.path().file_stem() {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Finds cargo-fuzz, or installs it into `target/tools`.
fn cargo_fuzz() -> Result<PathBuf> {
    if let Ok(found) = tools::tool("cargo-fuzz") {
        return Ok(found);
    }
    println!("fuzz: installing cargo-fuzz into target/tools ...");
    let mut install = shell::cargo(["install", "--quiet", "--locked", "cargo-fuzz", "--root"]);
    shell::pass_through(install.arg(tools::tools_dir()))?;
    Ok(tools::tool("cargo-fuzz")?)
}

/// A nightly toolchain, if rustup has one.
fn nightly() -> Option<String> {
    let list = shell::output(Command::new("rustup").args(["toolchain", "list"])).ok()?;
    list.lines()
        .map(|line| line.split(' ').next().unwrap_or(line))
        .find(|name| name.starts_with("nightly"))
        .map(str::to_owned)
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
