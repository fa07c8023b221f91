//! Captures from a file: everything (flows, contents, JSON) beside ndpiReader, flows alone beside nfpcapd and softflowd.
//!
//! Those see the outer flows alone of what is in VXLAN. So mirrored packets are compared twice: as they are, and without
//! their outer headers, which is the same work for all. Copies from a second vantage are packets like others then.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use enigma_test_support::tools;

use crate::inner;
use crate::round::{Took, median, ratio, timed};

/// Timed rounds; one before them warms the page cache.
const ROUNDS: usize = 7;

struct Program {
    name: &'static str,
    /// Which of ours it is compared with, if it is a peer.
    peer_of: Option<&'static str>,
    /// Its command, which may write into the empty directory it is given.
    command: Box<dyn Fn(&Path) -> Command>,
    took: Vec<Took>,
}

const FULL: &str = "ours, everything";
const FLOWS: &str = "ours, flows only";

fn programs(collector: &Path, before: Option<&Path>, capture: &Path) -> Vec<Program> {
    let ours = |collector: &Path, words: &'static [&'static str]| {
        let (collector, capture) = (collector.to_owned(), capture.to_owned());
        move |to: &Path| {
            let mut command = Command::new(&collector);
            command.arg("replay").args(words).arg("--output").arg(to).arg(&capture);
            command
        }
    };
    let ours = |name, peer_of, program: &Path, words| Program {
        name,
        peer_of,
        command: Box::new(ours(program, words)),
        took: Vec::new(),
    };
    let mut programs =
        vec![ours(FULL, None, collector, &[]), ours(FLOWS, None, collector, &["--flows-only"])];
    if let Some(before) = before {
        programs.push(ours("the other build, everything", Some(FULL), before, &[]));
        programs.push(ours("the other build, flows only", Some(FLOWS), before, &["--flows-only"]));
    }
    for (name, package, peer_of) in
        [("ndpiReader", "libndpi-bin", FULL), ("nfpcapd", "nfdump", FLOWS), ("softflowd", "softflowd", FLOWS)]
    {
        let Ok(tool) = tools::tool(name) else {
            println!("{name} is missing (Debian: {package}) and left out");
            continue;
        };
        let capture = capture.to_owned();
        let command = move |to: &Path| {
            let mut command = Command::new(&tool);
            match name {
                // Quiet: it detects protocols and writes a summary, no line for each flow.
                "ndpiReader" => command.arg("-q").arg("-i").arg(&capture),
                "nfpcapd" => command.arg("-r").arg(&capture).arg("-w").arg(to),
                // To a port of this host where nobody listens; room for all flows of the capture at once.
                _ => command.args(["-n", "127.0.0.1:9", "-m", "1000000"]).arg("-r").arg(&capture),
            };
            command
        };
        programs.push(Program { name, peer_of: Some(peer_of), command: Box::new(command), took: Vec::new() });
    }
    programs
}

/// Packets of a capture, as our own account says.
fn packets(collector: &Path, capture: &Path, to: &Path) -> Result<u64> {
    let output =
        Command::new(collector).args(["replay", "--flows-only", "--output"]).arg(to).arg(capture).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let number = said.split_once("received ").and_then(|(_, rest)| rest.split(' ').next());
    number.and_then(|number| number.parse().ok()).with_context(|| format!("no account in {said:?}"))
}

/// Compares with peers, and with another build of the collector if there is one.
pub(crate) fn compare(collector: &Path, before: Option<&Path>, capture: &Path, scratch: &Path) -> Result<()> {
    let bytes = capture.metadata()?.len() / 1_000_000;
    table(collector, before, capture, &format!("{}, {bytes} MB", capture.display()), scratch)?;
    if let Some(inner) = inner::write(capture, scratch)? {
        let title = format!("{} without its outer headers", capture.display());
        table(collector, before, &inner, &title, scratch)?;
        std::fs::remove_file(inner)?;
    }
    Ok(())
}

fn table(collector: &Path, before: Option<&Path>, capture: &Path, title: &str, scratch: &Path) -> Result<()> {
    let to = scratch.join("out");
    std::fs::create_dir_all(&to)?;
    let packets = packets(collector, capture, &to)? as f64;
    std::fs::remove_dir_all(&to)?;
    let mut programs = programs(collector, before, capture);
    for round in 0..=ROUNDS {
        for program in &mut programs {
            std::fs::create_dir(&to)?;
            let took = timed(&mut (program.command)(&to))?;
            std::fs::remove_dir_all(&to)?;
            if round > 0 {
                program.took.push(took);
            }
        }
    }
    println!("\n{title}: {packets} packets; {ROUNDS} rounds, medians");
    println!("records as files; CPU: user and system of the whole process, all its threads\n");
    println!("| program | CPU s | of it user | wall s | Mpps per CPU second | times as fast as it |");
    println!("|---|---|---|---|---|---|");
    for program in &programs {
        let of = |value: fn(&Took) -> f64| median(program.took.iter().map(value));
        let cpu = of(|took| took.cpu);
        let peer = program.peer_of.and_then(|name| programs.iter().find(|ours| ours.name == name));
        let times = peer.map_or_else(String::new, |ours| {
            format!("{:.2} ({})", ratio(&program.took, &ours.took), ours.name)
        });
        println!(
            "| {} | {cpu:.3} | {:.3} | {:.3} | {:.2} | {times} |",
            program.name,
            of(|took| took.user),
            of(|took| took.wall),
            packets / cpu / 1e6
        );
    }
    Ok(())
}
