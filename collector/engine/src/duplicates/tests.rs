use std::collections::HashMap;

use proptest::prelude::*;

use crate::{
    ConnRecord, Datagram, DropReason, Duplicates, EngineConfig, Pipeline, Record, RecordBatch, Stats,
    Timestamp,
};

/// A packet of one conversation as `vantage` mirrors it. `number` is its identity, the vantage changes what
/// interfaces change: Ethernet addresses, hop limit, checksums.
fn mirrored(vantage: u8, to_server: bool, number: u16) -> Vec<u8> {
    let (from, to) = if to_server { ([10, 0, 0, 1], [10, 0, 0, 2]) } else { ([10, 0, 0, 2], [10, 0, 0, 1]) };
    let (source, destination) = if to_server { (40_000_u16, 9_999_u16) } else { (9_999, 40_000) };
    let id = number.to_be_bytes();
    [
        &[0x08, 0, 0, 0, 0, 0, vantage, 0][..],
        &[2, 0, 0, 0, 0, vantage, 2, 0, 0, 0, 0, vantage, 0x08, 0x00],
        &[0x45, 0, 0, 32, id[0], id[1], 0x40, 0, 60 + vantage, 17, vantage, vantage],
        &from,
        &to,
        &source.to_be_bytes(),
        &destination.to_be_bytes(),
        &[0, 12, vantage, 0],
        &number.to_be_bytes(),
        &[0xaa, 0xbb],
    ]
    .concat()
}

struct Seen {
    records: Vec<ConnRecord>,
    stats: Stats,
}

/// The records of packets given as vantage, direction, number and time in milliseconds.
fn run(config: EngineConfig, packets: &[(u8, bool, u16, i64)]) -> Seen {
    let mut pipeline = Pipeline::new(EngineConfig { flow_memory: 1 << 20, ..config });
    let mut out = RecordBatch::new();
    for &(vantage, to_server, number, millis) in packets {
        let at = Timestamp::from_nanos(1_700_000_000_000_000_000 + millis * 1_000_000);
        let payload = mirrored(vantage, to_server, number);
        pipeline.datagram(
            &Datagram { at, source: [10, 0, 0, vantage].into(), source_port: 1, payload: &payload },
            &mut out,
        );
    }
    pipeline.finish(&mut out);
    Seen { records: out.iter().filter_map(Record::as_conn).cloned().collect(), stats: *pipeline.stats() }
}

fn dropping() -> EngineConfig {
    EngineConfig { duplicates: Duplicates::Drop, ..EngineConfig::default() }
}

#[test]
fn copies_from_the_other_end_are_dropped_and_the_flow_is_one() {
    // Each end mirrors what it sends before the other end mirrors what it receives.
    let packets = [
        (1, true, 1, 0),
        (2, true, 1, 1),
        (2, false, 2, 2),
        (1, false, 2, 3),
        (1, true, 3, 4),
        (2, true, 3, 5),
    ];
    let seen = run(dropping(), &packets);
    assert_eq!((seen.records.len(), seen.stats.dropped(DropReason::Duplicate)), (1, 3));
    let record = &seen.records[0];
    assert_eq!((record.originator.packets, record.responder.packets, record.history.as_str()), (2, 1, "Dd"));
    assert_eq!(record.vantage.map(|vantage| vantage.vni.get()), Some(1));
    assert_eq!(seen.stats.duplicates, 3);
    let off = run(EngineConfig::default(), &packets);
    assert_eq!((off.records.len(), off.stats.duplicates), (2, 0));
}

#[test]
fn what_one_vantage_repeats_is_no_duplicate() {
    let seen = run(
        dropping(),
        &[(1, true, 1, 0), (1, true, 1, 1), (2, true, 1, 2), (2, true, 1, 3), (2, true, 1, 4)],
    );
    // Twice from the one, three times from the other: three packets.
    assert_eq!((seen.records.len(), seen.stats.dropped(DropReason::Duplicate)), (1, 2));
    assert_eq!(seen.records[0].originator.packets, 3);
}

