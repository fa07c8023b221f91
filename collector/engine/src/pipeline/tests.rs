use super::*;
use crate::{Admission, ConnRecord};

fn udp(vni: u8, fragment: [u8; 2], transport: &[u8]) -> Vec<u8> {
    let len = (20 + transport.len() as u16).to_be_bytes();
    [
        &[0x08, 0, 0, 0, 0, 0, vni, 0][..],
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00],
        &[0x45, 0, len[0], len[1], 0, 1, fragment[0], fragment[1], 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
        transport,
    ]
    .concat()
}

const QUERY: [u8; 10] = [0x10, 0x92, 0, 53, 0, 10, 0, 0, b'h', b'i'];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + seconds, 0)
}

fn send(pipeline: &mut Pipeline, out: &mut RecordBatch, second: i64, source: [u8; 4], payload: &[u8]) {
    let datagram = Datagram { at: at(second), source: source.into(), source_port: 65_408, payload };
    pipeline.datagram(&datagram, out);
}

fn new(config: EngineConfig) -> (Pipeline, RecordBatch) {
    (Pipeline::new(EngineConfig { flow_memory: 1 << 20, ..config }), RecordBatch::new())
}

fn conns(out: RecordBatch) -> Vec<ConnRecord> {
    out.iter().filter_map(Record::as_conn).cloned().collect()
}

fn finish(mut pipeline: Pipeline, mut out: RecordBatch) -> Vec<ConnRecord> {
    pipeline.finish(&mut out);
    assert_eq!((pipeline.stats().flows_active, pipeline.next_deadline()), (0, None));
    conns(out)
}

/// Two VPCs with the same addresses, and two interfaces that talk to each other.
#[test]
fn the_same_addresses_from_another_session_or_sender_are_another_flow() {
    let (mut pipeline, mut out) = new(EngineConfig::default());
    for (vni, sender) in [(7, [10, 0, 0, 1]), (8, [10, 0, 0, 1]), (7, [10, 0, 0, 2]), (7, [10, 0, 0, 1])] {
        send(&mut pipeline, &mut out, 0, sender, &udp(vni, [0, 0], &QUERY));
    }
    let records = finish(pipeline, out);
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.community_id == records[0].community_id));
    assert_eq!(records.iter().map(|record| record.originator.packets).sum::<u64>(), 4);
}

#[test]
fn only_admitted_sessions_and_senders_are_taken() {
    let admission = Admission { vnis: vec![9, 7], sources: vec![([10, 1, 0, 0].into(), 16)] };
    let (mut pipeline, mut out) = new(EngineConfig { admission, ..EngineConfig::default() });
    send(&mut pipeline, &mut out, 0, [10, 1, 200, 1], &udp(7, [0, 0], &QUERY));
    send(&mut pipeline, &mut out, 0, [10, 1, 200, 1], &udp(8, [0, 0], &QUERY));
    send(&mut pipeline, &mut out, 0, [10, 2, 0, 1], &udp(7, [0, 0], &QUERY));
    let stats = *pipeline.stats();
    assert_eq!((stats.received, stats.decoded), (3, 1));
    assert_eq!(stats.dropped(DropReason::VniNotAdmitted), 1);
    assert_eq!(stats.dropped(DropReason::SourceNotAdmitted), 1);
}

