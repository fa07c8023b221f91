//! Finds or installs what the demo and the tests need and a machine with Rust and Python may lack.
//!
//! Each tool is one step: it reports what was found, installs what was not, and its failure stops no other step,
//! because every test that misses a tool skips with that reason. Everything lands in `target/tools`, in the places
//! that `enigma_test_support::tools` names; Debian packages are the exception and only come when we are root.

mod aws_provider;
mod debian;
mod python;
mod terraform;

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;
use enigma_test_support::tools;

pub(crate) use terraform::any as any_terraform;

#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Install no Debian packages, even as root
    #[arg(long)]
    pub(crate) no_debian: bool,
}

/// What a step did about its tool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Provision {
    /// It was there, at this place or in this version.
    Found(String),
    /// It was not there, and is now.
    Installed(String),
    /// It is not there, and this machine is not one where we install it: why.
    LeftOut(String),
}

/// Carries out every step and prints each; only a directory that cannot be made is an error.
pub(crate) fn run(options: &Options) -> Result<()> {
    let _lock = lock()?;
    step("Terraform 1.11", || terraform::provide(&terraform::OLD));
    step("Terraform 1.15", || terraform::provide(&terraform::NEW));
    step("Python with awscli, boto3, moto, zat", python::provide_environment);
    step("provider hashicorp/aws", aws_provider::provide);
    for package in debian::PACKAGES {
        step(package.program, || debian::provide(package, !options.no_debian));
    }
    Ok(())
}

/// Runs one step and prints its line: before it starts what it is, and when it ends what came of it.
fn step(what: &str, provide: impl FnOnce() -> Result<Provision>) {
    use std::io::Write as _;
    print!("setup: {what} ... ");
    // Only for people who watch: a line that comes late is no failure.
    std::io::stdout().flush().ok();
    let started = Instant::now();
    match provide() {
        Ok(Provision::Found(place)) => println!("found {place}"),
        Ok(Provision::Installed(place)) => {
            println!("installed {place} in {:.0} s", started.elapsed().as_secs_f64());
        }
        Ok(Provision::LeftOut(why)) => println!("left out: {why}"),
        Err(error) => println!("FAILED, what needs it will be skipped: {error:#}"),
    }
}

/// Holds other runs of the same checkout off until dropped: two installers in one directory spoil both.
fn lock() -> Result<fs::File> {
    let dir = tools::tools_dir();
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let file = fs::File::create(dir.join(".lock")).context("the lock file of target/tools cannot be made")?;
    file.lock().context("target/tools cannot be locked")?;
    Ok(file)
}
