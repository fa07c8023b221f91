//! Dialogues through a whole pipeline: what is recognised, on ports that are nobody's, however it is cut.

use proptest::prelude::*;
use serde_json::Value;

use crate::{Datagram, EngineConfig, Pipeline, RecordBatch, Stats, Stream, Timestamp};

mod datagrams;
mod exchanges;
mod logins;
mod old;

/// One turn: whether the responder speaks, what it says, and how much of that the mirror session lets through.
type Turn<'a> = (bool, &'a [u8]);

const PORT: u16 = 40_001;

fn wrapped(protocol: u8, is_answer: bool, ports: [u16; 2], transport: &[u8], missing: usize) -> Vec<u8> {
    let (from, to) = if is_answer { (2, 1) } else { (1, 2) };
    let [source, destination] = ports.map(u16::to_be_bytes);
    let len = ((24 + transport.len() + missing) as u16).to_be_bytes();
    [
        &[0x08, 0, 0, 0, 0, 0, 7, 0][..],
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00],
        &[0x45, 0, len[0], len[1], 0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, from, 10, 0, 0, to],
        &source,
        &destination,
        transport,
    ]
    .concat()
}

fn tcp(is_answer: bool, sequence: u32, acknowledged: u32, flags: u8, data: &[u8], missing: usize) -> Vec<u8> {
    let ports = if is_answer { [PORT, 50_000] } else { [50_000, PORT] };
    let (sequence, acknowledged) = (sequence.to_be_bytes(), acknowledged.to_be_bytes());
    let header = [&sequence[..], &acknowledged, &[0x50, flags, 1, 0, 0, 0, 0, 0]].concat();
    wrapped(6, is_answer, ports, &[&header, data].concat(), missing)
}

pub(in crate::l7) fn udp(is_answer: bool, ports: [u16; 2], data: &[u8]) -> Vec<u8> {
    let len = (8 + data.len() as u16).to_be_bytes();
    let ports = if is_answer { [ports[1], ports[0]] } else { ports };
    wrapped(17, is_answer, ports, &[&[len[0], len[1], 0, 0], data].concat(), 0)
}

pub(in crate::l7) fn feed(packets: &[Vec<u8>]) -> (Vec<Value>, Stats) {
    let config = EngineConfig { flow_memory: 1 << 20, ..EngineConfig::default() };
    let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
    for (index, payload) in packets.iter().enumerate() {
        let at = Timestamp::from_parts(1_700_000_000, index as u32 * 1000);
        pipeline.datagram(&Datagram { at, source: [10, 9, 8, 7].into(), source_port: 1, payload }, &mut out);
    }
    pipeline.finish(&mut out);
    let json = |record: crate::Record| {
        let mut line = Vec::new();
        record.write_json(&mut line);
        serde_json::from_slice(&line).unwrap()
    };
    (out.drain().map(json).collect(), *pipeline.stats())
}