const HEAD: [u8; 16] = [0x10, 0x92, 0, 53, 0, 28, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

#[test]
fn later_fragments_count_in_the_flow_of_the_first() {
    let (mut pipeline, mut out) = new(EngineConfig::default());
    let sender = [10, 0, 0, 1];
    send(&mut pipeline, &mut out, 0, sender, &udp(7, [0x20, 0], &HEAD));
    send(&mut pipeline, &mut out, 0, sender, &udp(7, [0, 2], b"tail"));
    // Another session's tail is not this datagram's, and memory of the head ends.
    send(&mut pipeline, &mut out, 0, sender, &udp(8, [0, 2], b"tail"));
    send(&mut pipeline, &mut out, 61, sender, &udp(7, [0, 2], b"tail"));
    // The session that is not this one waited long enough, the late one has just come.
    assert_eq!(pipeline.stats().dropped(DropReason::FragmentWithoutHead), 1);
    assert_eq!((pipeline.stats().fragments, pipeline.stats().fragments_waiting), (1, 1));
    pipeline.finish(&mut out);
    let stats = *pipeline.stats();
    assert_eq!((stats.dropped(DropReason::FragmentWithoutHead), stats.fragments_waiting), (2, 0));
    assert_eq!(stats.received, stats.decoded + stats.dropped_total());
    let records = finish(pipeline, out);
    assert_eq!(records.len(), 1);
    let sent = records[0].originator;
    assert_eq!((sent.port, sent.packets, sent.bytes, sent.ip_bytes), (4242, 2, 20, 36 + 24));
}

#[test]
fn tails_that_come_before_their_head_wait_for_it() {
    let (mut pipeline, mut out) = new(EngineConfig::default());
    let sender = [10, 0, 0, 1];
    send(&mut pipeline, &mut out, 0, sender, &udp(7, [0, 3], b"end"));
    send(&mut pipeline, &mut out, 0, sender, &udp(7, [0x20, 2], b"in front"));
    let stats = *pipeline.stats();
    assert_eq!((stats.received, stats.decoded, stats.dropped_total(), stats.fragments_waiting), (2, 0, 0, 2));
    send(&mut pipeline, &mut out, 1, sender, &udp(7, [0x20, 0], &HEAD));
    let stats = *pipeline.stats();
    assert_eq!((stats.decoded, stats.fragments, stats.fragments_waiting), (3, 2, 0));
    assert_eq!(stats.dropped_total(), 0);
    let records = finish(pipeline, out);
    assert_eq!((records.len(), records[0].originator.packets), (1, 3));
    assert_eq!(records[0].originator.ip_bytes, 36 + 28 + 23);
}

#[test]
fn the_line_of_waiting_tails_is_bounded_and_moves_with_time() {
    let (mut pipeline, mut out) = new(EngineConfig::default());
    for number in 0..300_u16 {
        let mut tail = udp(7, [0, 2], b"tail");
        tail[26..28].copy_from_slice(&number.to_be_bytes());
        send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &tail);
    }
    let stats = *pipeline.stats();
    assert_eq!((stats.fragments_waiting, stats.dropped(DropReason::FragmentWithoutHead)), (256, 44));
    pipeline.advance(at(2), &mut out);
    let stats = *pipeline.stats();
    assert_eq!((stats.fragments_waiting, stats.dropped(DropReason::FragmentWithoutHead)), (0, 300));
}

/// A tail inside a tunnel is counted beside the packet around it, whenever that is.
#[test]
fn tails_inside_tunnels_wait_without_being_counted_twice() {
    let (mut pipeline, mut out) = new(EngineConfig::default());
    // VXLAN in the mirrored packet, once more: UDP to 4789.
    let around = |inner: &[u8]| {
        let len = (8 + inner.len() as u16).to_be_bytes();
        udp(7, [0, 0], &[&[0x10, 0x92, 0x12, 0xb5, len[0], len[1], 0, 0][..], inner].concat())
    };
    send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &around(&udp(9, [0, 2], b"tail")));
    send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &around(&udp(8, [0, 2], b"lost")));
    let stats = *pipeline.stats();
    // What waits is beside what was received: nothing of that is still to be told.
    assert_eq!((stats.received, stats.decoded, stats.inner, stats.fragments_waiting), (2, 2, 0, 0));
    send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &around(&udp(9, [0x20, 0], &HEAD)));
    let stats = *pipeline.stats();
    assert_eq!((stats.decoded, stats.inner, stats.dropped_total()), (3, 3, 0));
    pipeline.finish(&mut out);
    let stats = *pipeline.stats();
    assert_eq!((stats.received, stats.decoded, stats.dropped_total()), (3, 3, 0));
}

