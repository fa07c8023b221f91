//! Inputs that fuzzing found, as conversations. Each is a script: what two ends say, and what comes of it on the way.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::packets::{Capture, Segment, ethernet, flags, tcp, udp};

use super::BEGIN;

/// Server ports: those whose protocols are read, and one of nobody. Content decides; a port may only be a hint.
const PORTS: [u16; 16] = [40_001, 53, 80, 443, 22, 123, 67, 25, 21, 143, 110, 3_389, 445, 88, 5_432, 5_353];

/// From a client's address and a script to packets.
type Player = fn(SocketAddr, &[u8]) -> Vec<Vec<u8>>;

/// Returns the conversations of the scripts in `tests/fuzz/corpus` of the checkout at `root`, one after the other.
///
/// # Errors
/// A folder of them cannot be read.
pub fn odd(root: &Path) -> std::io::Result<Capture> {
    let mut capture = Capture::default();
    let mut at = BEGIN;
    let scripts: [(&str, Player); 2] = [("content_tcp", tcp_content), ("content_udp", udp_content)];
    for (folder, packets) in scripts {
        let mut files: Vec<_> = fs::read_dir(root.join("tests/fuzz/corpus").join(folder))?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        files.sort();
        for (port, file) in (10_000..60_000).zip(files) {
            for packet in packets(SocketAddr::from(([10, 1, 0, 1], port)), &fs::read(file)?) {
                at += Duration::from_millis(1);
                capture.push(at, ethernet(&packet));
            }
        }
    }
    Ok(capture)
}

/// Returns the packets of what two ends say in one TCP connection: pieces, each with two bytes in front that say who says
/// it, whether it is lost, repeated or out of order, and how long it is. The first byte chooses the server's port.
#[must_use]
pub fn tcp_content(client: SocketAddr, script: &[u8]) -> Vec<Vec<u8>> {
    let [port, rest @ ..] = script else { return Vec::new() };
    let server = server(*port);
    let mut next = [1_000_u32, 9_000];
    let syn = |seq, ack, flags| Segment { seq, ack, flags, payload: &[] };
    let mut packets = vec![
        tcp(client, server, &syn(999, 0, flags::SYN)),
        tcp(server, client, &syn(8_999, 1_000, flags::SYN | flags::ACK)),
    ];
    let mut rest = rest;
    while let [how, length, after @ ..] = rest {
        let (payload, behind) = after.split_at(usize::from(*length).min(after.len()));
        let side = usize::from(how & 1);
        let (from, to) = if side == 0 { (client, server) } else { (server, client) };
        let length = u32::try_from(payload.len()).unwrap_or(0);
        let seq = match how >> 1 & 0x0f {
            // Again, or a little earlier than expected.
            1 => next[side].wrapping_sub(length),
            // A piece is missing in front.
            2 => next[side].wrapping_add(7),
            _ => next[side],
        };
        // Lost on the way to the mirror: acknowledged later, never seen.
        if how >> 1 & 0x0f != 3 {
            let flags = flags::ACK | if how >> 1 & 0x0f == 4 { flags::FIN } else { 0 };
            packets.push(tcp(from, to, &Segment { seq, ack: next[1 - side], flags, payload }));
        }
        next[side] = next[side].max(seq.wrapping_add(length));
        rest = behind;
    }
    packets
}

/// Returns the packets of what two ends say over UDP, from a script in the same form.
#[must_use]
pub fn udp_content(client: SocketAddr, script: &[u8]) -> Vec<Vec<u8>> {
    let [port, rest @ ..] = script else { return Vec::new() };
    let server = server(*port);
    let mut packets = Vec::new();
    let mut rest = rest;
    while let [how, length, after @ ..] = rest {
        let length = usize::from(how & 0x0e) << 7 | usize::from(*length);
        let (payload, behind) = after.split_at(length.min(after.len()));
        let (from, to) = if how & 1 == 0 { (client, server) } else { (server, client) };
        packets.push(udp(from, to, payload));
        rest = behind;
    }
    packets
}

fn server(port: u8) -> SocketAddr {
    SocketAddr::from(([10, 1, 0, 2], PORTS[usize::from(port) % PORTS.len()]))
}
