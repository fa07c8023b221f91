use super::*;
use crate::{Datagram, EngineConfig, Pipeline, RecordBatch, Stats};

/// An IPv4 packet in VXLAN: from 10.0.0.1:40000 to 10.0.0.2:`port`, or back.
fn packet(protocol: u8, port: u16, is_answer: bool, header: &[u8], content: &[u8]) -> Vec<u8> {
    let (near, far) = ([0x9c, 0x40], port.to_be_bytes());
    let (source, destination, from, to) = if is_answer { (far, near, 2, 1) } else { (near, far, 1, 2) };
    let len = (20 + 4 + header.len() + content.len()) as u16;
    let len = len.to_be_bytes();
    [
        &[0x08, 0, 0, 0, 0, 0, 7, 0][..],
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00],
        &[0x45, 0, len[0], len[1], 0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, from, 10, 0, 0, to],
        &source,
        &destination,
        header,
        content,
    ]
    .concat()
}

fn udp(port: u16, is_answer: bool, content: &[u8]) -> Vec<u8> {
    let len = (8 + content.len() as u16).to_be_bytes();
    packet(17, port, is_answer, &[len[0], len[1], 0, 0], content)
}

fn tcp(sequence: u32, flags: u8, content: &[u8]) -> Vec<u8> {
    tcp_of(false, sequence, flags, content)
}

fn tcp_of(is_answer: bool, sequence: u32, flags: u8, content: &[u8]) -> Vec<u8> {
    let number = sequence.to_be_bytes();
    packet(6, 53, is_answer, &[&number[..], &[0, 0, 0, 1, 0x50, flags, 1, 0, 0, 0, 0, 0]].concat(), content)
}

/// A message with one question for `label`.test and `records`.
fn message(id: u16, flags: u16, label: &str, counts: [u8; 2], records: &[u8]) -> Vec<u8> {
    let (id, flags) = (id.to_be_bytes(), flags.to_be_bytes());
    [
        &[id[0], id[1], flags[0], flags[1], 0, 1, 0, counts[0], 0, counts[1], 0, 0][..],
        &[label.len() as u8],
        label.as_bytes(),
        b"\x04Test\0\0\x01\0\x01",
        records,
    ]
    .concat()
}

fn run(config: EngineConfig, packets: &[(i64, Vec<u8>)]) -> (Vec<String>, Stats) {
    let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
    for (ms, payload) in packets {
        let at = Timestamp::from_nanos(1_700_000_000_000_000_000 + ms * 1_000_000);
        let datagram = Datagram { at, source: [10, 9, 8, 7].into(), source_port: 1, payload };
        pipeline.datagram(&datagram, &mut out);
    }
    pipeline.finish(&mut out);
    let lines = out.drain().map(|record| {
        let mut line = Vec::new();
        record.write_json(&mut line);
        String::from_utf8(line).unwrap()
    });
    (lines.collect(), *pipeline.stats())
}

fn small() -> EngineConfig {
    EngineConfig { flow_memory: 1 << 20, ..EngineConfig::default() }
}

const ADDRESS: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x5d\xb8\xd8\x22";