#[test]
fn every_drop_has_its_reason() {
    let (mut pipeline, mut out) = new(EngineConfig::default());
    let with_type = |high: u8, low: u8| {
        let mut bytes = udp(7, [0, 0], &QUERY);
        bytes[20..22].copy_from_slice(&[high, low]);
        bytes
    };
    let whole = udp(7, [0, 0], &QUERY);
    let mut clear = whole.clone();
    clear[0] = 0;
    let mut version = whole.clone();
    version[22] = 0x95;
    for (payload, reason) in [
        (whole[..7].to_vec(), DropReason::VxlanShort),
        (clear, DropReason::VxlanFlags),
        (whole[..15].to_vec(), DropReason::LinkHeader),
        (with_type(0x08, 0x06), DropReason::Arp),
        (with_type(0x88, 0xcc), DropReason::NotIp),
        (with_type(0x81, 0x00)[..23].to_vec(), DropReason::Tags),
        (version, DropReason::IpHeader),
        (whole[..45].to_vec(), DropReason::UdpHeader),
    ] {
        let before = pipeline.stats().dropped(reason);
        send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &payload);
        assert_eq!(pipeline.stats().dropped(reason), before + 1, "{}", reason.name());
    }
    let frame = &whole[8..];
    pipeline.frame(at(0), LinkType::Other(147), frame, frame.len() as u32, FrameMode::Auto, &mut out);
    assert_eq!(pipeline.stats().dropped(DropReason::UnsupportedLink), 1);
    pipeline.frame(at(0), LinkType::Ethernet, frame, frame.len() as u32, FrameMode::Vxlan, &mut out);
    assert_eq!(pipeline.stats().dropped(DropReason::NotMirrored), 1);
    assert_eq!((pipeline.stats().decoded, pipeline.stats().received), (0, 10));
}

/// Drop reasons are label values and positions: both must be unique and stay in step.
#[test]
fn reasons_are_listed_once_and_in_order() {
    let names: std::collections::BTreeSet<&str> =
        DropReason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), DropReason::ALL.len());
    for (index, reason) in DropReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index);
    }
}

#[test]
fn deadlines_come_and_advance_meets_them() {
    let (mut pipeline, mut out) = new(EngineConfig::default());
    assert_eq!(pipeline.next_deadline(), None);
    send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &udp(7, [0, 0], &QUERY));
    let deadline = pipeline.next_deadline().unwrap();
    assert!(deadline > at(60) && deadline <= at(61), "{deadline:?}");
    pipeline.advance(at(59), &mut out);
    assert!(out.is_empty());
    pipeline.advance(deadline, &mut out);
    assert_eq!((out.len(), pipeline.next_deadline()), (1, None));
    assert_eq!(pipeline.stats().flows_active, 0);
}

/// `count` flows of one packet, from second 0 on.
fn many(count: u16) -> (Pipeline, RecordBatch) {
    let (mut pipeline, mut out) = new(EngineConfig::default());
    for port in 0..count {
        let port = (1024 + port).to_be_bytes();
        let query = [port[0], port[1], 0x27, 0x10, 0, 10, 0, 0, b'h', b'i'];
        send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &udp(7, [0, 0], &query));
    }
    (pipeline, out)
}

fn ports(out: &mut RecordBatch) -> Vec<u16> {
    // Of some the other end seems to be the server; its port is higher than all.
    let port = |conn: &ConnRecord| conn.originator.port.min(conn.responder.port);
    out.drain().map(|record| port(record.as_conn().unwrap())).collect()
}

