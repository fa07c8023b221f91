//! Scripted conversations: each line of packets, and the state, history and byte counts it must end in.

use crate::{Datagram, EngineConfig, Pipeline, Record, RecordBatch, Timestamp, record::ConnRecord};

/// One segment of a script: who sends it, flags, sequence and acknowledgement number, payload length.
struct Step(char, &'static str, u32, u32, u16);

fn packet(step: &Step) -> Vec<u8> {
    let Step(who, flags, sequence, acknowledgement, len) = step;
    let (client, server) = (([10, 0, 0, 1], 40_000_u16), ([10, 0, 0, 2], 9_999_u16));
    let (from, to) = if *who == '>' { (client, server) } else { (server, client) };
    let bits = flags.chars().fold(0_u8, |bits, flag| {
        bits | match flag {
            'F' => 1,
            'S' => 2,
            'R' => 4,
            'A' => 16,
            other => panic!("no flag {other}"),
        }
    });
    let total = (40 + len).to_be_bytes();
    [
        &[0x08, 0, 0, 0, 0, 0, 7, 0][..],
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00],
        &[0x45, 0, total[0], total[1], 0, 1, 0x40, 0, 64, 6, 0, 0],
        &from.0,
        &to.0,
        &from.1.to_be_bytes(),
        &to.1.to_be_bytes(),
        &sequence.to_be_bytes(),
        &acknowledgement.to_be_bytes(),
        &[0x50, bits, 1, 0, 0, 0, 0, 0],
        &vec![0x5a; usize::from(*len)],
    ]
    .concat()
}

/// The records of a script whose packets are `gap_ms` apart.
fn play(gap_ms: i64, script: &[Step]) -> Vec<ConnRecord> {
    let mut pipeline = Pipeline::new(EngineConfig { flow_memory: 1 << 20, ..EngineConfig::default() });
    let mut out = RecordBatch::new();
    for (index, step) in script.iter().enumerate() {
        let at = Timestamp::from_nanos(1_700_000_000_000_000_000 + index as i64 * gap_ms * 1_000_000);
        let (source, payload) = ([10, 9, 8, 7].into(), packet(step));
        pipeline.datagram(&Datagram { at, source, source_port: 1, payload: &payload }, &mut out);
    }
    pipeline.finish(&mut out);
    out.iter().filter_map(Record::as_conn).cloned().collect()
}

fn only(gap_ms: i64, script: &[Step]) -> ConnRecord {
    let mut records = play(gap_ms, script);
    assert_eq!(records.len(), 1, "{records:#?}");
    records.remove(0)
}

/// State, history, bytes of originator and responder.
fn outcome(record: &ConnRecord) -> (&str, &str, u64, u64) {
    let bytes = (record.originator.bytes, record.responder.bytes);
    (record.conn_state.as_str(), record.history.as_str(), bytes.0, bytes.1)
}

const HANDSHAKE: [Step; 3] =
    [Step('>', "S", 100, 0, 0), Step('<', "SA", 500, 101, 0), Step('>', "A", 101, 501, 0)];

fn after_handshake(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    HANDSHAKE.into_iter().chain(steps).collect()
}

#[test]
fn a_whole_conversation() {
    let script = after_handshake([
        Step('>', "A", 101, 501, 10),
        Step('<', "A", 501, 111, 20),
        Step('>', "FA", 111, 521, 0),
        Step('<', "FA", 521, 112, 0),
        Step('>', "A", 112, 522, 0),
    ]);
    let record = only(10, &script);
    assert_eq!(outcome(&record), ("SF", "ShADdFf", 10, 20));
    assert_eq!((record.originator.packets, record.responder.packets, record.missed_bytes), (5, 3, 0));
    assert_eq!(record.originator.ip_bytes, 5 * 40 + 10);
    // The last acknowledgement comes after both closed and does not count for the duration.
    assert_eq!(record.duration.as_millis(), 60);
}

#[test]
fn attempts() {
    assert_eq!(
        outcome(&only(10, &[Step('>', "S", 100, 0, 0), Step('>', "S", 100, 0, 0)])),
        ("S0", "S", 0, 0)
    );
    let rejected = [Step('>', "S", 100, 0, 0), Step('<', "RA", 0, 101, 0)];
    assert_eq!(outcome(&only(10, &rejected)), ("REJ", "Sr", 0, 0));
    let given_up = [Step('>', "S", 100, 0, 0), Step('>', "R", 101, 0, 0)];
    assert_eq!(outcome(&only(10, &given_up)).0, "RSTOS0");
    let half_open = [Step('>', "S", 100, 0, 0), Step('>', "F", 101, 0, 0)];
    assert_eq!(outcome(&only(10, &half_open)), ("SH", "SF", 0, 0));
}