/// The packets of a connection whose turns are cut into segments of `size` bytes.
fn connection(turns: &[Turn<'_>], size: usize) -> Vec<Vec<u8>> {
    let mut packets = vec![tcp(false, 99, 0, 2, &[], 0), tcp(true, 199, 100, 0x12, &[], 0)];
    let mut next = [100, 200];
    for &(is_answer, data) in turns {
        for piece in data.chunks(size) {
            let (own, other) = (usize::from(is_answer), usize::from(!is_answer));
            packets.push(tcp(is_answer, next[own], next[other], 0x18, piece, 0));
            next[own] += piece.len() as u32;
        }
    }
    packets
}

/// The records of a dialogue, the connection's own last; the same for every way to cut it.
fn talk(turns: &[Turn<'_>]) -> Vec<Value> {
    let told = |records: Vec<Value>| -> Vec<Value> {
        records.into_iter().filter(|record| record.get("conn_state").is_none()).collect()
    };
    let (records, _) = feed(&connection(turns, 1400));
    let service = records.last().unwrap()["service"].clone();
    let mut whole = told(records);
    let times = |records: &mut Vec<Value>| records.iter_mut().for_each(|record| record["ts"] = Value::Null);
    times(&mut whole);
    for size in [1, 2, 3, 7, 50, 333] {
        let (records, stats) = feed(&connection(turns, size));
        assert_eq!(records.last().unwrap()["service"], service, "cut into {size}");
        let mut told = told(records);
        times(&mut told);
        assert_eq!(told, whole, "cut into {size}");
        assert_eq!(stats.l7_lost, 0, "cut into {size}");
    }
    whole.push(service);
    whole
}

const REQUESTS: &[u8] = b"POST /a%20b HTTP/1.1\r\nHost: one.example\r\nContent-Length: 5\r\n\r\nhello\
    GET /two HTTP/1.1\r\nhost: two.example\r\nUser-Agent: probe\r\nX-Forwarded-For: 10.0.0.9\r\n\
    Authorization: Basic dXNlcjpwYXNz\r\n\r\n";

const RESPONSES: &[u8] =
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world\
    HTTP/1.0 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<html>\r\nA\r\n0123456789\r\n0\r\n\r\n";

#[test]
fn requests_are_paired_with_their_responses() {
    let told = talk(&[(false, REQUESTS), (true, RESPONSES)]);
    let [one, two, service] = &told[..] else { panic!("{told:?}") };
    assert_eq!(service, "http");
    assert_eq!(
        (&one["method"], &one["uri"], &one["host"]),
        (&"POST".into(), &"/a b".into(), &"one.example".into())
    );
    assert_eq!((&one["request_body_len"], &one["response_body_len"]), (&5.into(), &12.into()));
    assert_eq!(
        (&one["status_code"], &one["info_code"], &one["version"]),
        (&200.into(), &100.into(), &"1.1".into())
    );
    assert_eq!((&two["trans_depth"], &two["status_code"]), (&2.into(), &404.into()));
    assert_eq!((&two["response_body_len"], &two["username"]), (&16.into(), &"user".into()));
    assert_eq!(two["proxied"], serde_json::json!(["X-FORWARDED-FOR -> 10.0.0.9"]));
    assert!(two.get("password").is_none());
}

#[test]
fn content_that_is_missing_or_cut_does_not_end_a_connection() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    let after = 200 + head.len() as u32 + 5000;
    let packets = [
        tcp(false, 99, 0, 2, &[], 0),
        tcp(true, 199, 100, 0x12, &[], 0),
        tcp(false, 100, 200, 0x18, b"GET /1 HTTP/1.1\r\n\r\n", 0),
        // Of the first piece of content most is cut off, the second is lost.
        tcp(true, 200, 119, 0x18, &[&head[..], &[b'x'; 40]].concat(), 1000),
        tcp(true, after - 1000, 119, 0x18, &[b'x'; 1000], 0),
        tcp(false, 119, after, 0x18, b"GET /2 HTTP/1.1\r\n\r\n", 0),
        tcp(true, after, 138, 0x18, b"HTTP/1.1 204 No Content\r\n\r\n", 0),
    ];
    let (records, stats) = feed(&packets);
    let lens: Vec<_> = records.iter().filter_map(|record| record["response_body_len"].as_u64()).collect();
    assert_eq!((lens, stats.l7_lost), (vec![5000, 0], 0));
    // What never came is not counted.
    let (records, _) = feed(&packets[..4]);
    assert_eq!(records[0]["response_body_len"], 1040);
}

#[test]
fn a_head_that_is_cut_tells_what_is_there() {
    let head = b"GET /long HTTP/1.1\r\nHost: cut.example\r\nCookie: a";
    let packets = [tcp(false, 99, 0, 2, &[], 0), tcp(false, 100, 200, 0x18, head, 700)];
    let (records, stats) = feed(&packets);
    assert_eq!((&records[0]["uri"], &records[0]["host"]), (&"/long".into(), &"cut.example".into()));
    assert_eq!((records.len(), stats.l7_lost), (2, 1));
}

pub(in crate::l7) fn client_hello() -> Vec<u8> {
    let name = b"tls.example";
    let names = [&[0, name.len() as u8 + 3, 0, 0, name.len() as u8][..], name].concat();
    let extensions =
        [&[0, 0, 0, names.len() as u8][..], &names, &[0, 16, 0, 5, 0, 3, 2, b'h', b'2']].concat();
    let extensions = [&[0, extensions.len() as u8][..], &extensions].concat();
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 4, 0xc0, 0x2f, 0, 0x9c, 1, 0], &extensions].concat();
    record(22, &[&[1, 0, 0, body.len() as u8][..], &body].concat())
}