/// Whoever stops, or wakes up after an hour, does not make the records of all flows at once.
#[test]
fn one_call_puts_out_no_more_than_its_share_of_the_flows() {
    let (mut pipeline, mut out) = many(2_000);
    let (mut calls, mut found) = (0, Vec::new());
    loop {
        let has_more = pipeline.finish_some(300, &mut out);
        assert_eq!(pipeline.stats().flows_active, 2_000 - 300 * (calls + 1).min(6) - 200 * (calls / 6));
        assert!(out.len() <= 300);
        found.extend(ports(&mut out));
        calls += 1;
        if !has_more {
            break;
        }
    }
    found.sort_unstable();
    assert_eq!((calls, found), (7, (1024..3024).collect::<Vec<_>>()));

    let (mut pipeline, mut out) = many(2_000);
    let (mut calls, mut found) = (1, Vec::new());
    while pipeline.advance(at(3_600), &mut out) {
        assert_eq!(out.len(), 512);
        assert!(pipeline.next_deadline().unwrap() < at(3_600));
        found.extend(ports(&mut out));
        if calls == 2 {
            // In between packets come: of a flow whose time was over, and of a new one.
            for port in [1024 + 1_500_u16, 9_000] {
                let [high, low] = port.to_be_bytes();
                let query = [high, low, 0x27, 0x10, 0, 10, 0, 0, b'h', b'i'];
                send(&mut pipeline, &mut out, 3_600, [10, 0, 0, 1], &udp(7, [0, 0], &query));
            }
        }
        calls += 1;
    }
    found.extend(ports(&mut out));
    found.sort_unstable();
    assert_eq!((calls, found), (4, (1024..3024).collect::<Vec<_>>()));
    assert_eq!(pipeline.stats().flows_active, 2);
    let deadline = pipeline.next_deadline().unwrap();
    assert!(deadline > at(3_660) && deadline <= at(3_661), "{deadline:?}");
}

#[test]
fn counters_of_pipelines_add_up() {
    let (mut pipeline, mut out) = new(EngineConfig::default());
    send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &udp(7, [0, 0], &QUERY));
    send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], b"short");
    let mut sum = *pipeline.stats();
    sum.merge(pipeline.stats());
    assert_eq!((sum.received, sum.decoded, sum.dropped_total(), sum.flows_active), (4, 2, 2, 2));
    assert_eq!(sum.received_bytes, 2 * pipeline.stats().received_bytes);
}

/// One frame whose clock is off by a century: the others' flows go on.
#[test]
fn a_timestamp_from_the_future_does_not_cut_the_flows_after_it() {
    let (mut pipeline, mut out) = new(EngineConfig::default());
    let other = [0x20, 0x92, 0, 53, 0, 10, 0, 0, b'h', b'i'];
    send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &udp(7, [0, 0], &QUERY));
    send(&mut pipeline, &mut out, 3_000_000_000, [10, 0, 0, 1], &udp(7, [0, 0], &other));
    for second in 1..100 {
        send(&mut pipeline, &mut out, second, [10, 0, 0, 1], &udp(7, [0, 0], &QUERY));
    }
    out.drain();
    let records = finish(pipeline, out);
    assert_eq!(records.len(), 2);
    assert!(records.iter().any(|record| record.originator.packets == 99));
}

/// GENEVE > IPv4 > UDP > VXLAN: the vantage is the inner sender, not the load balancer.
#[test]
fn packets_by_way_of_a_gateway_load_balancer_have_the_same_vantage() {
    let vxlan = udp(7, [0, 0], &QUERY);
    let (len, udp_len) = ((28 + vxlan.len() as u16).to_be_bytes(), (8 + vxlan.len() as u16).to_be_bytes());
    let geneve = [
        &[0, 0, 0x08, 0x00, 0, 0, 0, 0][..],
        &[0x45, 0, len[0], len[1], 0, 0, 0, 0, 255, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9],
        &[0xff, 0x80, 0x12, 0xb5, udp_len[0], udp_len[1], 0, 0],
        &vxlan,
    ]
    .concat();
    let (mut pipeline, mut out) = new(EngineConfig::default());
    send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &vxlan);
    let datagram = Datagram { at: at(0), source: [172, 16, 0, 1].into(), source_port: 1, payload: &geneve };
    pipeline.geneve_datagram(&datagram, &mut out);
    let cut = Datagram { payload: &geneve[..30], ..datagram };
    pipeline.geneve_datagram(&cut, &mut out);
    assert_eq!(pipeline.stats().dropped(DropReason::Geneve), 1);
    let records = finish(pipeline, out);
    assert_eq!((records.len(), records[0].originator.packets), (1, 2));
}