#[test]
fn ends_of_established_connections() {
    assert_eq!(outcome(&only(10, &after_handshake([]))), ("S1", "ShA", 0, 0));
    let with = |last: Step| outcome(&only(10, &after_handshake([last]))).0.to_owned();
    assert_eq!(with(Step('>', "FA", 101, 501, 0)), "S2");
    assert_eq!(with(Step('<', "FA", 501, 101, 0)), "S3");
    assert_eq!(with(Step('>', "R", 101, 0, 0)), "RSTO");
    assert_eq!(with(Step('<', "R", 501, 0, 0)), "RSTR");
}

#[test]
fn one_sided_and_midstream_traffic() {
    let answers = [Step('<', "SA", 500, 101, 0), Step('<', "A", 501, 101, 30), Step('<', "FA", 531, 101, 0)];
    assert_eq!(outcome(&only(10, &answers)), ("SHR", "^hdf", 0, 30));
    let reset = [Step('<', "SA", 500, 101, 0), Step('<', "A", 501, 101, 5), Step('<', "R", 506, 0, 0)];
    assert_eq!(outcome(&only(10, &reset)).0, "RSTRH");
    let midstream = [Step('>', "A", 1000, 5000, 100), Step('<', "A", 5000, 1100, 50)];
    assert_eq!(outcome(&only(10, &midstream)), ("OTH", "Dd", 100, 50));
}

/// SYN and SYN-ACK in the wrong order, as packets of two directions come over a load balancer.
#[test]
fn a_handshake_out_of_order_is_put_right() {
    let script = [Step('<', "SA", 500, 101, 0), Step('>', "S", 100, 0, 0), Step('>', "A", 101, 501, 10)];
    let record = only(10, &script);
    assert_eq!(record.originator.port, 40_000);
    assert_eq!((record.conn_state.as_str(), record.originator.bytes), ("S1", 10));
}

#[test]
fn loss_shows_as_missed_bytes_and_reordering_does_not() {
    let lost = after_handshake([
        Step('>', "A", 101, 501, 100),
        Step('>', "A", 301, 501, 100),
        Step('<', "A", 501, 401, 0),
    ]);
    let record = only(10, &lost);
    assert_eq!((record.missed_bytes, outcome(&record)), (100, ("S1", "ShADaG", 300, 0)));
    let reordered = after_handshake([
        Step('>', "A", 301, 501, 100),
        Step('>', "A", 101, 501, 100),
        Step('>', "A", 201, 501, 100),
        Step('<', "A", 501, 401, 0),
    ]);
    let record = only(10, &reordered);
    assert_eq!((record.missed_bytes, record.originator.bytes), (0, 300));
}

#[test]
fn retransmissions_are_written_at_powers_of_ten() {
    let mut script = after_handshake([Step('>', "A", 101, 501, 50)]);
    script.extend((0..10).map(|_| Step('>', "A", 101, 501, 50)));
    let record = only(10, &script);
    assert_eq!(outcome(&record), ("S1", "ShADTT", 50, 0));
}

#[test]
fn sequence_numbers_may_wrap() {
    let start = u32::MAX - 20;
    let script = [
        Step('>', "S", start, 0, 0),
        Step('<', "SA", 500, start.wrapping_add(1), 0),
        Step('>', "A", start.wrapping_add(1), 501, 40),
        Step('<', "A", 501, start.wrapping_add(41), 0),
        Step('>', "FA", start.wrapping_add(41), 501, 0),
    ];
    assert_eq!(outcome(&only(10, &script)), ("S2", "ShDaF", 40, 0));
}

#[test]
fn a_new_syn_after_the_end_is_a_new_connection() {
    let mut script = after_handshake([Step('>', "R", 101, 0, 0)]);
    script.push(Step('>', "S", 9_000, 0, 0));
    let records = play(10, &script);
    let states: Vec<&str> = records.iter().map(|record| record.conn_state.as_str()).collect();
    assert_eq!(states, ["RSTO", "S0"]);
    assert_ne!(records[0].uid, records[1].uid);
    assert_eq!(records[0].community_id, records[1].community_id);
}

/// Zeek's timers: 5 s for an attempt, 5 s after the end, 60 s before a handshake is over, 5 min after.
#[test]
fn silence_ends_connections_when_it_should() {
    let syns: Vec<Step> = (0..8).map(|_| Step('>', "S", 100, 0, 0)).collect();
    assert_eq!(play(1_000, &syns).len(), 2, "a retry after five seconds is a new attempt");
    let closed = |gap_ms| play(gap_ms, &[Step('<', "R", 500, 0, 0), Step('>', "A", 101, 1, 0)]).len();
    assert_eq!((closed(4_900), closed(5_000)), (1, 2));
    let idle = |gap_ms| play(gap_ms, &[Step('>', "A", 1, 1, 10), Step('<', "A", 1, 11, 10)]).len();
    assert_eq!((idle(299_900), idle(300_000)), (1, 2));
}

