//! `cargo xtask test`: everything that has to hold, in one run, with one table at the end.
//!
//! Steps run in the order in which they are cheap to fail; one that fails does not stop the next, because a person
//! wants to see all that is wrong. A test that skips itself says so in the skip log and is counted as skipped here,
//! never as passed. The last line is `N passed, N failed, N skipped` and nothing else.

mod libtest;
mod nextest;
mod report;

use std::fs;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;
use enigma_test_support::{skip, tools};

use self::report::{Report, Suite};
use crate::{demo, docs, setup, shell, tidy};

#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Take the tools as they are: find and install nothing first
    #[arg(long)]
    no_setup: bool,
    /// With the setup, install no Debian packages, even as root
    #[arg(long)]
    no_debian: bool,
}

/// Runs everything, prints the table, and returns whether all of it passed. Nothing is printed after the closing line.
pub(crate) fn run(options: Options) -> Result<bool> {
    if !options.no_setup {
        setup::run(&setup::Options { no_debian: options.no_debian })?;
    }
    let mut report = Report::default();
    cargo_step(&mut report, "format", &["fmt", "--all", "--check"], &[]);
    cargo_step(
        &mut report,
        "lints",
        &["clippy", "--keep-going", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"],
        &[],
    );
    tidy_step(&mut report)?;
    let built = cargo_step(&mut report, "build", &["build", "--locked", "--workspace", "--bins"], &[]);
    if built {
        tests(&mut report)?;
        step(&mut report, "generated pages", || docs::run(docs::Options { check: true }));
        step(&mut report, "demo", || demo::run(&demo::Options::default()));
    } else {
        report.add(Suite::skipped_whole("tests and demo", "the programs do not build"));
    }
    cargo_step(
        &mut report,
        "documentation",
        &["doc", "--keep-going", "--locked", "--workspace", "--no-deps"],
        &[("RUSTDOCFLAGS", "--deny warnings")],
    );
    dependency_policy(&mut report);
    println!("\n{report}");
    Ok(report.failed() == 0)
}

/// Runs a cargo command as one check, silent unless it fails, and reports whether it passed.
fn cargo_step(
    report: &mut Report,
    name: &'static str,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> bool {
    announce(name);
    let started = Instant::now();
    let mut command = shell::cargo(arguments);
    command.envs(variables.iter().copied());
    if !std::io::stdout().is_terminal() {
        // Hundreds of "Compiling" lines are progress for a person and noise in a log.
        command.env("CARGO_TERM_QUIET", "true");
    }
    let problem = shell::pass_through(&mut command).err().map(|error| format!("{error:#}"));
    let passed = problem.is_none();
    report.add(Suite::single(name, problem, started.elapsed()));
    passed
}

fn tidy_step(report: &mut Report) -> Result<()> {
    announce("tidy");
    let tree = tidy::Tree::of_checkout()?;
    let mut suite = Suite::new("tidy");
    let started = Instant::now();
    for check in tidy::CHECKS {
        match (check.run)(&tree) {
            Ok(tidy::Outcome::Done(findings)) if findings.is_empty() => suite.pass(),
            Ok(tidy::Outcome::Done(findings)) => {
                findings.iter().for_each(|finding| println!("tidy: {}: {finding}", check.name));
                suite.fail(check.name);
            }
            Ok(tidy::Outcome::Skipped(why)) => suite.skip(check.name, &why),
            Err(error) => {
                println!("tidy: {}: {error:#}", check.name);
                suite.fail(check.name);
            }
        }
    }
    suite.took = started.elapsed();
    report.add(suite);
    Ok(())
}

/// Runs the tests of every crate with nextest where it is installed, else with Cargo's own runner.
fn tests(report: &mut Report) -> Result<()> {
    let dir = scratch()?;
    let log = dir.join("skips.jsonl");
    remove(&log)?;
    let variables = [
        (skip::LOG, log.as_os_str()),
        // The step before built every program; tests need not ask Cargo again, two at a time.
        ("ENIGMA_BINS_BUILT", "1".as_ref()),
    ];
    let suites = if tools::tool("cargo-nextest").is_ok() {
        announce("tests (cargo nextest)");
        nextest::run(&variables)?
    } else {
        announce("tests (cargo test, because cargo-nextest is not installed)");
        libtest::run(&["--lib", "--bins", "--tests"], &variables)?
    };
    announce("documentation examples");
    let examples = libtest::run(&["--doc"], &variables)?;
    let skips = skip::read(&log)?;
    for mut suite in suites.into_iter().chain(examples) {
        suite.take_skips(&skips);
        report.add(suite);
    }
    Ok(())
}

/// Runs one command of ours as one check: what it prints is shown, and its own verdict counts.
fn step(report: &mut Report, name: &'static str, run: impl FnOnce() -> Result<()>) {
    announce(name);
    let started = Instant::now();
    let problem = run().err().map(|error| format!("{error:#}"));
    report.add(Suite::single(name, problem, started.elapsed()));
}

/// Licences, sources, bans and duplicates, where cargo-deny is installed. The advisory database is a download from a
/// code host, which machines without that access cannot make: `cargo deny check advisories` is a command of its own.
fn dependency_policy(report: &mut Report) {
    let name = "dependency policy";
    if tools::tool("cargo-deny").is_err() {
        let why = "cargo-deny is not installed (`cargo install --locked cargo-deny`); tidy checks the layers";
        report.add(Suite::skipped_whole(name, why));
        return;
    }
    let arguments = [
        "deny",
        "--offline",
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
        "--hide-inclusion-graph",
    ];
    cargo_step(report, name, &arguments, &[]);
}

fn announce(step: &str) {
    println!("\n== {step}");
}

/// A directory for files of this run, kept for a person to look at.
fn scratch() -> Result<PathBuf> {
    let dir = enigma_test_support::target_dir().join("xtask");
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    Ok(dir)
}

/// Removes what an earlier run left: reading it as this run's would be a lie.
fn remove(path: &std::path::Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("the old {} cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

/// Adds variables to a command, by reference.
fn with_variables(command: &mut Command, variables: &[(&str, &std::ffi::OsStr)]) {
    command.envs(variables.iter().copied());
}
