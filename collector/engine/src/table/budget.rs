//! The bound of the flow table against what is allocated, by the counting allocator, whatever flows have beside.

use core::time::Duration;

use proptest::prelude::*;

use crate::{Datagram, Duplicates, EngineConfig, Pipeline, RecordBatch, Timestamp};

fn ipv4(protocol: u8, from: u8, to: u8, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len() as u16).to_be_bytes();
    let head = [0x45, 0, len[0], len[1], 0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, from, 10, 0, 0, to];
    [&head[..], payload].concat()
}

fn udp(port: u16) -> Vec<u8> {
    let port = port.to_be_bytes();
    ipv4(17, 1, 2, &[port[0], port[1], 0x27, 0x10, 0, 8, 0, 0])
}

fn tcp(port: u16, is_answer: bool, sequence: u32, flags: u8, len: usize) -> Vec<u8> {
    let (client, server) = (port.to_be_bytes(), [0x27, 0x10]);
    let (from, to, [source, destination]) =
        if is_answer { (2, 1, [server, client]) } else { (1, 2, [client, server]) };
    let numbers = [sequence.to_be_bytes(), 1_u32.to_be_bytes()].concat();
    ipv4(
        6,
        from,
        to,
        &[&source[..], &destination, &numbers, &[0x50, flags, 1, 0, 0, 0, 0, 0], &vec![9; len]].concat(),
    )
}

/// What a flow does: nothing of interest; data behind holes both ways; so much that its history is long; or it comes
/// through a tunnel.
fn packets(kind: u8, port: u16) -> Vec<Vec<u8>> {
    match kind {
        0 => vec![udp(port)],
        1 => vec![
            tcp(port, false, 0, 2, 0),
            tcp(port, true, 0, 0x12, 0),
            tcp(port, false, 1_000, 0x10, 10),
            tcp(port, true, 1_000, 0x10, 10),
        ],
        2 => [0x02, 0x10, 0x11, 0x14, 0x12]
            .into_iter()
            .flat_map(|flags| {
                [false, true].map(|is_answer| tcp(port, is_answer, 1, flags, usize::from(flags == 0x10)))
            })
            .collect(),
        _ => vec![ipv4(47, 3, 4, &[&[0, 0, 8, 0][..], &udp(port)].concat())],
    }
}

/// Beside the table: wheel, vantages, places to spare, and the batch of records at its largest, twice while it grows.
const BESIDE: u64 = 900 << 10;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn what_flows_have_beside_is_within_the_budget(
        kinds in prop::collection::vec(0_u8..4, 1..12),
        duplicates in prop::sample::select(vec![Duplicates::Off, Duplicates::Drop]),
        interim in prop::option::of(Just(Duration::from_secs(1))),
    ) {
        let (flow_memory, duplicate_memory) = (4 << 20, 64 << 10);
        let mut stats = None;
        let counted = allocation_counter::measure(|| {
            let config = EngineConfig {
                flow_memory, duplicate_memory, duplicates, interim, l7_memory: 0, ..EngineConfig::default()
            };
            let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
            for flow in 0..30_000_u32 {
                let at = Timestamp::from_nanos(1_700_000_000_000_000_000 + i64::from(flow) * 100_000);
                for packet in packets(kinds[flow as usize % kinds.len()], 10_000 + flow as u16) {
                    for vantage in [1, 2] {
                        let payload = [
                            &[0x08, 0, 0, 0, 0, 0, 7, 0][..],
                            &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00],
                            &packet,
                        ].concat();
                        let source = [10, 9, 8, vantage].into();
                        pipeline.datagram(&Datagram { at, source, source_port: 1, payload: &payload }, &mut out);
                        out.drain();
                    }
                }
            }
            stats = Some(*pipeline.stats());
        });
        let stats = stats.unwrap();
        prop_assert!(stats.flows_evicted > 10_000 && stats.flows_active > 3_000, "{stats:?}");
        prop_assert_eq!(stats.received, stats.decoded + stats.dropped_total());
        let bound = (flow_memory + duplicate_memory) as u64 + BESIDE;
        prop_assert!(counted.bytes_max <= bound, "{} of {bound} bytes", counted.bytes_max);
    }
}