/// An SSH session may be silent for an hour: longer than one turn of the timer wheel.
#[test]
fn interactive_sessions_outlive_the_wheel() {
    let to_ssh = |step: &Step| {
        let mut bytes = packet(step);
        let ports = if step.0 == '>' { 44..46 } else { 42..44 };
        bytes[ports].copy_from_slice(&22_u16.to_be_bytes());
        bytes
    };
    let (mut pipeline, mut out) = (Pipeline::new(EngineConfig::default()), RecordBatch::new());
    let second = |second: i64| Timestamp::from_parts(1_700_000_000 + second, 0);
    for step in &HANDSHAKE {
        let payload = to_ssh(step);
        let (at, source) = (second(0), [10, 9, 8, 7].into());
        pipeline.datagram(&Datagram { at, source, source_port: 1, payload: &payload }, &mut out);
    }
    for minute in 1..60 {
        pipeline.advance(second(minute * 60), &mut out);
        assert!(out.is_empty(), "after {minute} minutes");
        assert!(pipeline.next_deadline().is_some_and(|at| at > second(minute * 60)));
    }
    pipeline.advance(second(3_601), &mut out);
    assert_eq!(out.len(), 1);
}

/// A mirror session that cuts packets short loses none of them: what was cut is not missing.
#[test]
fn bytes_cut_off_by_the_mirror_are_not_missed() {
    let (mut pipeline, mut out) = (Pipeline::new(EngineConfig::default()), RecordBatch::new());
    let script = after_handshake([
        Step('>', "A", 101, 501, 1_000),
        Step('>', "A", 1_101, 501, 1_000),
        Step('<', "A", 501, 2_101, 0),
    ]);
    for (index, step) in script.iter().enumerate() {
        let mut payload = packet(step);
        payload.truncate(8 + 14 + 40 + 16);
        let (at, source) = (Timestamp::from_nanos(index as i64 * 1_000), [10, 9, 8, 7].into());
        pipeline.datagram(&Datagram { at, source, source_port: 1, payload: &payload }, &mut out);
    }
    pipeline.finish(&mut out);
    let Some(Record::Conn(record)) = out.drain().next() else { panic!("one record") };
    assert_eq!((record.truncated, record.missed_bytes), (true, 0));
    assert_eq!((outcome(&record), record.originator.ip_bytes), (("S1", "ShADa", 2_000, 0), 4 * 40 + 2_000));
}

/// Data with a SYN or in a reset is not sent again; data that comes with the first FIN may be.
#[test]
fn only_data_that_was_sent_before_counts_as_sent_again() {
    let of = |script: &[Step]| {
        let record = only(10, script);
        (record.originator.retransmits, record.originator.out_of_order, record.history.as_str().to_owned())
    };
    let open = |len| Step('>', "S", 99, 0, len);
    let answer = |to| Step('<', "SA", 499, to, 0);
    // TCP Fast Open (RFC 7413): data with the SYN, which is sent once more when the server does not take it.
    assert_eq!(of(&[open(20), answer(120), Step('>', "A", 120, 500, 0)]), (0, 0, "STh".to_owned() + "A"));
    assert_eq!(of(&[open(20), answer(100), Step('>', "A", 100, 500, 20)]).0, 1);
    assert_eq!(of(&[open(20), open(20), answer(100)]).0, 1);
    // Some stacks explain a reset in words.
    let reset = [open(0), answer(100), Step('>', "A", 100, 500, 0), Step('>', "RA", 100, 500, 13)];
    assert_eq!((of(&reset).0, of(&reset).1), (0, 0));
    // The FIN is new, what comes with it is not.
    let data = |flags| Step('>', flags, 100, 500, 30);
    let fin = [open(0), answer(100), Step('>', "A", 100, 500, 0), data("A"), data("FA"), data("FA")];
    assert_eq!(of(&fin), (2, 0, "ShADFT".to_owned()));
    assert_eq!(of(&fin[..5]), (1, 0, "ShADF".to_owned()));
}

/// A time that may be that of another SYN is none.
#[test]
fn a_handshake_is_timed_from_the_syn_that_was_answered() {
    let (open, answer) = (Step('>', "S", 99, 0, 0), Step('<', "SA", 499, 100, 0));
    let (end, data) = (Step('>', "A", 100, 500, 0), Step('>', "A", 100, 500, 30));
    let millis = |script: &[&Step]| {
        let script: Vec<Step> =
            script.iter().map(|step| Step(step.0, step.1, step.2, step.3, step.4)).collect();
        only(10, &script).rtt.map(|rtt| rtt.as_millis())
    };
    assert_eq!(millis(&[&open, &answer, &end]), Some(20));
    assert_eq!(millis(&[&open, &open, &answer, &end]), Some(20));
    // The answer was lost behind the mirror, so both were repeated.
    assert_eq!(millis(&[&open, &answer, &open, &answer, &end]), Some(20));
    // Was that for the first SYN or for the second? And an answer that was overtaken was not seen in time.
    assert_eq!(millis(&[&open, &answer, &open, &end, &answer, &data]), None);
    assert_eq!(millis(&[&open, &end, &answer, &data]), None);
}
