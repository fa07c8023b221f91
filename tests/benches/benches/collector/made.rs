//! A capture for who has none: TCP flows that overlap a hundred at a time, each a handshake, data both ways and an orderly end.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use enigma_test_support::packets::{self, Capture, Segment};

/// Flows, and data segments of each: a million packets, 150 MB.
const FLOWS: u32 = 50_000;
const SEGMENTS: u32 = 17;

pub(crate) fn capture(directory: &Path) -> Result<PathBuf> {
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