fn record(kind: u8, data: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3, 0, data.len() as u8][..], data].concat()
}

pub(in crate::l7) fn server_hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[8; 32], &[0, 0xc0, 0x2f, 0, 0, 9, 0, 16, 0, 5, 0, 3, 2, b'h', b'2']].concat();
    record(22, &[&[2, 0, 0, body.len() as u8][..], &body, &[14, 0, 0, 0]].concat())
}

fn client_rest() -> Vec<u8> {
    [record(22, &[16, 0, 0, 1, 9]), record(20, &[1]), record(22, &[9; 40])].concat()
}

#[test]
fn a_handshake_is_told_when_it_is_over() {
    let server_rest = [record(20, &[1]), record(22, &[9; 40]), record(23, &[9; 90])].concat();
    let told = talk(&[
        (false, &client_hello()),
        (true, &server_hello()),
        (false, &client_rest()),
        (true, &server_rest),
    ]);
    let [ssl, service] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (service, &ssl["server_name"], &ssl["next_protocol"]),
        (&"ssl".into(), &"tls.example".into(), &"h2".into())
    );
    assert_eq!((&ssl["version"], &ssl["established"]), (&"TLSv12".into(), &true.into()));
    assert_eq!((&ssl["ssl_history"], &ssl["resumed"]), (&"CsnGIi".into(), &false.into()));
    assert_eq!(ssl["cipher"], "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    // The text of JA3 is 771,49199-156,0-16,, and that of JA4's parts is sorted.
    assert_eq!(ssl["ja3"].as_str().map(str::len), Some(32));
    assert!(
        ssl["ja4"]
            .as_str()
            .is_some_and(|ja4| ja4.starts_with("t12d0202h2_") && ja4.ends_with("_000000000000"))
    );
}

#[test]
fn a_hello_that_is_cut_names_the_server_and_has_no_fingerprint() {
    let (client, server) = (client_hello(), server_hello());
    let end = 100 + client.len() as u32;
    // The mirror session lets the name through and not the protocols; the server's answer is whole.
    let shown = client.len() - 5;
    let packets = [
        tcp(false, 99, 0, 2, &[], 0),
        tcp(true, 199, 100, 0x12, &[], 0),
        tcp(false, 100, 200, 0x18, &client[..shown], client.len() - shown),
        tcp(true, 200, end, 0x18, &server, 0),
    ];
    let (records, stats) = feed(&packets);
    let [ssl, conn] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&ssl["server_name"], &ssl["version"]), (&"tls.example".into(), &"TLSv12".into()));
    assert_eq!((&ssl["ssl_history"], stats.l7_lost), (&"Csn".into(), 0));
    assert!(ssl.get("ja3").is_none() && ssl.get("ja4").is_none() && ssl.get("ja3s").is_some(), "{ssl}");
    assert_eq!(conn["enigma.truncated"], true);

    // Nothing comes after what there is; of a name that is cut itself nothing is told.
    let (records, _) = feed(&[&packets[..2], &[tcp(false, 100, 200, 0x18, &client[..shown], 0)]].concat());
    assert_eq!((&records[0]["server_name"], records[0].get("ja4")), (&"tls.example".into(), None));
    let in_name = client.len() - 12;
    let (records, _) = feed(&[&packets[..2], &[tcp(false, 100, 200, 0x18, &client[..in_name], 12)]].concat());
    assert_eq!((&records[0]["ssl_history"], records[0].get("server_name")), (&"C".into(), None));
}

