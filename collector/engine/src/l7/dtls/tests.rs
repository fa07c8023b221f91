use serde_json::Value;

use crate::{Datagram, EngineConfig, Pipeline, RecordBatch, Stats, Timestamp};

/// A client's hello of DTLS 1.2 for a.b.c, with a cookie of two bytes.
fn client_hello() -> Vec<u8> {
    [
        &[0xfe, 0xfd][..],
        &[7; 32],
        &[0, 2, 8, 8],
        &[0, 4, 0xc0, 0x2b, 0xc0, 0x2f],
        &[1, 0],
        &[0, 18],
        &[0, 0, 0, 10, 0, 8, 0, 0, 5, b'a', b'.', b'b', b'.', b'c'],
        &[0, 23, 0, 0],
    ]
    .concat()
}

fn server_hello() -> Vec<u8> {
    [&[0xfe, 0xfd][..], &[9; 32], &[0, 0xc0, 0x2b, 0]].concat()
}

fn record(kind: u8, epoch: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    [&[kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1, len[0], len[1]][..], payload].concat()
}

fn piece(kind: u8, sequence: u8, message: &[u8], offset: usize, len: usize) -> Vec<u8> {
    let word = |number: usize| [0, (number >> 8) as u8, number as u8];
    let header = [&[kind][..], &word(message.len()), &[0, sequence], &word(offset), &word(len)].concat();
    record(22, 0, &[&header[..], &message[offset..offset + len]].concat())
}

fn whole(kind: u8, sequence: u8, message: &[u8]) -> Vec<u8> {
    piece(kind, sequence, message, 0, message.len())
}

/// Sends datagrams, `true` for the server's, each cut to `snap` bytes by the mirror session.
fn talk(turns: &[(bool, Vec<u8>)], snap: usize) -> (Vec<Value>, Stats) {
    let config = EngineConfig { flow_memory: 1 << 20, ..EngineConfig::default() };
    let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
    for (index, (is_answer, data)) in turns.iter().enumerate() {
        let (from, to, ports) =
            if *is_answer { (2, 1, [0x9c, 0x42, 0xc3, 0x50]) } else { (1, 2, [0xc3, 0x50, 0x9c, 0x42]) };
        let ip_len = (28 + data.len() as u16).to_be_bytes();
        let udp_len = (8 + data.len() as u16).to_be_bytes();
        let payload = [
            &[0x08, 0, 0, 0, 0, 0, 7, 0][..],
            &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00],
            &[0x45, 0, ip_len[0], ip_len[1], 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, to],
            &ports,
            &[udp_len[0], udp_len[1], 0, 0],
            &data[..data.len().min(snap)],
        ]
        .concat();
        let at = Timestamp::from_parts(1_700_000_000, index as u32 * 1000);
        let source = [10, 9, 8, 7].into();
        pipeline.datagram(&Datagram { at, source, source_port: 1, payload: &payload }, &mut out);
    }
    pipeline.finish(&mut out);
    let json = |record: crate::Record| {
        let mut line = Vec::new();
        record.write_json(&mut line);
        serde_json::from_slice(&line).unwrap()
    };
    (out.drain().map(json).collect(), *pipeline.stats())
}

fn ended() -> [(bool, Vec<u8>); 2] {
    [false, true].map(|side| (side, [record(20, 0, &[1]), record(22, 1, &[5; 40])].concat()))
}

#[test]
fn pieces_in_any_order_and_more_than_once_are_one_hello() {
    let hello = client_hello();
    let plain: Vec<_> = [(false, whole(1, 0, &hello)), (true, whole(2, 0, &server_hello()))]
        .into_iter()
        .chain(ended())
        .collect();
    let (expected, _) = talk(&plain, usize::MAX);
    let [ssl, conn] = &expected[..] else { panic!("{expected:?}") };
    assert_eq!((&ssl["version"], &ssl["server_name"]), (&"DTLSv12".into(), &"a.b.c".into()));
    assert_eq!((&ssl["established"], &ssl["ssl_history"]), (&true.into(), &"CsIi".into()));
    assert!(ssl["ja4"].as_str().unwrap().starts_with("dd2d020200_"), "{ssl}");
    assert_eq!(conn["service"], "dtls");

    let parts = [(0, 20), (20, 30), (50, hello.len() - 50)];
    for order in [[0, 1, 2], [0, 2, 1]] {
        let pieces = order.map(|part| (false, piece(1, 0, &hello, parts[part].0, parts[part].1)));
        let repeated = [(false, piece(1, 0, &hello, 10, 25))];
        let rest = [(true, whole(2, 0, &server_hello()))];
        let turns: Vec<_> = pieces.into_iter().chain(repeated).chain(rest).chain(ended()).collect();
        let (records, stats) = talk(&turns, usize::MAX);
        assert_eq!((&records[0]["ja4"], &records[0]["ja3"]), (&ssl["ja4"], &ssl["ja3"]), "{order:?}");
        assert_eq!((&records[0]["ssl_history"], stats.l7_lost), (&"CsIi".into(), 0), "{order:?}");
    }
}

#[test]
fn a_cookie_is_asked_for_and_the_hello_comes_again() {
    let hello = client_hello();
    let turns = [
        (false, whole(1, 0, &hello)),
        (true, whole(3, 0, &[0xfe, 0xff, 2, 8, 8])),
        (false, whole(1, 1, &hello)),
        (true, whole(2, 1, &server_hello())),
    ];
    let (records, _) = talk(&turns, usize::MAX);
    assert_eq!(records[0]["ssl_history"], "CvCs");
    assert_eq!(records[0]["established"], false);
}

#[test]
fn a_cut_hello_has_its_name_and_no_fingerprint() {
    let hello = client_hello();
    let turns = [(false, whole(1, 0, &hello)), (true, whole(2, 0, &server_hello()))];
    // All but the last extension.
    let (records, _) = talk(&turns, 25 + hello.len() - 4);
    assert_eq!((&records[0]["server_name"], &records[0]["version"]), (&"a.b.c".into(), &"DTLSv12".into()));
    assert!(records[0].get("ja3").is_none() && records[0].get("ja4").is_none(), "{}", records[0]);
    assert_eq!(records.last().unwrap()["enigma.truncated"], true);
}

#[test]
fn stun_may_go_before_and_what_never_comes_is_not_waited_for() {
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[3; 12]].concat();
    let hello = client_hello();
    let mut turns = vec![(false, stun); 6];
    turns.push((false, whole(1, 0, &hello)));
    let (records, _) = talk(&turns, usize::MAX);
    assert_eq!((&records[0]["server_name"], &records[1]["service"]), (&"a.b.c".into(), &"dtls,stun".into()));

    // The second message is lost and the side goes on: a bound is met.
    turns.extend((2..40).map(|sequence| (false, whole(11, sequence, &[0; 300]))));
    let (records, stats) = talk(&turns, usize::MAX);
    assert_eq!((&records[0]["server_name"], stats.l7_lost), (&"a.b.c".into(), 1));
}

#[test]
fn data_of_an_association_is_named_and_noise_is_not() {
    let data = [record(23, 1, &[5; 40]), record(23, 1, &[6; 20])].concat();
    let (records, _) = talk(&[(false, data.clone())], usize::MAX);
    assert_eq!(records.last().unwrap()["service"], "dtls");
    let (records, _) = talk(&[(false, data[..data.len() - 1].to_vec())], usize::MAX);
    assert!(records.last().unwrap().get("service").is_none());
}