#[test]
fn marked_copies_are_counted_in_a_flow_that_says_so() {
    let config = EngineConfig { duplicates: Duplicates::Mark, ..EngineConfig::default() };
    let seen = run(config, &[(1, true, 1, 0), (2, true, 1, 1), (2, false, 2, 2), (1, false, 2, 3)]);
    let told: Vec<_> =
        seen.records.iter().map(|record| (record.vantage.map(|v| v.vni.get()), record.duplicate)).collect();
    assert_eq!(told, [(Some(1), false), (Some(2), true)]);
    assert_eq!((seen.stats.duplicates, seen.stats.dropped_total(), seen.stats.decoded), (2, 0, 4));
    let mut line = Vec::new();
    Record::Conn(seen.records[1].clone()).write_json(&mut line);
    assert!(String::from_utf8(line).unwrap().ends_with(r#""enigma.duplicate":true}"#));
}

/// The same addresses in another VPC: nothing joins what sends no copies.
#[test]
fn flows_without_copies_stay_apart() {
    let seen = run(dropping(), &[(1, true, 1, 0), (2, true, 2, 1), (1, false, 3, 2), (2, false, 4, 3)]);
    assert_eq!((seen.records.len(), seen.stats.duplicates), (2, 0));
}

#[test]
fn after_the_window_it_is_another_packet_and_when_memory_is_full_the_oldest_is_forgotten() {
    let late = run(dropping(), &[(1, true, 1, 0), (2, true, 1, 251)]);
    assert_eq!((late.stats.duplicates, late.stats.duplicates_forgotten), (0, 0));
    let small = EngineConfig { duplicate_memory: 0, ..dropping() };
    let mut packets: Vec<_> = (0..17).map(|number| (1, true, number, 0)).collect();
    packets.extend([(2, true, 0, 1), (2, true, 16, 1)]);
    let full = run(small, &packets);
    // The first of 17 had to go, and the copy that was none put out another.
    assert_eq!(full.stats.duplicates, 1);
    assert_eq!(full.stats.duplicates_forgotten, 2);
}

/// A clock that jumps forward and back leaves no packet remembered for ever, and counts nothing twice.
#[test]
fn clocks_may_jump() {
    let year = 31_536_000_000;
    let seen = run(
        dropping(),
        &[(1, true, 1, year), (1, true, 1, 0), (2, true, 1, 1), (2, true, 2, 2), (1, true, 2, 3)],
    );
    assert_eq!(seen.stats.duplicates, 2);
}

proptest! {
    /// Two or three vantages, any order within the window, losses and repetitions at each: what is counted of a packet
    /// is what the vantage that showed it most often has shown.
    #[test]
    fn every_packet_is_counted_as_often_as_its_best_witness_saw_it(
        sightings in prop::collection::vec((1_u8..4, any::<bool>(), 0_u16..6, 0_i64..120), 1..80),
    ) {
        let mut sightings = sightings;
        sightings.sort_by_key(|sighting| sighting.3);
        let seen = run(dropping(), &sightings);
        let mut times: HashMap<(bool, u16), HashMap<u8, u64>> = HashMap::new();
        for &(vantage, to_server, number, _) in &sightings {
            *times.entry((to_server, number)).or_default().entry(vantage).or_default() += 1;
        }
        let expected: u64 = times.values().map(|times| times.values().max().unwrap()).sum();
        let counted: u64 =
            seen.records.iter().map(|record| record.originator.packets + record.responder.packets).sum();
        prop_assert_eq!(counted, expected);
        prop_assert_eq!(seen.stats.received, seen.stats.decoded + seen.stats.dropped_total());
        prop_assert_eq!(seen.stats.decoded, expected);
    }
}

/// Many conversations, three in ten of them mirrored at both ends, the second 40 microseconds later; look-alikes (the
/// same packet sent again by the same host), fragments in any order, and packets swapped on their way to us.
#[test]
fn conversations_that_two_sessions_mirror_count_as_if_one_did() {
    let mut datagrams = Vec::new();
    for step in 0..40_u16 {
        for flow in 0..100_u8 {
            let to_server = step % 3 != 1;
            // Every seventh packet repeats the one before it to the last bit; every ninth is a tail or its head.
            let number = if step % 7 == 6 { step - 3 } else { step };
            let mut packet = mirrored(1, to_server, number);
            for host in [37, 41] {
                packet[host] = flow;
            }
            packet[28..30].copy_from_slice(&match number % 9 {
                3 => [0, 1],
                4 | 5 => [0x20, 0],
                _ => [0x40, 0],
            });
            if number % 9 == 3 {
                // The tail comes before the head of the next step, which has the same direction and number.
                packet[26..28]
                    .copy_from_slice(&(number + 1 + u16::from((number + 1) % 3 == 1)).to_be_bytes());
            }
            let nanos = i64::from(step) * 5_000_000 + i64::from(flow) * 1_000;
            let late = i64::from((u32::from(step) * 37 + u32::from(flow) * 11) % 16) * 100_000;
            datagrams.push((nanos + late, 1, packet.clone()));
            if flow % 10 < 3 {
                packet[6] = 2;
                packet[19] = 2;
                datagrams.push((nanos + late + 40_000, 2, packet));
            }
        }
    }
    datagrams.sort_by_key(|(nanos, vantage, _)| (*nanos, *vantage));
    let told = |vantages: u8, duplicates: Duplicates| {
        let config = EngineConfig { duplicates, flow_memory: 1 << 20, ..EngineConfig::default() };
        let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
        for (nanos, vantage, payload) in datagrams.iter().filter(|(_, vantage, _)| *vantage <= vantages) {
            let at = Timestamp::from_nanos(1_700_000_000_000_000_000 + nanos);
            let source = [10, 20, 0, *vantage].into();
            pipeline.datagram(&Datagram { at, source, source_port: 1, payload }, &mut out);
        }
        pipeline.finish(&mut out);
        let stats = *pipeline.stats();
        assert_eq!(stats.received, stats.decoded + stats.dropped_total());
        let mut told: Vec<_> = out
            .iter()
            .filter_map(Record::as_conn)
            .map(|conn| {
                let ends =
                    [conn.originator, conn.responder].map(|end| (end.packets, end.bytes, end.ip_bytes));
                (conn.community_id, ends, conn.history.as_str().to_owned())
            })
            .collect();
        told.sort_unstable();
        (told, stats)
    };
    let (once, stats) = told(1, Duplicates::Off);
    assert_eq!((once.len(), stats.received, stats.duplicates), (100, 4_000, 0));
    assert!(stats.fragments > 100, "{stats:?}");
    let (one_end, _) = told(1, Duplicates::Drop);
    let (both_ends, stats) = told(2, Duplicates::Drop);
    assert_eq!(one_end, once);
    assert_eq!(both_ends, once);
    assert_eq!((stats.received, stats.flows_created), (5_200, 100));
}
