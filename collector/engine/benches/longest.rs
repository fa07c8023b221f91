//! How long a single call can take: packets wait in a socket's buffer for that time.
//!
//! `cargo bench -p enigma-engine --bench longest`. A table of the default size is filled, is full for as many flows
//! again, and then all flows end at once. Measured is the processor's time, so that it does not count when others run; and of
//! several runs the least: an interrupt is in one of them, a rehash or an unbounded list is in all.

// A program that people run for its table.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use enigma_engine::{Datagram, Duplicates, EngineConfig, Pipeline, RecordBatch, Timestamp};
use rustix::time::{ClockId, clock_gettime};

const RUNS: usize = 5;

/// Processor time of this thread.
fn time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A SYN of flow `flow`, in a VXLAN datagram.
fn write(payload: &mut [u8; 62], flow: u32) {
    let (host, port) = ((flow >> 14).to_be_bytes(), (1024 + (flow & 0x3fff) as u16).to_be_bytes());
    payload[35..38].copy_from_slice(&host[1..]);
    payload[42..44].copy_from_slice(&port);
}

fn packet() -> [u8; 62] {
    let mut payload = [0; 62];
    payload[..8].copy_from_slice(&[8, 0, 0, 0, 0, 0, 7, 0]);
    payload[20..22].copy_from_slice(&[8, 0]);
    payload[22..34].copy_from_slice(&[0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0]);
    payload[34] = 10;
    payload[38..42].copy_from_slice(&[172, 16, 0, 1]);
    payload[44..50].copy_from_slice(&[1, 0xbb, 0, 0, 0, 1]);
    payload[54..58].copy_from_slice(&[0x50, 2, 1, 0]);
    payload
}

/// The longest call while the table fills, while it is full, and while all flows end.
fn run(duplicates: Duplicates) -> [Duration; 3] {
    let config = EngineConfig { duplicates, ..EngineConfig::default() };
    let flows = config.max_flows() as u32;
    let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
    let mut payload = packet();
    let mut at = 1_700_000_000_000_000_000;
    let mut longest = [Duration::ZERO; 3];
    for flow in 0..2 * flows {
        write(&mut payload, flow);
        at += 400;
        // Where copies are dropped every flow is also known from a second place, as far as there is room for that.
        for vantage in [7, 8].into_iter().take(if duplicates == Duplicates::Drop { 2 } else { 1 }) {
            let source = [10, 9, 8, vantage].into();
            let datagram =
                Datagram { at: Timestamp::from_nanos(at), source, source_port: 1, payload: &payload };
            let began = time();
            pipeline.datagram(&datagram, &mut out);
            let took = time() - began;
            let phase = usize::from(flow >= flows);
            longest[phase] = longest[phase].max(took);
            out.drain();
        }
    }
    loop {
        let began = time();
        let has_more =
            pipeline.advance(Timestamp::from_nanos(at).after(Duration::from_secs(3_600)), &mut out);
        longest[2] = longest[2].max(time() - began);
        out.drain();
        if !has_more {
            return longest;
        }
    }
}

fn main() {
    println!("{:<12} {:>12} {:>12} {:>12}", "duplicates", "filling", "full", "all end");
    for (name, duplicates) in [("off", Duplicates::Off), ("drop", Duplicates::Drop)] {
        let mut least = [Duration::MAX; 3];
        for _ in 0..RUNS {
            for (least, longest) in least.iter_mut().zip(run(duplicates)) {
                *least = (*least).min(longest);
            }
        }
        let [filling, full, end] = least.map(|took| format!("{:.0} us", took.as_secs_f64() * 1e6));
        println!("{name:<12} {filling:>12} {full:>12} {end:>12}");
    }
}
