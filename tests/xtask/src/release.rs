//! `cargo xtask release`: the programs that people install, in the layout in which they are installed, with their
//! checksums.
//!
//! The collector is built twice: once so that it counts where it goes, to read made-up traffic of every kind (see
//! `enigma_test_support::training`), and once guided by what was counted. The provider waits for AWS nearly all of its
//! time, and is built plainly. A machine that cannot make a profile gets a plain collector, and the last line says so.

mod files;
mod profdata;
mod profile;
mod training;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use enigma_test_support::target_dir;

use self::files::Files;
use crate::shell;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Build the collector plainly: one build instead of two, for a program that takes more CPU
    #[arg(long, conflicts_with = "train")]
    no_profile: bool,
    /// Train with the captures in DIR as well, such as some of your own network (pcap or pcapng, also compressed)
    #[arg(long, value_name = "DIR")]
    train: Vec<PathBuf>,
    /// Build this program alone
    #[arg(long, value_enum, value_name = "PROGRAM")]
    only: Option<Program>,
    /// Put the files there [default: release-files in Cargo's target directory]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// What is released.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Program {
    Collector,
    Provider,
}

const COLLECTOR: &str = "enigma-collector";
const PROVIDER: &str = "terraform-provider-enigma";

/// What the compiler says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Compiler {
    /// The target it builds for by itself, such as `x86_64-unknown-linux-gnu`.
    host: String,
    /// The release of LLVM in it, such as `22`: profiles are read by the same only.
    llvm: u32,
    sysroot: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let wants = |program| options.only.is_none_or(|only| only == program);
    let compiler = compiler()?;
    let output = options.output.clone().unwrap_or_else(|| target_dir().join("release-files"));
    let mut files = Files::new(&output, &compiler.host)?;
    let mut last = format!("release: {} in {}", names(options), shell::shown(&output));
    if wants(Program::Provider) {
        println!("release: building {PROVIDER}");
        files.provider(&plain("enigma-plugin", PROVIDER)?)?;
    }
    if wants(Program::Collector) {
        let (program, how) = collector(options, &compiler)?;
        files.collector(&program)?;
        last = format!("{last}; {COLLECTOR} was built {how}");
    }
    files.sums()?;
    for name in files.names() {
        println!("release: {name}");
    }
    println!("{last}");
    Ok(())
}

fn names(options: &Options) -> String {
    match options.only {
        None => format!("{PROVIDER} and {COLLECTOR}"),
        Some(Program::Collector) => COLLECTOR.to_owned(),
        Some(Program::Provider) => PROVIDER.to_owned(),
    }
}

/// Builds the collector, guided by a profile where there can be one, and says how.
fn collector(options: &Options, compiler: &Compiler) -> Result<(PathBuf, String)> {
    let without = if options.no_profile {
        "as asked".to_owned()
    } else {
        match profdata::find(compiler) {
            Ok(profdata) => {
                let training = training::prepare(&options.train)?;
                let program = profile::build(compiler, &profdata, &training)?;
                return Ok((program, format!("with a profile of {training}")));
            }
            Err(why) => format!("{why:#}"),
        }
    };
    println!("release: building {COLLECTOR} without a profile: {without}");
    Ok((plain(COLLECTOR, COLLECTOR)?, format!("WITHOUT a profile: {without}")))
}

fn plain(package: &str, program: &str) -> Result<PathBuf> {
    let build = ["build", "--quiet", "--release", "--locked", "--package", package, "--bin", program];
    shell::pass_through(&mut shell::cargo(build))?;
    exists(target_dir().join("release").join(program))
}

fn exists(program: PathBuf) -> Result<PathBuf> {
    if !program.is_file() {
        bail!("Cargo built no {}", program.display());
    }
    Ok(program)
}

/// Asks the compiler that Cargo will use.
fn compiler() -> Result<Compiler> {
    let rustc = || {
        let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        command.current_dir(shell::root());
        command
    };
    let version = shell::output(rustc().arg("-vV"))?;
    let sysroot = shell::output(rustc().args(["--print", "sysroot"]))?;
    parse_compiler(&version, Path::new(sysroot.trim()))
}

fn parse_compiler(version: &str, sysroot: &Path) -> Result<Compiler> {
    let field = |name: &str| {
        let line = version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.with_context(|| format!("`rustc -vV` tells no {name}"))
    };
    let llvm = field("LLVM version")?;
    let major = llvm.split('.').next().and_then(|major| major.parse().ok());
    Ok(Compiler {
        host: field("host")?.to_owned(),
        llvm: major.with_context(|| format!("`rustc -vV` has LLVM version {llvm}"))?,
        sysroot: sysroot.to_path_buf(),
    })
}

#[cfg(test)]
mod tests;
