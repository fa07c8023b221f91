//! What flows take: all memory a pipeline has allocated with so many of them alive, by the counting allocator.
//!
//! `cargo bench -p enigma-engine --bench memory`. Everything is in it: flows, index, timers, what was set aside for
//! growth. Every flow has sent one packet without content: looking into content has a budget of its own.

// A program that people run for its table.
#![allow(clippy::print_stdout)]

use enigma_engine::{Datagram, EngineConfig, Pipeline, RecordBatch, Timestamp};

/// A packet of flow `flow`: TCP (a SYN) or UDP without payload, in a VXLAN datagram.
fn packet(flow: u32, is_tcp: bool, is_v6: bool) -> Vec<u8> {
    let (host, port) = ((flow >> 14).to_be_bytes(), (1024 + (flow & 0x3fff) as u16).to_be_bytes());
    let transport = if is_tcp {
        [&port[..], &[1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0]].concat()
    } else {
        [&port[..], &[0x27, 0x10, 0, 8, 0, 0]].concat()
    };
    let protocol = if is_tcp { 6 } else { 17 };
    let len = transport.len() as u8;
    let (ether_type, ip) = if is_v6 {
        let head = [&[0x60, 0, 0, 0, 0, len, protocol, 64, 0xfd][..], &[0; 11], &host].concat();
        ([0x86, 0xdd], [&head[..], &[0xfd], &[0; 14], &[2]].concat())
    } else {
        let head = [0x45, 0, 0, 20 + len, 0, 1, 0x40, 0, 64, protocol, 0, 0, 10, host[1], host[2], host[3]];
        ([8, 0], [&head[..], &[172, 16, 0, 1]].concat())
    };
    [&[8, 0, 0, 0, 0, 0, 7, 0][..], &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], &ether_type, &ip, &transport]
        .concat()
}

fn main() {
    println!("{:>9}  {:<8} {:>14} {:>7} {:>9}", "flows", "kind", "bytes", "a flow", "evicted");
    for count in [1_000_u32, 10_000, 100_000, 1_000_000, 5_000_000] {
        for (kind, is_tcp, is_v6) in [("tcp", true, false), ("tcp v6", true, true), ("udp", false, false)] {
            // A million are what the default budget of 256 MiB is for.
            let flow_memory = 268 * count as usize + (1 << 19);
            let flow_memory = if count == 1_000_000 { 256 << 20 } else { flow_memory };
            let mut evicted = 0;
            let counted = allocation_counter::measure(|| {
                let config = EngineConfig { flow_memory, ..EngineConfig::default() };
                let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
                for flow in 0..count {
                    // Freed before the next: one small packet at a time.
                    let payload = packet(flow, is_tcp, is_v6);
                    let at = Timestamp::from_nanos(1_700_000_000_000_000_000 + i64::from(flow));
                    let source = [10, 9, 8, 7].into();
                    pipeline.datagram(&Datagram { at, source, source_port: 1, payload: &payload }, &mut out);
                }
                assert_eq!(pipeline.stats().flows_created, u64::from(count));
                evicted = pipeline.stats().flows_evicted;
                // Not dropped before it is measured: the maximum is what counts.
                drop((pipeline, out));
            });
            let each = counted.bytes_max as f64 / f64::from(count);
            println!("{count:>9}  {kind:<8} {:>14} {each:>7.1} {evicted:>9}", counted.bytes_max);
        }
    }
}