#[test]
fn a_query_and_its_answer_are_one_record() {
    let (lines, stats) = run(
        small(),
        &[
            (0, udp(53, false, &message(7, 0x0100, "WWW", [0, 0], &[]))),
            (12, udp(53, true, &message(7, 0x8580, "WWW", [1, 0], ADDRESS))),
        ],
    );
    assert_eq!((lines.len(), stats.records), (2, 2));
    let (_, said) = lines[0].split_once(r#""id.orig_h""#).unwrap();
    assert_eq!(
        said,
        concat!(
            r#":"10.0.0.1","id.orig_p":40000,"id.resp_h":"10.0.0.2","id.resp_p":53,"proto":"udp","#,
            r#""trans_id":7,"rtt":0.012000,"query":"www.test","qclass":1,"qclass_name":"C_INTERNET","qtype":1,"#,
            r#""qtype_name":"A","rcode":0,"rcode_name":"NOERROR","AA":true,"TC":false,"RD":true,"RA":true,"Z":0,"#,
            r#""answers":["93.184.216.34"],"TTLs":[60.000000],"rejected":false,"opcode":0,"opcode_name":"query","#,
            r#""enigma.vni":7,"enigma.source_ip":"10.9.8.7"}"#
        )
    );
    assert!(lines[1].contains(r#""proto":"udp","service":"dns","duration":0.012000"#), "{}", lines[1]);
    let uid = |line: &str| line.split(r#""uid":"#).nth(1).unwrap()[..20].to_owned();
    assert_eq!(uid(&lines[0]), uid(&lines[1]));
}

#[test]
fn queries_without_answers_are_written_when_nobody_waits_any_more() {
    let query = |id| udp(53, false, &message(id, 0x0100, "a", [0, 0], &[]));
    // A minute apart, so that the flow goes on: the first is given up at the fourth.
    let packets: Vec<_> = (0..4).map(|turn| (turn * 50_000, query(turn as u16))).collect();
    let (lines, _) = run(small(), &packets);
    let dns: Vec<_> = lines.iter().filter(|line| line.contains("trans_id")).collect();
    assert_eq!(dns.len(), 4);
    assert!(dns.iter().all(|line| !line.contains("rcode") && !line.contains("rtt")));
    assert!(dns[0].contains(r#""ts":1700000000.000000"#));
    let many: Vec<_> = (0..200).map(|id| (0, query(id))).collect();
    assert_eq!(run(small(), &many).0.len(), 201);
}

#[test]
fn a_message_over_tcp_may_come_in_pieces_and_out_of_order() {
    let query = message(9, 0x0100, "tcp", [0, 0], &[]);
    let len = (query.len() as u16).to_be_bytes();
    let stream = [&len[..], &query, &len, &query].concat();
    let mut packets = vec![(0, tcp(99, 2, &[]))];
    for (index, piece) in stream.chunks(7).enumerate().rev() {
        packets.push((1, tcp(100 + 7 * index as u32, 0x18, piece)));
    }
    let (lines, stats) = run(small(), &packets);
    assert_eq!(lines.iter().filter(|line| line.contains(r#""query":"tcp.test""#)).count(), 2);
    assert!(lines.last().unwrap().contains(r#""service":"dns""#));
    assert_eq!(stats.l7_lost, 0);
}

#[test]
fn it_is_found_on_any_port_and_nothing_else_is_taken_for_it() {
    let is_dns = |port, content: &[u8]| run(small(), &[(0, udp(port, false, content))]).0.len() == 2;
    let query = message(7, 0x0100, "www", [0, 0], &[]);
    assert!(is_dns(53, &query) && is_dns(8053, &query));
    assert!(!is_dns(8053, &query[..query.len() - 1]));
    assert!(!is_dns(8053, &[0; 40]) && !is_dns(53, &[0xff; 40]) && !is_dns(53, b"short"));
}

#[test]
fn without_memory_for_content_flows_are_counted_all_the_same() {
    let config = EngineConfig { l7_memory: 0, ..small() };
    let (lines, stats) = run(config, &[(0, udp(53, false, &message(7, 0x0100, "www", [0, 0], &[])))]);
    assert_eq!((lines.len(), stats.l7_refused, lines[0].contains("service")), (1, 1, false));
}

#[test]
fn answers_are_in_zeeks_words() {
    let records: [(&[u8], &str); 9] = [
        (b"\0\x05\0\x01\0\0\0\0\0\x02\xc0\x0c", "www.test"),
        (b"\0\x0f\0\x01\0\0\0\0\0\x04\0\x0a\xc0\x10", "test"),
        (b"\0\x10\0\x01\0\0\0\0\0\x05\x02hi\x01x", "TXT 2 hi TXT 1 x"),
        (b"\0\x21\0\x01\0\0\0\0\0\x08\0\0\0\0\0\x50\xc0\x0c", "www.test"),
        (b"\0\x1c\0\x01\0\0\0\0\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", "2001:db8::1"),
        (b"\0\x2b\0\x01\0\0\0\0\0\x04\0\x01\x08\x02", "DS 8 2"),
        (b"\x01\x01\0\x01\0\0\0\0\0\x08\0\x05issuex", "CAA 0 issue x"),
        (b"\0\x41\0\x01\0\0\0\0\0\x03\0\x01\0", "<unknown type=65>"),
        // Three bytes are no address.
        (b"\0\x01\0\x01\0\0\0\0\0\x03\x01\x02\x03", "A"),
    ];
    for (record, expected) in records {
        let record = [b"\xc0\x0c", record].concat();
        let content = message(1, 0x8180, "www", [1, 0], &record);
        let (lines, _) = run(small(), &[(0, udp(53, true, &content))]);
        assert!(lines[0].contains(&format!(r#""answers":["{expected}"]"#)), "{expected}: {}", lines[0]);
    }
}

/// A connection of three exchanges, whose answers have so many strings each, in segments of 1,400 bytes.
fn transfer(texts: [usize; 3]) -> Vec<(i64, Vec<u8>)> {
    let text = [&b"\xc0\x0c\0\x10\0\x01\0\0\0\0\0\xc9\xc8"[..], &[b'x'; 200]].concat();
    let (mut packets, mut sequences) =
        (vec![(0, tcp(99, 2, &[])), (0, tcp_of(true, 99, 0x12, &[]))], [100; 2]);
    for (id, texts) in (1..).zip(texts) {
        let label = format!("q{id}");
        let query = message(id, 0x0100, &label, [0, 0], &[]);
        let answer = message(id, 0x8180, &label, [texts as u8, 0], &text.repeat(texts));
        for (side, message) in [query, answer].into_iter().enumerate() {
            let stream = [&(message.len() as u16).to_be_bytes()[..], &message].concat();
            for piece in stream.chunks(1400) {
                packets.push((1, tcp_of(side == 1, sequences[side], 0x18, piece)));
                sequences[side] += piece.len() as u32;
            }
        }
    }
    packets
}

#[test]
fn an_answer_over_tcp_that_is_longer_than_may_be_kept_costs_its_end_and_nothing_else() {
    let (lines, stats) = run(small(), &transfer([1, 60, 1]));
    let dns: Vec<_> = lines.iter().filter(|line| line.contains("trans_id")).collect();
    assert_eq!((dns.len(), stats.l7_lost), (3, 0), "{lines:#?}");
    for (index, line) in dns.iter().enumerate() {
        assert!(line.contains(&format!(r#""query":"q{}.test""#, index + 1)), "{line}");
        assert!(line.contains(r#""rcode_name":"NOERROR""#) && line.contains("rtt"), "{line}");
    }
    let answers = dns[1].matches("TXT 200 ").count();
    assert!((15..60).contains(&answers), "{answers}");
}

#[test]
fn of_an_answer_whose_question_was_not_seen_the_beginning_is_read_too() {
    let answers =
        transfer([60, 60, 1]).into_iter().filter(|(_, packet)| packet[22 + 12 + 3] == 2).collect::<Vec<_>>();
    let lines = run(small(), &answers).0;
    assert_eq!(lines.iter().filter(|line| line.contains("trans_id")).count(), 3, "{lines:#?}");
}

/// The first level of encoding, RFC 1001 section 14.1.
fn encoded(name: &[u8; 16]) -> String {
    name.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(b'A' + half)).collect()
}

#[test]
fn names_of_netbios_are_read_behind_their_encoding() {
    let query_to = |port, label: &str, kind: u8| {
        let head = [0, 7, 1, 16, 0, 1, 0, 0, 0, 0, 0, 0, label.len() as u8];
        let content = [&head[..], label.as_bytes(), &[0, 0, kind, 0, 1]].concat();
        run(small(), &[(0, udp(port, false, &content))]).0.remove(0)
    };
    for (name, expected) in [
        (b"MARTIN         \x03", "MARTIN"),
        (b"THE NETBIOS NAM\x20", "THE NETBIOS NAM"),
        (b"\x01\x02__MSBROWSE__\x02\x01", "\\u0001\\u0002__MSBROWSE__\\u0002"),
        (b"*\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "*"),
    ] {
        let line = query_to(137, &encoded(name), 32);
        assert!(line.contains(&format!(r#""query":"{expected}""#)), "{expected}: {line}");
    }
    let martin = encoded(b"MARTIN         \x03");
    assert!(query_to(137, &martin, 33).contains(r#""qtype_name":"NBSTAT""#));
    // Names of other ports, or encoded otherwise, are what they look like.
    for (port, label) in [(53, &*martin), (137, &martin[..30]), (137, "printer"), (137, &"CA".repeat(16))] {
        let line = query_to(port, label, 33);
        let expected = format!(r#""query":"{}""#, label.to_ascii_lowercase());
        assert!(line.contains(&expected), "{expected}: {line}");
        assert_eq!(line.contains(r#""qtype_name":"SRV""#), port == 53, "{line}");
    }
}
