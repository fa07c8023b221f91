//! Traffic that is mirrored at both its ends, and `drop`: the same records as from one end.

use enigma_engine::{
    ConnRecord, Datagram, DropReason, Duplicates, EngineConfig, LinkType, Pipeline, Record, RecordBatch,
    Stats, Timestamp, Vni,
};

use crate::{captures, facts, reader};

/// One capture as a vantage, or two, mirror it: the second 40 microseconds later than the first, by another session.
fn mirrored(frames: &[reader::Frame], duplicates: Duplicates, ends: u8) -> (Vec<Record>, Stats) {
    let config = EngineConfig { flow_memory: 16 << 20, duplicates, ..EngineConfig::default() };
    let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
    let mut datagrams = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        for end in 0..ends {
            let vni = Vni::new(1000 + u32::from(end)).expect("24 bits");
            let payload = [&enigma_wire::vxlan::encode(vni)[..], &frame.data].concat();
            let at = Timestamp::from_nanos(frame.at.as_nanos() + 40_000 * i64::from(end));
            datagrams.push((at, index, end, payload));
        }
    }
    // Captures whose clock goes back stay as they are; where it goes on, the ends take turns as they would.
    if frames.is_sorted_by_key(|frame| frame.at) {
        datagrams.sort_by_key(|(at, index, end, _)| (*at, *index, *end));
    }
    for (at, _, end, payload) in &datagrams {
        let source = [10, 20, 0, *end].into();
        pipeline.datagram(&Datagram { at: *at, source, source_port: 1, payload }, &mut out);
    }
    pipeline.finish(&mut out);
    (out.take(), *pipeline.stats())
}

/// What a flow's record tells of its packets: ends, counts, course.
fn told(records: &[Record]) -> Vec<String> {
    let mut told: Vec<String> = records
        .iter()
        .filter_map(Record::as_conn)
        .map(|conn| {
            let ConnRecord { originator, responder, conn_state, history, missed_bytes, community_id, .. } =
                conn;
            format!("{originator:?} {responder:?} {conn_state:?} {history:?} {missed_bytes} {community_id:?}")
        })
        .collect();
    told.sort_unstable();
    told
}

#[test]
fn dropped_copies_leave_the_records_of_one_end() {
    let Some(folder) = captures() else { return };
    let (mut compared, mut copies) = (0, 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let mut frames = reader::read(&folder.join(name));
        frames.retain(|frame| frame.link == LinkType::Ethernet);
        frames.iter_mut().for_each(|frame| frame.wire_len = frame.data.len() as u32);
        let (once, stats) = mirrored(&frames, Duplicates::Drop, 1);
        assert_eq!(stats.duplicates, 0, "{name}");
        let (twice, stats) = mirrored(&frames, Duplicates::Drop, 2);
        assert_eq!(told(&twice), told(&once), "{name}");
        assert_eq!(stats.received, stats.decoded + stats.dropped_total(), "{name}");
        // Each packet has one copy, also those of tunnels whose inside turned out to be nothing that is counted.
        assert!(stats.dropped(DropReason::Duplicate) >= stats.decoded, "{name}");
        compared += 1;
        copies += stats.duplicates;
    }
    println!("{compared} captures, {copies} copies dropped");
    assert!(compared > 600);
}