/// What a client offers first is what it is; the second hello is an answer.
#[test]
fn the_first_hello_counts_and_both_are_in_the_history() {
    let mut retry = server_hello();
    // SHA-256 of "HelloRetryRequest", RFC 8446 section 4.1.3, instead of a random number.
    retry[11..43].copy_from_slice(&[
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
        0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ]);
    // No message behind it.
    retry.truncate(retry.len() - 4);
    retry[4] -= 4;
    let mut second = client_hello();
    let suite = second.windows(2).position(|pair| pair == [0xc0, 0x2f]).unwrap();
    second[suite + 1] = 0x30;
    let once = talk(&[(false, &client_hello()), (true, &server_hello())]);
    let twice = talk(&[(false, &client_hello()), (true, &retry), (false, &second), (true, &server_hello())]);
    assert_eq!((&once[0]["ssl_history"], &twice[0]["ssl_history"]), (&"Csn".into(), &"CjCsn".into()));
    for field in ["ja3", "ja4", "server_name", "cipher", "ja3s"] {
        assert_eq!(once[0][field], twice[0][field], "{field}");
    }
    let other = talk(&[(false, &second), (true, &server_hello())]);
    assert_ne!(other[0]["ja4"], once[0]["ja4"]);
}

/// Of a connection only one direction is mirrored: it is told as soon as its handshake must be over.
#[test]
fn one_side_of_an_encrypted_connection_is_not_looked_at_for_ever() {
    let data = record(23, &[9; 90]);
    let client = [client_hello(), record(20, &[1]), data.repeat(31)].concat();
    let ssh = [&b"SSH-2.0-x\r\n"[..], &offer("c"), &ssh_packet(&[21]), &[9; 64 << 10]].concat();
    for (begin, more, stream) in [(&client, &data[..], Stream::Ssl), (&ssh, &[9; 9], Stream::Ssh)] {
        for is_answer in [false, true] {
            let (mut pipeline, mut out) = (Pipeline::new(EngineConfig::default()), RecordBatch::new());
            let packets: Vec<_> = begin.chunks(1400).chain([more]).collect();
            let mut next = 100;
            for (index, piece) in packets.iter().enumerate() {
                assert!(out.is_empty(), "{stream:?} after {index} of {}", packets.len());
                let at = Timestamp::from_parts(1_700_000_000, index as u32 * 1000);
                let payload = &tcp(is_answer, next, 1, 0x18, piece, 0);
                let source = [10, 9, 8, 7].into();
                pipeline.datagram(&Datagram { at, source, source_port: 1, payload }, &mut out);
                next += piece.len() as u32;
            }
            assert_eq!(out.drain().map(|record| record.stream()).collect::<Vec<_>>(), [stream]);
        }
    }
}