/// A frame in which `between` stands before the IPv4 packet of a query that says it is `total_len` long.
fn framed(between: &[u8], total_len: u16, body: &[u8]) -> Vec<u8> {
    let whole = udp(7, [0, 0], body);
    let (mac, ip) = (whole.get(..20).unwrap(), whole.get(22..).unwrap());
    let mut ip = ip.to_vec();
    ip[2..4].copy_from_slice(&total_len.to_be_bytes());
    [mac, between, &ip].concat()
}

/// The bottom label of two, in front of what its first four bits tell: IPv4.
#[test]
fn mpls_and_stacked_vlans_are_passed_and_vlans_are_told() {
    let len = 20 + QUERY.len() as u16;
    let mpls = [0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64];
    let tags = [0x88, 0xa8, 0, 100, 0x81, 0, 0x20, 200, 0x08, 0x00];
    for (between, vlans) in [(mpls, (None, None)), (tags, (Some(100), Some(200)))] {
        let (mut pipeline, mut out) = new(EngineConfig::default());
        send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &framed(&between, len, &QUERY));
        let records = finish(pipeline, out);
        let sent = records[0].originator;
        assert_eq!((records.len(), sent.port, sent.packets, sent.bytes), (1, 4242, 1, 2));
        assert_eq!((records[0].vlans.outer, records[0].vlans.inner), vlans);
    }
}

/// What an interface hands to its driver to be cut later has a length of zero, or the most there is.
#[test]
fn aggregates_count_with_the_length_that_they_have() {
    for (payload, total_len) in [(60_000_usize, 60_028_u16), (65_507, 65_535), (70_000, 0)] {
        let udp_len = u16::try_from(payload + 8).unwrap_or(0).to_be_bytes();
        let body =
            [&[0x10, 0x92, 0x20, 0x92, udp_len[0], udp_len[1], 0, 0], &vec![0x5a; payload][..]].concat();
        let (mut pipeline, mut out) = new(EngineConfig::default());
        // The length that `udp` writes is replaced: longer ones do not fit there.
        let mut datagram = udp(7, [0, 0], &body[..8]);
        datagram[24..26].copy_from_slice(&total_len.to_be_bytes());
        datagram.extend_from_slice(&body[8..]);
        send(&mut pipeline, &mut out, 0, [10, 0, 0, 1], &datagram);
        let records = finish(pipeline, out);
        let sent = records[0].originator;
        assert_eq!((sent.packets, sent.ip_bytes, sent.bytes), (1, payload as u64 + 28, payload as u64));
        assert!(!records[0].truncated);
    }
}

/// All vantages there can be, each with a flow, and the idlest flows those of one that has many.
#[test]
fn a_vantage_without_a_place_is_refused_after_a_bounded_search() {
    let config = EngineConfig { flow_memory: 32 << 20, ..EngineConfig::default() };
    let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
    let sender = |number: u32| {
        let [_, a, b, c] = number.to_be_bytes();
        [10, a, b, c]
    };
    for port in 0..8_u8 {
        let query = [0x10, port, 0x20, 0x92, 0, 10, 0, 0, b'h', b'i'];
        send(&mut pipeline, &mut out, 0, sender(1), &udp(7, [0, 0], &query));
    }
    for number in 2..=65_535 {
        send(&mut pipeline, &mut out, 1, sender(number), &udp(7, [0, 0], &QUERY));
    }
    assert_eq!((pipeline.stats().flows_active, pipeline.stats().dropped_total()), (65_542, 0));
    send(&mut pipeline, &mut out, 1, sender(70_000), &udp(7, [0, 0], &QUERY));
    let stats = *pipeline.stats();
    assert_eq!((stats.dropped(DropReason::VantagesFull), stats.flows_evicted), (1, 4));
    // Those that are known go on, and once the idle flows of others have ended there is room again.
    send(&mut pipeline, &mut out, 1, sender(65_535), &udp(7, [0, 0], &QUERY));
    while pipeline.advance(at(100), &mut out) {}
    send(&mut pipeline, &mut out, 100, sender(70_000), &udp(7, [0, 0], &QUERY));
    let stats = *pipeline.stats();
    assert_eq!((stats.dropped_total(), stats.decoded), (1, stats.received - 1));
}
