//! The flow table against a model that is obviously right: a list of flows, searched from end to end.

use std::collections::HashMap;
use std::time::Duration;

use enigma_wire::{LinkType, packet};
use proptest::prelude::*;

use crate::{Datagram, EngineConfig, Pipeline, Record, RecordBatch, Timestamp};

/// A UDP packet of flow `flow` in a VXLAN datagram.
fn datagram(flow: u16) -> Vec<u8> {
    let port = (1024 + flow).to_be_bytes();
    [
        &[0x08, 0, 0, 0, 0, 0, 7, 0][..],
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00],
        &[0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
        &[port[0], port[1], 0x27, 0x10, 0, 8, 0, 0],
    ]
    .concat()
}

#[derive(Clone, Debug)]
enum Step {
    /// A packet of a flow, after so many milliseconds.
    Packet(u16, u32),
    /// Time passes without packets.
    Wait(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few flows and waits around the timeout, so that everything happens often.
    let step = prop_oneof![
        8 => (0_u16..40, 0_u32..2_000).prop_map(|(flow, ms)| Step::Packet(flow, ms)),
        1 => (0_u32..40_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..300)
}

/// One flow of the model: number, first and last time, packets.
struct Modelled {
    flow: u16,
    first: i64,
    last: i64,
    packets: u64,
}

const TIMEOUT_NANOS: i64 = 10_000_000_000;

proptest! {
    #[test]
    fn flows_end_when_the_model_says(steps in steps(), with_advance: bool, at_once in 1_usize..9) {
        let mut config = EngineConfig { flow_memory: 1 << 20, ..EngineConfig::default() };
        config.timeouts.udp = Duration::from_nanos(TIMEOUT_NANOS as u64);
        let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
        // The work of a tick may be left off anywhere.
        pipeline.end_at_most(at_once);
        let mut model: Vec<Modelled> = Vec::new();
        let mut expected: Vec<(u16, i64, u64)> = Vec::new();
        let mut now = 1_700_000_000_000_000_000_i64;
        for step in &steps {
            match *step {
                Step::Wait(ms) => {
                    now += i64::from(ms) * 1_000_000;
                    while with_advance && pipeline.advance(Timestamp::from_nanos(now), &mut out) {
                        prop_assert!(pipeline.next_deadline().unwrap() <= Timestamp::from_nanos(now));
                    }
                }
                Step::Packet(flow, ms) => {
                    now += i64::from(ms) * 1_000_000;
                    let (at, source, payload) = (Timestamp::from_nanos(now), [10, 9, 8, 7].into(), datagram(flow));
                    pipeline.datagram(&Datagram { at, source, source_port: 1, payload: &payload }, &mut out);
                    model.retain(|entry| {
                        let alive = entry.last + TIMEOUT_NANOS > now || entry.flow != flow;
                        if !alive {
                            expected.push((entry.flow, entry.first, entry.packets));
                        }
                        alive
                    });
                    match model.iter_mut().find(|entry| entry.flow == flow) {
                        Some(entry) => (entry.last, entry.packets) = (now, entry.packets + 1),
                        None => model.push(Modelled { flow, first: now, last: now, packets: 1 }),
                    }
                }
            }
            // Nothing stays longer than its timeout and two ticks of the wheel, once time has been told and is caught up.
            if with_advance && !pipeline.advance(Timestamp::from_nanos(now), &mut out) {
                let late = now - TIMEOUT_NANOS - (2 << 27);
                let kept = pipeline.stats().flows_active as usize;
                let alive = model.iter().filter(|entry| entry.last > late).count();
                prop_assert!(kept <= alive, "{kept} kept, {alive} could be");
            }
            if pipeline.stats().flows_active > 0 {
                prop_assert!(pipeline.next_deadline().is_some());
            }
        }
        pipeline.finish(&mut out);
        expected.extend(model.iter().map(|entry| (entry.flow, entry.first, entry.packets)));
        let mut found: Vec<(u16, i64, u64)> = out
            .iter()
            .filter_map(Record::as_conn)
            .map(|conn| {
                (conn.originator.port - 1024, conn.ts.as_nanos(), conn.originator.packets)
            })
            .collect();
        found.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
    }

    /// The bound holds, the idlest goes first (to within the quarter second that idleness is kept), and no packet
    /// is lost from the records.
    #[test]
    fn a_full_table_evicts_the_idlest(flows in prop::collection::vec(0_u16..200, 1..500)) {
        let config = EngineConfig { flow_memory: 0, ..EngineConfig::default() };
        let bound = config.max_flows();
        let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
        let mut last: HashMap<u16, i64> = HashMap::new();
        let mut now = 1_700_000_000_000_000_000_i64;
        for &flow in &flows {
            now += 20_000_000;
            let (at, source, payload) = (Timestamp::from_nanos(now), [10, 9, 8, 7].into(), datagram(flow));
            pipeline.datagram(&Datagram { at, source, source_port: 1, payload: &payload }, &mut out);
            for record in out.drain() {
                let conn = record.as_conn().unwrap();
                let evicted = conn.originator.port - 1024;
                let idle_since = last.remove(&evicted).unwrap();
                let idlest = last.iter().filter(|(other, _)| **other != flow).map(|(_, at)| *at).min();
                if let Some(idlest) = idlest {
                    prop_assert!(idle_since <= idlest + 250_000_000 + 20_000_000);
                }
            }
            last.insert(flow, now);
            prop_assert!(pipeline.stats().flows_active as usize <= bound);
            prop_assert_eq!(pipeline.stats().flows_active as usize, last.len());
        }
        let evicted = pipeline.stats().flows_evicted;
        prop_assert_eq!(evicted + last.len() as u64, pipeline.stats().flows_created);
        // The frame helper is what the decoder sees.
        let payload = datagram(1);
        prop_assert!(packet::decode(&payload[8..], LinkType::Ethernet, 42).is_ok());
    }
}
