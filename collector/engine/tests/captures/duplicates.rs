//! Traffic that is mirrored at both its ends, and `drop`: the same records as from one end.

use std::collections::BTreeMap;

use enigma_engine::{
    ConnRecord, Datagram, DropReason, Duplicates, EngineConfig, LinkType, Pipeline, Record, RecordBatch,
    Stats, Stream, Timestamp, Vni,
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

/// Where a record, of any stream but certificates, says that it is a duplicate.
fn is_marked(record: &Record) -> Option<bool> {
    match record {
        Record::Conn(conn) => Some(conn.duplicate),
        Record::Dhcp(dhcp) => Some(dhcp.duplicate),
        Record::Dns(dns) => Some(dns.head.duplicate),
        Record::Ntp(ntp) => Some(ntp.head.duplicate),
        Record::Quic(quic) => Some(quic.head.duplicate),
        Record::Http(http) => Some(http.head.duplicate),
        Record::Ssh(ssh) => Some(ssh.head.duplicate),
        Record::Ssl(ssl) => Some(ssl.head.duplicate),
        Record::Tunnel(_) | Record::X509(_) => None,
    }
}

/// Who leaves out what is marked counts every exchange once: as many records of each stream as the first end alone gives.
#[test]
fn marked_copies_leave_the_records_of_one_end() {
    let Some(folder) = captures() else { return };
    let mut compared = BTreeMap::<&str, usize>::new();
    // By their names: small captures of each protocol, whose packets differ from each other.
    let names = ["dns", "http", "tls", "ssl", "ssh", "ntp", "dhcp", "quic"];
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        if !names.iter().any(|part| name.contains(part)) {
            continue;
        }
        let mut frames = reader::read(&folder.join(name));
        frames.retain(|frame| frame.link == LinkType::Ethernet);
        if frames.len() > 200 || !frames.is_sorted_by_key(|frame| frame.at) {
            continue;
        }
        frames.iter_mut().for_each(|frame| frame.wire_len = frame.data.len() as u32);
        let (once, _) = mirrored(&frames, Duplicates::Mark, 1);
        let (twice, stats) = mirrored(&frames, Duplicates::Mark, 2);
        assert!(once.iter().all(|record| is_marked(record) != Some(true)), "{name}");
        // A packet that stands in the capture more than once is its own affair, and tunnels mark what is inside.
        if stats.duplicates != frames.len() as u64 || stats.inner > 0 {
            continue;
        }
        for stream in Stream::ALL {
            let count = |records: &[Record], marked: bool| {
                let of = records.iter().filter(|record| record.stream() == stream);
                of.filter(|record| is_marked(record) == Some(marked)).count()
            };
            let expected = count(&once, false);
            assert_eq!(
                (count(&twice, false), count(&twice, true)),
                (expected, expected),
                "{name} {stream:?}"
            );
            *compared.entry(stream.name()).or_default() += expected;
        }
    }
    for stream in ["conn", "dns", "http", "ssl", "ssh", "ntp", "dhcp", "quic"] {
        assert!(compared[stream] > 0, "{stream}: {compared:?}");
    }
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