/// Where memory for contents is used up, those that were silent for long tell what is known of them, and new ones are
/// looked at: a crowd of half-open hellos does not make the collector blind.
#[test]
fn silent_contents_give_way_to_new_ones() {
    let limit = 64 << 10;
    let config = EngineConfig { flow_memory: 8 << 20, l7_memory: limit, ..EngineConfig::default() };
    let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
    let hello = client_hello();
    let send = |pipeline: &mut Pipeline, out: &mut RecordBatch, micros: u32, payload: &[u8]| {
        let at = Timestamp::from_parts(1_700_000_000, micros * 1000);
        pipeline.datagram(&Datagram { at, source: [10, 9, 8, 7].into(), source_port: 1, payload }, out);
    };
    for port in 0..2_000_u16 {
        // The first half of a hello each, then the second by those that are still looked at.
        let mut half = tcp(false, 100, 1, 0x18, &hello[..40], 0);
        half[42..44].copy_from_slice(&(10_000 + port).to_be_bytes());
        send(&mut pipeline, &mut out, u32::from(port), &half);
    }
    let stats = *pipeline.stats();
    let looked_at = 2_000 - stats.l7_lost;
    assert!(looked_at > 40 && looked_at < 400 && stats.l7_refused == 0, "{looked_at} of {limit} bytes");
    out.drain();
    let query = [&[0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x03new\0\0\x01\0\x01"].concat();
    send(&mut pipeline, &mut out, 3_000, &udp(false, [50_000, 53], &query));
    for packet in connection(&[(false, REQUESTS), (true, RESPONSES)], 400) {
        send(&mut pipeline, &mut out, 3_100, &packet);
    }
    pipeline.finish(&mut out);
    let streams: Vec<Stream> = out.iter().map(crate::Record::stream).collect();
    let count = |stream| streams.iter().filter(|other| **other == stream).count();
    assert_eq!((count(Stream::Dns), count(Stream::Http), count(Stream::Conn)), (1, 2, 2_002));
}

#[test]
fn a_refusal_is_told_with_its_alert() {
    let told = talk(&[(false, &client_hello()), (true, &record(21, &[2, 40]))]);
    assert_eq!(
        (&told[0]["last_alert"], &told[0]["ssl_history"]),
        (&"handshake_failure".into(), &"Cl".into())
    );
    assert_eq!(told[0]["established"], false);
}

#[test]
fn protocols_may_turn_to_tls() {
    let smtp: &[Turn<'_>] = &[
        (true, b"220 mx ESMTP\r\n"),
        (false, b"EHLO me\r\n"),
        (true, b"250-mx\r\n250 STARTTLS\r\n"),
        (false, b"STARTTLS\r\n"),
        (true, b"220 go ahead\r\n"),
        (false, &client_hello()),
        (true, &server_hello()),
    ];
    let (records, _) = feed(&connection(smtp, 1400));
    assert_eq!(records.last().unwrap()["service"], "smtp,ssl");
    assert_eq!(records[0]["server_name"], "tls.example");
    let proxy: &[Turn<'_>] = &[
        (false, b"CONNECT tls.example:443 HTTP/1.1\r\nHost: tls.example:443\r\n\r\n"),
        (true, b"HTTP/1.1 200 Connection established\r\n\r\n"),
        (false, &client_hello()),
        (true, &server_hello()),
    ];
    let (records, _) = feed(&connection(proxy, 1400));
    assert_eq!(records.last().unwrap()["service"], "http,ssl");
    assert_eq!(
        (&records[0]["method"], &records[1]["server_name"]),
        (&"CONNECT".into(), &"tls.example".into())
    );
}

fn offer(ciphers: &str) -> Vec<u8> {
    offer_of(["kex-a,kex-b", "ssh-ed25519", ciphers, ciphers, "mac", "mac", "none", "none", "", ""])
}

fn offer_of(lists: [&str; 10]) -> Vec<u8> {
    let mut body = [&[20][..], &[7; 16]].concat();
    for list in lists {
        body.extend((list.len() as u32).to_be_bytes());
        body.extend(list.as_bytes());
    }
    body.extend([0; 5]);
    ssh_packet(&body)
}

fn ssh_packet(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 5).to_be_bytes()[..], &[4], body, &[0; 4]].concat()
}

#[test]
fn ssh_is_told_by_what_both_sides_offer() {
    let client = [&b"SSH-2.0-client\r\n"[..], &offer("c1,c2")].concat();
    let reply = ssh_packet(&[&[31, 0, 0, 0, 3][..], b"key", &[0, 0, 0, 0]].concat());
    let server = [&b"SSH-2.0-server\r\n"[..], &offer("c2,c3"), &reply, &ssh_packet(&[21]), &[9; 50]].concat();
    let told =
        talk(&[(true, &server), (false, &client), (false, &[&ssh_packet(&[21])[..], &[9; 90]].concat())]);
    let [ssh, service] = &told[..] else { panic!("{told:?}") };
    assert_eq!((service, &ssh["version"], &ssh["cipher_alg"]), (&"ssh".into(), &2.into(), &"c2".into()));
    assert_eq!((&ssh["client"], &ssh["server"]), (&"SSH-2.0-client".into(), &"SSH-2.0-server".into()));
    assert_eq!(ssh["host_key_fingerprint"], "SHA256:LHDhK3oGRvkiefQnx7OOczTY5Tic/xZ6HcMOc/gmtoM");
    assert_ne!(ssh["hassh"], ssh["hasshServer"]);
}

