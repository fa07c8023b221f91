//! The pipeline on anything: no panic, every packet counted once, and no dependence on who tells the time.

use core::time::Duration;
use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::{Datagram, EngineConfig, FrameMode, LinkType, Part, Pipeline, Record, RecordBatch, Timestamp};

/// Bytes that are nearly a mirrored packet.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let vxlan =
        prop_oneof![4 => Just(vec![0x08, 0, 0, 0, 0, 0, 7, 0]), 1 => Just(vec![0; 8]), 1 => Just(vec![])];
    let ethernet = prop_oneof![
        Just([&[0_u8; 12][..], &[0x08, 0x00]].concat()),
        Just([&[0_u8; 12][..], &[0x86, 0xdd]].concat()),
        Just([&[0_u8; 12][..], &[0x08, 0x06]].concat()),
        Just(Vec::new()),
    ];
    let small = 0_u8..4;
    let v4 = (
        prop::sample::select(vec![1_u8, 6, 17, 47, 132]),
        prop::sample::select(vec![0_u8, 0x20, 0x40]),
        small,
        any::<u8>(),
    )
        .prop_map(|(protocol, fragment, host, len)| {
            vec![0x45, 0, 0, len, 0, 1, fragment, 0, 64, protocol, 0, 0, 10, 0, 0, host, 10, 0, 0, 1]
        });
    let ip = prop_oneof![3 => v4, 1 => prop::collection::vec(any::<u8>(), 0..60)];
    let transport = prop::collection::vec(prop_oneof![0_u8..8, any::<u8>()], 0..60);
    // Or all that in an overlay once more.
    let around = prop_oneof![3 => Just(false), 1 => Just(true)];
    (vxlan, around, ethernet, ip, transport).prop_map(|(a, is_inside, b, c, d)| {
        let inner = [b, c, d].concat();
        let overlay = if is_inside { overlay(inner.len() as u8) } else { Vec::new() };
        [a, overlay, inner].concat()
    })
}

/// The headers of a node that sends `len` bytes of frame to another.
fn overlay(len: u8) -> Vec<u8> {
    let (total, udp) = ((36 + u16::from(len)).to_be_bytes(), (16 + u16::from(len)).to_be_bytes());
    [
        &[0_u8; 12][..],
        &[0x08, 0x00, 0x45, 0, total[0], total[1], 0, 1, 0, 0, 64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2],
        &[0xc0, 0x00, 0x12, 0xb5, udp[0], udp[1], 0, 0],
        &[0x08, 0, 0, 0, 0, 0, 9, 0],
    ]
    .concat()
}

