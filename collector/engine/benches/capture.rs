//! Where the time of a capture goes, stage by stage: walking its packets, decoding them, counting them in flows, looking
//! into their content, writing the records as JSON.
//!
//! `cargo bench -p enigma-engine --bench capture -- FILE.pcap` (classic pcap, read into memory first). Each stage does what
//! the ones before it do too; the least of some runs is printed, as CPU time of this thread (`/proc/thread-self/schedstat`), so
//! that other programs on the machine disturb little.

// A program that people run for its table.
#![allow(clippy::print_stdout)]

use std::hint::black_box;

use enigma_engine::{EngineConfig, FrameMode, LinkType, Pipeline, RecordBatch, Timestamp};
use enigma_wire::packet;

/// Runs of each stage.
const RUNS: usize = 7;
/// Records that are written together, as the collector does.
const BATCH: usize = 512;

struct Frame<'a> {
    at: Timestamp,
    data: &'a [u8],
    wire_len: u32,
}

/// The records of a little-endian pcap file of microseconds, which is what the maker of benchmark captures writes.
fn frames(file: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut rest = file.get(24..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_first_chunk::<16>()?;
        let word =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (data, behind) = behind.split_at_checked(word(8) as usize)?;
        rest = behind;
        let at = Timestamp::from_parts(i64::from(word(0)), word(4) * 1000);
        Some(Frame { at, data, wire_len: word(12) })
    })
}

/// CPU time of this thread in nanoseconds.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

fn least(mut run: impl FnMut() -> u64) -> (u64, u64) {
    let mut result = 0;
    let took = (0..RUNS).map(|_| {
        let before = cpu();
        result = run();
        cpu() - before
    });
    (took.min().unwrap_or_default(), result)
}

/// The pipeline over all frames; `each` gets the records of a batch.
fn pipeline(file: &[u8], config: &EngineConfig, mut each: impl FnMut(&mut RecordBatch)) -> u64 {
    let (mut pipeline, mut out) = (Pipeline::new(config.clone()), RecordBatch::new());
    for frame in frames(file) {
        pipeline.frame(frame.at, LinkType::Ethernet, frame.data, frame.wire_len, FrameMode::Auto, &mut out);
        if out.len() >= BATCH {
            each(&mut out);
        }
    }
    pipeline.finish(&mut out);
    each(&mut out);
    pipeline.stats().records
}

fn main() -> std::io::Result<()> {
    let Some(path) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        println!("no capture given: cargo bench -p enigma-engine --bench capture -- FILE.pcap");
        return Ok(());
    };
    let file = std::fs::read(&path)?;
    if file.get(..4) != Some(&[0xd4, 0xc3, 0xb2, 0xa1]) {
        println!("{path} is no little-endian pcap file of microseconds");
        return Ok(());
    }
    let full = EngineConfig::default();
    let flows = EngineConfig { l7_memory: 0, ..full.clone() };
    let mut text = Vec::new();
    let stages: [(&str, (u64, u64)); 5] = [
        (
            "walk",
            least(|| frames(&file).filter(|frame| black_box(frame.data.first()).is_some()).count() as u64),
        ),
        (
            "decode",
            least(|| {
                let decoded = frames(&file).filter(|frame| {
                    black_box(packet::decode(frame.data, LinkType::Ethernet, frame.wire_len)).is_ok()
                });
                decoded.count() as u64
            }),
        ),
        ("flows", least(|| pipeline(&file, &flows, |out| drop(out.drain())))),
        ("content", least(|| pipeline(&file, &full, |out| drop(out.drain())))),
        (
            "json",
            least(|| {
                pipeline(&file, &full, |out| {
                    text.clear();
                    for record in out.drain() {
                        record.write_json(&mut text);
                        text.push(b'\n');
                    }
                    black_box(&text);
                })
            }),
        ),
    ];
    let packets = frames(&file).count() as f64;
    println!("{path}: {packets} packets, {} bytes", file.len());
    println!("{:<8} {:>10} {:>8} {:>8} {:>9}", "stage", "ns/packet", "more", "Mpps", "records");
    let mut before = 0.0;
    for (name, (took, records)) in stages {
        let each = took as f64 / packets;
        println!("{name:<8} {each:>10.1} {:>8.1} {:>8.2} {records:>9}", each - before, 1000.0 / each);
        before = each;
    }
    Ok(())
}
