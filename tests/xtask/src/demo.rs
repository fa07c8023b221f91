//! `cargo xtask demo`: one fleet from plan to record, on this machine alone, with every step checked.
//!
//! The real `terraform` runs `examples/quickstart` with the real provider against the simulator; then the real collector
//! is sent captured traffic as the sessions would mirror it. Every claim that is printed was checked, and one that does
//! not hold makes the exit code 1. Children end with us, by their ids; `--keep` holds everything up until Ctrl-C.

mod fleet;
mod records;
mod traffic;
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use enigma_test_support::{process, target_dir, tools};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::fleet::Fleet;
use self::traffic::Collector;
use self::world::World;
use crate::{setup, shell};

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// The Terraform to use, 1.11.4 or newer [default: the one on PATH if it is 1.11, else one from PyPI]
    #[arg(long, value_name = "PROGRAM")]
    terraform: Option<PathBuf>,
    /// Leave the simulator, the fleet and the collector up until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// The programs of this repository that the demo runs.
const PROGRAMS: [&str; 3] = ["enigma-aws-sim", "enigma-collector", "terraform-provider-enigma"];

/// Runs the whole demo; an error when a step fails or a claim does not hold.
pub(crate) fn run(options: &Options) -> Result<()> {
    end_children_with_us()?;
    println!("== programs");
    println!("building {}", PROGRAMS.join(", "));
    let bins = PROGRAMS.iter().flat_map(|name| ["--bin", name]);
    shell::pass_through(&mut shell::cargo(
        ["build", "--quiet", "--locked", "--workspace"].into_iter().chain(bins),
    ))?;
    let terraform = match &options.terraform {
        Some(program) => program.canonicalize().with_context(|| format!("no {}", program.display()))?,
        None => setup::any_terraform()?,
    };
    let version = tools::terraform_version(&terraform);
    let version = version.with_context(|| format!("{} does not run as Terraform", terraform.display()))?;
    println!("using Terraform {version}, {}", shell::shown(&terraform));
    let dir = directory()?;

    let mut checks = Checks::default();
    let world = World::start(&program(PROGRAMS[0]), &dir)?;
    let strangers = world.let_another_team_in()?;
    let fleet = Fleet::new(&terraform, &program(PROGRAMS[2]), &world, &dir)?;
    fleet.create(&mut checks)?;
    fleet.follow_the_world(&world, &mut checks)?;

    let mut collector = Collector::start(&program(PROGRAMS[1]), &dir)?;
    let sent = traffic::send(&collector, &fleet.sessions()?, &dir)?;
    collector.check_health(&sent, &mut checks)?;
    if options.keep {
        where_things_lie(&dir);
        println!("\nsimulator  {}\ncollector  {}", world.endpoint(), collector.addresses());
        println!("terraform  . {}/env.sh, then terraform plan", shell::shown(&dir));
        println!("\n{} checks held, {} failed", checks.held, checks.broken.len());
        println!("Everything stays up until Ctrl-C.");
        loop {
            std::thread::park();
        }
    }
    let account = collector.stop(&mut checks)?;
    records::check(&account, &sent, &mut checks)?;
    fleet.destroy(&mut checks)?;
    checks.that("the other team's mirroring is untouched", world.mirroring()? == strangers);
    where_things_lie(&dir);
    checks.close()
}

/// Makes an interrupted demo take its children along: they are in process groups of their own.
fn end_children_with_us() -> Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            process::kill_all();
            // The shell's convention for a program that a signal ended.
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

fn program(name: &str) -> PathBuf {
    target_dir().join("debug").join(name)
}

/// An empty directory for everything this run makes.
fn directory() -> Result<PathBuf> {
    let dir = target_dir().join("demo");
    if dir.exists() {
        fs::remove_dir_all(&dir)
            .with_context(|| format!("what an earlier demo left in {}", dir.display()))?;
    }
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    Ok(dir)
}

fn where_things_lie(dir: &Path) {
    println!("\n== where everything lies");
    for (name, what) in [
        ("terraform/root", "the Terraform directory with its state"),
        ("first-plan.txt", "the plan of the whole fleet, as a reviewer sees it"),
        ("second-plan.txt", "the plan after one instance came and one went"),
        ("journal.json", "every call that AWS was sent, in order"),
        ("records/conn.log", "the records, one JSON object a line"),
        ("collector.toml", "the collector's configuration"),
        ("env.sh", "variables to run terraform by hand while --keep holds everything up"),
    ] {
        let path = dir.join(name);
        if path.exists() {
            println!("{:45} {what}", shell::shown(&path));
        }
    }
}

/// The claims of this run and whether they hold.
#[derive(Debug, Default)]
struct Checks {
    held: usize,
    broken: Vec<String>,
}

impl Checks {
    fn that(&mut self, claim: &str, holds: bool) {
        println!("{} {claim}", if holds { "ok:    " } else { "FAILED:" });
        if holds {
            self.held += 1;
        } else {
            self.broken.push(claim.to_owned());
        }
    }

    /// Claims that two things are equal, and shows both when they are not.
    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, claim: &str, found: T, expected: T) {
        let holds = found == expected;
        self.that(claim, holds);
        if !holds {
            println!("        found    {found:?}\n        expected {expected:?}");
        }
    }

    fn close(self) -> Result<()> {
        println!("\n{} checks held, {} failed", self.held, self.broken.len());
        if !self.broken.is_empty() {
            bail!("the demo ran to its end, and this does not hold: {}", self.broken.join("; "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