proptest! {
    #[test]
    fn received_is_decoded_plus_drops_and_records_hold_every_decoded_packet(
        packets in prop::collection::vec((payload(), 0_i64..400_000), 1..60),
    ) {
        let (mut pipeline, mut out) =
            (Pipeline::new(EngineConfig { flow_memory: 0, ..EngineConfig::default() }), RecordBatch::new());
        let mut at = 1_700_000_000_000_000_000;
        for (index, (bytes, ms)) in packets.iter().enumerate() {
            // Time jumps forwards and sometimes back.
            at += ms * 1_000_000 - if index % 7 == 0 { 5_000_000_000 } else { 0 };
            let time = Timestamp::from_nanos(at);
            match index % 3 {
                0 => {
                    let datagram = Datagram { at: time, source: [10, 9, 8, 7].into(), source_port: 1, payload: bytes };
                    pipeline.datagram(&datagram, &mut out);
                }
                1 => {
                    let datagram = Datagram { at: time, source: [10, 9, 8, 7].into(), source_port: 1, payload: bytes };
                    pipeline.geneve_datagram(&datagram, &mut out);
                }
                _ => {
                    let frame = bytes.get(8..).unwrap_or(bytes);
                    let len = frame.len() as u32;
                    pipeline.frame(time, LinkType::Ethernet, frame, len, FrameMode::Auto, &mut out);
                }
            }
            let stats = pipeline.stats();
            prop_assert_eq!(stats.received, stats.decoded + stats.dropped_total() + stats.fragments_waiting);
        }
        pipeline.finish(&mut out);
        let counted: u64 =
            out.iter().filter_map(Record::as_conn).map(|conn| conn.originator.packets + conn.responder.packets).sum();
        prop_assert_eq!(counted, pipeline.stats().decoded + pipeline.stats().inner);
        let mut line = Vec::new();
        for record in &out {
            line.clear();
            record.write_json(&mut line);
            let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&line);
            prop_assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(&line));
        }
    }

    /// Calling `advance` between packets changes when records come, never what is in them.
    #[test]
    fn records_do_not_depend_on_who_tells_the_time(
        packets in prop::collection::vec((payload(), 0_i64..90_000), 1..60),
    ) {
        let run = |with_advance: bool| {
            let (mut pipeline, mut out) = (Pipeline::new(EngineConfig::default()), RecordBatch::new());
            let mut at = 1_700_000_000_000_000_000;
            for (bytes, ms) in &packets {
                for _ in 0..4 {
                    at += ms * 250_000;
                    if with_advance {
                        pipeline.advance(Timestamp::from_nanos(at), &mut out);
                    }
                }
                let time = Timestamp::from_nanos(at);
                let datagram = Datagram { at: time, source: [10, 9, 8, 7].into(), source_port: 1, payload: bytes };
                pipeline.datagram(&datagram, &mut out);
            }
            pipeline.finish(&mut out);
            let mut records: Vec<_> = out.take();
            records.sort_by_key(|record| record.as_conn().map(|conn| (conn.ts, conn.community_id)));
            (records, *pipeline.stats())
        };
        prop_assert_eq!(run(true), run(false));
    }

    /// Interim records tell a flow in parts: their sums are what one record tells, and so is the time they last.
    #[test]
    fn parts_of_a_flow_add_up_to_it(
        packets in prop::collection::vec((payload(), 0_i64..5_000), 1..80), every in 1_u64..20, with_advance: bool,
    ) {
        let run = |interim: Option<Duration>| {
            let (mut pipeline, mut out) =
                (Pipeline::new(EngineConfig { interim, ..EngineConfig::default() }), RecordBatch::new());
            let mut at = 1_700_000_000_000_000_000;
            for (bytes, ms) in &packets {
                at += ms * 1_000_000;
                let time = Timestamp::from_nanos(at);
                if with_advance {
                    pipeline.advance(time, &mut out);
                }
                let datagram = Datagram { at: time, source: [10, 9, 8, 7].into(), source_port: 1, payload: bytes };
                pipeline.datagram(&datagram, &mut out);
            }
            pipeline.finish(&mut out);
            let mut sums = BTreeMap::new();
            for conn in out.iter().filter_map(Record::as_conn) {
                let mut uid = Vec::new();
                conn.uid.write(&mut uid);
                let (number, sum): &mut (u32, [u64; 12]) = sums.entry(uid).or_default();
                match conn.part {
                    Part::Whole => assert_eq!(*number, 0),
                    Part::Interim(part) => assert_eq!(part, *number + 1),
                    Part::Last(parts) => assert_eq!(parts, *number),
                }
                *number += 1;
                let (a, b) = (conn.originator, conn.responder);
                let told = [
                    conn.duration.as_nanos() as u64,
                    conn.missed_bytes,
                    a.bytes, a.packets, a.ip_bytes, a.retransmits, a.out_of_order,
                    b.bytes, b.packets, b.ip_bytes, b.retransmits, b.out_of_order,
                ];
                sum.iter_mut().zip(told).for_each(|(sum, told)| *sum += told);
            }
            let parts: u32 = sums.values().map(|(parts, _)| *parts).sum();
            (sums.into_iter().map(|(uid, (_, sum))| (uid, sum)).collect::<Vec<_>>(), parts)
        };
        let (whole, records) = run(None);
        let (summed, parts) = run(Some(Duration::from_secs(every)));
        prop_assert_eq!(&summed, &whole);
        prop_assert_eq!(records as usize, whole.len());
        prop_assert!(parts >= records);
    }
}
