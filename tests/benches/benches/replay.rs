//! Replay of a capture by `enigma-collector` and by `nfpcapd`, in turn, in one run.
//!
//! The capture is the file given as an argument, or one made here: TCP flows with their handshakes, so that a clone can repeat
//! the figure without anybody's traffic. Whole processes are timed: wall clock, and the CPU time that the kernel accounts to the
//! finished child. Both write flow records; what they write is not the same, so the ratio is one of jobs, not of functions.

#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use enigma_test_support::packets::{self, Capture, Segment};
use enigma_test_support::{places, tools};

/// Timed runs of each program; the medians are printed.
const RUNS: usize = 7;
/// Flows of the capture made here, and data segments of each: a million packets, 150 MB.
const FLOWS: u32 = 50_000;
const SEGMENTS: u32 = 17;

fn main() -> Result<()> {
    let nfpcapd = tools::tool("nfpcapd")?;
    let scratch = tempfile::tempdir()?;
    let capture = match std::env::args().skip(1).find(|argument| !argument.starts_with('-')) {
        Some(path) => PathBuf::from(path),
        None => make(scratch.path())?,
    };
    let collector = places::target_dir().join("release").join("enigma-collector");
    ensure!(collector.exists(), "build it first: cargo build --release -p enigma-collector");

    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for run in 0..=RUNS {
        let (records, flows) =
            (scratch.path().join(format!("conn-{run}")), scratch.path().join(format!("nf-{run}")));
        std::fs::create_dir(&flows)?;
        let a = timed(Command::new(&collector).arg("replay").arg(&capture).arg("--output").arg(&records))?;
        let b = timed(Command::new(&nfpcapd).arg("-r").arg(&capture).arg("-w").arg(&flows))?;
        std::fs::remove_dir_all(&records)?;
        std::fs::remove_dir_all(&flows)?;
        // The first of each warms the page cache.
        if run > 0 {
            ours.push(a);
            theirs.push(b);
        }
    }
    println!(
        "capture: {} ({} bytes), {RUNS} runs each, medians",
        capture.display(),
        capture.metadata()?.len()
    );
    println!("program            cpu s   wall s");
    for (name, runs) in [("enigma-collector", &ours), ("nfpcapd", &theirs)] {
        println!("{name:<16} {:>7.3}  {:>7.3}", median(runs, |r| r.cpu), median(runs, |r| r.wall));
    }
    let pairs: Vec<Run> =
        ours.iter().zip(&theirs).map(|(a, b)| Run { cpu: a.cpu / b.cpu, wall: a.wall / b.wall }).collect();
    println!("ours / nfpcapd   {:>7.2}  {:>7.2}", median(&pairs, |r| r.cpu), median(&pairs, |r| r.wall));
    Ok(())
}

#[derive(Clone, Copy)]
struct Run {
    cpu: f64,
    wall: f64,
}

fn timed(command: &mut Command) -> Result<Run> {
    let before = children()?;
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let wall = start.elapsed().as_secs_f64();
    ensure!(status.code().is_some(), "{command:?} was killed");
    Ok(Run { cpu: (children()? - before).as_secs_f64(), wall })
}

/// CPU time of all children that have ended: fields 16 and 17 of `/proc/self/stat` (proc(5)), in ticks of 10 ms, which Linux
/// fixes for programs whatever its own clock is.
fn children() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("CPU times are read from /proc")?;
    // The second field is the program's name in parentheses and may hold spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| {
        fields.get(field - 3).and_then(|text| text.parse::<u64>().ok()).context("no such field")
    };
    Ok(Duration::from_millis(10 * (ticks(16)? + ticks(17)?)))
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Flows that overlap a hundred at a time, each a handshake, data both ways and an orderly end.
fn make(directory: &Path) -> Result<PathBuf> {
    let path = directory.join("made.pcap");
    let mut capture = Capture::default();
    let mut clock = Duration::from_secs(1_700_000_000);
    let payload = [0x5a; 90];
    for group in 0..FLOWS / 100 {
        for step in 0..SEGMENTS + 3 {
            for flow in group * 100..group * 100 + 100 {
                let client = SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + flow), 40_000));
                let server = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 7), 8443));
                let (from, to, flags, data): (_, _, u8, &[u8]) = match step {
                    0 => (client, server, 0x02, &[]),
                    1 => (server, client, 0x12, &[]),
                    n if n == SEGMENTS + 2 => (client, server, 0x11, &[]),
                    n if n % 2 == 0 => (client, server, 0x18, &payload),
                    _ => (server, client, 0x18, &payload),
                };
                let sent = step.saturating_sub(1) / 2 * 90;
                let segment = Segment { seq: 1000 + sent, ack: 1000 + sent, flags, payload: data };
                let frame = packets::ethernet(&packets::tcp(from, to, &segment));
                clock += Duration::from_micros(7);
                capture.push(clock, frame);
            }
        }
    }
    capture.write(&path)?;
    Ok(path)
}
