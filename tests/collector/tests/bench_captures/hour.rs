//! Hours of packets in one run: what the program has taken after the first is all it takes.
//!
//! The hour is repeated with later times, so that the same hosts come back with new flows. `ENIGMA_HOURS` repeats it more
//! often than [`HOURS`].

use std::io::{BufWriter, Write as _};
use std::process::{ChildStdin, Command, Stdio};

use enigma_test_support::bin;

use super::{capture, packets, read};

/// An hour of packet time, with every capture of the collection some seven times, each with addresses of its own: a
/// quarter of a million packets.
const SIZE: [&str; 7] = ["--vxlan", "--dup", "0.3", "--window", "3600", "--target-mb", "100"];

/// One to grow in, one to stand still in.
const HOURS: u32 = 2;

/// Readings of the memory in an hour, evenly.
const READINGS: usize = 8;

/// Memory that is not a leak: what the allocator keeps, and buffers that grow with the busiest second so far.
const SLACK: u64 = 4 << 20;

/// The ring of packets that were seen has its size from the beginning, but takes memory as it is first used: at this rate
/// the default of 16 MiB would go on doing that for more than an hour.
const CONFIG: &str = "flow.duplicates = \"drop\"\nflow.duplicate_memory = \"1MiB\"\nflow.interim = \"5m\"\n";

/// Resident memory of a process, in bytes (proc(5)).
fn resident(id: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.unwrap_or_else(|| panic!("process {id} has ended: {text}"));
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Writes one hour, and calls `read` evenly over it: all but a pipe's 64 KiB of what was written has been read then.
fn hour(bytes: &[u8], number: u32, stdin: &mut BufWriter<ChildStdin>, mut read: impl FnMut()) {
    let every = packets(bytes).count() / READINGS;
    for (index, (header, frame)) in packets(bytes).enumerate() {
        let (seconds, rest) = header.split_first_chunk::<4>().unwrap();
        let seconds = u32::from_le_bytes(*seconds) + number * 3600;
        stdin.write_all(&seconds.to_le_bytes()).unwrap();
        stdin.write_all(rest).unwrap();
        stdin.write_all(frame).unwrap();
        if (index + 1) % every == 0 {
            stdin.flush().unwrap();
            read();
        }
    }
}

#[test]
fn memory_stands_still_over_hours_of_packets() {
    let hours = std::env::var("ENIGMA_HOURS").map_or(HOURS, |hours| hours.parse().unwrap());
    assert!(hours >= HOURS);
    let Some(file) = capture("hour", &SIZE) else { return };
    let bytes = read(&file);
    let out = tempfile::tempdir().unwrap();
    let config = out.path().join("collector.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let mut run = Command::new(bin("enigma-collector").unwrap())
        .env_remove("ENIGMA_LOG")
        .args(["replay", "--config"])
        .arg(&config)
        .args(["-", "--output"])
        .arg(out.path().join("records"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = run.id();
    let mut stdin = BufWriter::new(run.stdin.take().unwrap());
    stdin.write_all(&bytes[..24]).unwrap();
    let mut peaks = Vec::new();
    for number in 0..hours {
        let mut readings = Vec::new();
        hour(&bytes, number, &mut stdin, || readings.push(resident(id)));
        let mib: Vec<u64> = readings.iter().map(|bytes| bytes >> 20).collect();
        println!("hour {number}: resident MiB at {READINGS} places of it: {mib:?}");
        peaks.push(readings.into_iter().max().unwrap());
    }
    drop(stdin);
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{} packets an hour, {hours} hours: {said}", packets(&bytes).count());
    let (first, last) = (peaks[0], *peaks.last().unwrap());
    assert!(
        last <= first + first / 20 + SLACK,
        "{} MiB in the first hour, {} in the last",
        first >> 20,
        last >> 20
    );
}