fn dhcp(kind: u8, is_reply: bool) -> Vec<u8> {
    let mut message = [0; 240].to_vec();
    (message[0], message[1], message[2]) = (1 + u8::from(is_reply), 1, 6);
    message[4..8].copy_from_slice(&[1, 2, 3, 4]);
    message[16..20].copy_from_slice(&[10, 0, 0, 77]);
    message[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    [&message, &[53, 1, kind, 51, 4, 0, 0, 0x0e, 0x10, 12, 2, b'm', b'e', 255][..]].concat()
}

#[test]
fn a_transaction_over_two_flows_is_one_record() {
    let ports = [68, 67];
    let packets = [
        udp(false, ports, &dhcp(1, false)),
        udp(true, [69, 67], &dhcp(2, true)),
        udp(false, ports, &dhcp(3, false)),
        udp(true, [69, 67], &dhcp(5, true)),
    ];
    let (records, _) = feed(&packets);
    let told: Vec<_> = records.iter().filter(|record| record.get("msg_types").is_some()).collect();
    let [dhcp] = told[..] else { panic!("{records:?}") };
    assert_eq!(dhcp["msg_types"], serde_json::json!(["DISCOVER", "OFFER", "REQUEST", "ACK"]));
    assert_eq!((&dhcp["assigned_addr"], &dhcp["mac"]), (&"10.0.0.77".into(), &"02:00:00:00:00:09".into()));
    assert_eq!((&dhcp["lease_time"], &dhcp["host_name"]), (&3600.0.into(), &"me".into()));
    assert_eq!(dhcp["uids"].as_array().map(Vec::len), Some(2));
}

/// Every transaction has its record and its flows, however many there are at a time.
#[test]
fn transactions_are_found_by_number_and_the_oldest_are_written_first() {
    let numbered = |number: u16, kind, is_reply| {
        let mut message = dhcp(kind, is_reply);
        message[6..8].copy_from_slice(&number.to_be_bytes());
        message
    };
    // One relay speaks for 1,500 clients; 1,024 are kept open, so the first are told when the last come.
    let mut packets: Vec<_> =
        (0..1_500).map(|number| udp(false, [67, 67], &numbered(number, 1, false))).collect();
    packets.extend((0..1_500).rev().map(|number| udp(true, [67, 67], &numbered(number, 2, true))));
    let (records, _) = feed(&packets);
    let told: Vec<_> = records.iter().filter(|record| record.get("msg_types").is_some()).collect();
    let whole =
        told.iter().filter(|dhcp| dhcp["msg_types"] == serde_json::json!(["DISCOVER", "OFFER"])).count();
    // The answers to the first 476 find nothing open: 476 discoveries and, late, 476 offers.
    assert_eq!((told.len(), whole), (1_976, 1_024));
}

fn ntp(mode: u8, time: u32) -> Vec<u8> {
    let mut message = [0; 48].to_vec();
    (message[0], message[1], message[2]) = (4 << 3 | mode, 2, 6);
    for at in [32, 40] {
        message[at..at + 4].copy_from_slice(&time.to_be_bytes());
    }
    message
}

#[test]
fn ntp_tells_who_asked_and_is_believed_elsewhere_if_its_clock_goes_right() {
    let now = (1_700_000_000_u64 + 2_208_988_800) as u32;
    let (records, _) = feed(&[udp(true, [123, 123], &ntp(4, now)), udp(false, [123, 123], &ntp(3, 0))]);
    assert_eq!((&records[0]["id.orig_h"], &records[0]["mode"]), (&"10.0.0.1".into(), &4.into()));
    assert_eq!((&records[0]["poll"], &records[0]["xmt_time"]), (&64.0.into(), &1_700_000_000.0.into()));
    assert!(records[2]["history"].as_str().is_some_and(|history| history.contains('^')), "{records:?}");
    let is_ntp = |time| feed(&[udp(true, [4000, 5000], &ntp(4, time))]).0.len() == 2;
    assert!(is_ntp(now) && !is_ntp(0) && !is_ntp(now - 200_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever follows a beginning that is known, in whatever pieces: every connection has its one record.
    #[test]
    fn anything_may_follow(
        begin in 0_usize..6,
        keep in 0_usize..200,
        tail in prop::collection::vec(prop_oneof![Just(b'\n'), Just(0_u8), Just(0x16), any::<u8>()], 0..600),
        reply in prop::collection::vec(any::<u8>(), 0..200),
        size in 1_usize..90,
    ) {
        let begins = [
            REQUESTS.to_vec(), RESPONSES.to_vec(), client_hello(), server_hello(), offer("x"), b"SSH-2.0-x\r\n".to_vec(),
        ];
        let begin = &begins[begin];
        let said = [&begin[..begin.len().min(keep)], &tail].concat();
        let (records, stats) = feed(&connection(&[(false, &said), (true, &reply), (false, &said), (true, RESPONSES)], size));
        prop_assert_eq!(records.iter().filter(|record| record.get("conn_state").is_some()).count(), 1);
        prop_assert_eq!(stats.received, stats.decoded);
    }
}
