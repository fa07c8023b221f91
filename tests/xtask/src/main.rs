#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people: it prints")]

mod demo;
mod docs;
mod fuzz;
mod release;
mod scorecard;
mod setup;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Everything about this repository that is one command: try it, test it, check it.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show one fleet from plan to record on this machine: simulator, Terraform, provider, collector
    Demo(demo::Options),
    /// Write the pages that programs print, such as the reference of the collector's configuration
    Docs(docs::Options),
    /// Run the fuzz targets and print how often each was executed
    Fuzz(fuzz::Options),
    /// Build the programs that people install, the collector guided by a profile, with checksums
    Release(release::Options),
    /// Compare records with other tools' expectations, and write docs/reference/scorecard.md
    Scorecard(scorecard::Options),
    /// Find or install what the demo and the tests need, into target/tools
    Setup(setup::Options),
    /// Check format, lints, the repository's own rules, every test and the documentation; a table at the end
    Test(test::Options),
    /// Check the repository's own rules: layout, sizes, crates, layers, words, links, Terraform's format
    Tidy,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Docs(options) => docs::run(options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Release(options) => release::run(&options),
        Command::Scorecard(options) => scorecard::run(&options),
        Command::Setup(options) => setup::run(&options),
        Command::Test(options) => match test::run(options) {
            Ok(true) => Ok(()),
            // The table has said what failed, and its last line stays the last.
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
        Command::Tidy => tidy::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
