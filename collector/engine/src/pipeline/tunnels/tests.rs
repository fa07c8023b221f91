use crate::{
    ConnRecord, Datagram, Duplicates, EngineConfig, Pipeline, Record, RecordBatch, Stats, Timestamp,
    TunnelAction, TunnelKind, TunnelRecord,
};

fn ipv4(protocol: u8, hosts: (u8, u8), payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len() as u16).to_be_bytes();
    let head = [0x45, 0, len[0], len[1], 0, 1, 0, 0, 64, protocol, 0, 0];
    [&head[..], &[10, 0, 0, hosts.0], &[10, 0, 0, hosts.1], payload].concat()
}

fn udp(hosts: (u8, u8), ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len() as u16).to_be_bytes();
    let (source, destination) = (ports.0.to_be_bytes(), ports.1.to_be_bytes());
    ipv4(17, hosts, &[&source[..], &destination, &len, &[0, 0], payload].concat())
}

fn ethernet(packet: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00][..], packet].concat()
}

fn vxlan(packet: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0, 0, 0, 9, 0][..], &ethernet(packet)].concat()
}

/// The records of packets a second apart, as one session mirrors them.
fn run(packets: &[Vec<u8>]) -> (Vec<ConnRecord>, Vec<TunnelRecord>, Stats) {
    let mut pipeline = Pipeline::new(EngineConfig { flow_memory: 1 << 20, ..EngineConfig::default() });
    let mut out = RecordBatch::new();
    for (second, packet) in packets.iter().enumerate() {
        let at = Timestamp::from_parts(1_700_000_000 + second as i64, 0);
        let payload = vxlan(packet);
        pipeline.datagram(
            &Datagram { at, source: [10, 9, 8, 7].into(), source_port: 1, payload: &payload },
            &mut out,
        );
    }
    pipeline.finish(&mut out);
    let (mut conns, mut tunnels) = (Vec::new(), Vec::new());
    for record in out.take() {
        match record {
            Record::Conn(conn) => conns.push(conn),
            Record::Tunnel(tunnel) => tunnels.push(*tunnel),
            other => panic!("{other:?}"),
        }
    }
    conns.sort_by_key(|conn| (conn.responder.port, conn.originator.port));
    (conns, tunnels, *pipeline.stats())
}

#[test]
fn a_tunnel_between_hosts_is_no_conversation_and_its_flows_name_it() {
    let inner = |port| udp((1, 2), (40_000, port), b"x");
    let gre = |packet: &[u8]| ipv4(47, (3, 4), &[&[0, 0, 0x08, 0][..], packet].concat());
    let (conns, tunnels, stats) = run(&[gre(&inner(1)), gre(&inner(2)), ipv4(4, (5, 6), &gre(&inner(2)))]);
    assert_eq!((conns.len(), stats.received, stats.decoded, stats.inner), (2, 3, 3, 0));
    let told: Vec<_> =
        tunnels.iter().map(|tunnel| (tunnel.kind, tunnel.action, tunnel.head.originator)).collect();
    let (gre_end, ip_end) = (([10, 0, 0, 3].into(), 0), ([10, 0, 0, 5].into(), 0));
    assert_eq!(
        told,
        [
            (TunnelKind::Gre, TunnelAction::Discover, gre_end),
            (TunnelKind::Ip, TunnelAction::Discover, ip_end),
        ]
    );
    assert!(conns.iter().all(|conn| conn.tunnel == Some(tunnels[0].head.uid)));
    assert_eq!(conns.iter().map(|conn| conn.originator.packets).collect::<Vec<_>>(), [1, 2]);
    let mut line = Vec::new();
    Record::Tunnel(Box::new(tunnels[0].clone())).write_json(&mut line);
    let line = String::from_utf8(line).unwrap();
    assert!(line.contains(r#""tunnel_type":"Tunnel::GRE","action":"Tunnel::DISCOVER""#), "{line}");
}

#[test]
fn a_tunnel_in_udp_is_a_flow_with_a_service_and_the_inner_packets_count_once_more() {
    let inner = udp((1, 2), (40_000, 7), b"x");
    let outer = udp((3, 4), (50_000, 4789), &vxlan(&inner));
    let (conns, tunnels, stats) = run(&[outer.clone(), outer]);
    assert_eq!((conns.len(), stats.decoded, stats.inner), (2, 2, 2));
    let [inside, outside] = &conns[..] else { panic!("{conns:?}") };
    assert_eq!((inside.originator.packets, outside.originator.packets), (2, 2));
    assert_eq!((inside.tunnel, outside.tunnel), (Some(outside.uid), None));
    let actions: Vec<_> = tunnels.iter().map(|tunnel| (tunnel.kind, tunnel.action)).collect();
    assert_eq!(
        actions,
        [(TunnelKind::Vxlan, TunnelAction::Discover), (TunnelKind::Vxlan, TunnelAction::Close)]
    );
    let mut line = Vec::new();
    Record::Conn(outside.clone()).write_json(&mut line);
    assert!(String::from_utf8(line).unwrap().contains(r#""service":"vxlan""#));
}

#[test]
fn nesting_ends_at_a_depth_and_nonsense_inside_is_the_outer_packet() {
    let mut packet = udp((1, 2), (40_000, 7), b"x");
    for level in 0..6 {
        packet = ipv4(4, (10 + level, 20 + level), &packet);
    }
    let (conns, tunnels, stats) = run(&[packet]);
    // Four tunnels, then the fifth is a packet like any other.
    assert_eq!((conns.len(), tunnels.len(), stats.decoded), (1, 4, 1));
    assert_eq!((conns[0].ip_proto, conns[0].tunnel), (4, Some(tunnels[3].head.uid)));
    let nonsense = ipv4(4, (1, 2), &[0x45, 0, 0, 1]);
    let (conns, tunnels, stats) = run(&[nonsense]);
    assert_eq!((conns.len(), tunnels.len(), stats.decoded, stats.dropped_total()), (1, 0, 1, 0));
}

/// Both ends of a tunnel are mirrored: the flows inside are one each, whichever end showed a packet first.
#[test]
fn flows_inside_a_tunnel_that_two_vantages_show_are_one() {
    let gre = |hosts, packet: &[u8]| ipv4(47, hosts, &[&[0, 0, 0x08, 0][..], packet].concat());
    let there = gre((3, 4), &udp((1, 2), (40_000, 7), b"question"));
    let back = gre((4, 3), &udp((2, 1), (7, 40_000), b"answer"));
    let config = EngineConfig { duplicates: Duplicates::Drop, ..EngineConfig::default() };
    let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
    for (millis, end, packet) in [(0, 1, &there), (1, 2, &there), (2, 2, &back), (3, 1, &back)] {
        let at = Timestamp::from_nanos(1_700_000_000_000_000_000 + millis * 1_000_000);
        let payload = vxlan(packet);
        pipeline.datagram(
            &Datagram { at, source: [10, 9, 8, end].into(), source_port: 1, payload: &payload },
            &mut out,
        );
    }
    pipeline.finish(&mut out);
    let conns: Vec<_> = out.iter().filter_map(Record::as_conn).collect();
    assert_eq!((conns.len(), pipeline.stats().duplicates), (1, 2));
    assert_eq!((conns[0].originator.packets, conns[0].responder.packets), (1, 1));
}

/// Both nodes of an overlay are mirrored, and copies are marked: of every conversation, inside and outside, one record
/// counts.
#[test]
fn marks_reach_the_flows_inside_a_tunnel() {
    let gre = |hosts, packet: &[u8]| ipv4(47, hosts, &[&[0, 0, 0x08, 0][..], packet].concat());
    let overlay = |hosts, port, packet: &[u8]| udp(hosts, (port, 4789), &vxlan(packet));
    let (question, answer) = (udp((1, 2), (40_000, 7), b"question"), udp((2, 1), (7, 40_000), b"answer"));
    for (there, back, outer) in [
        (overlay((3, 4), 50_000, &question), overlay((4, 3), 50_001, &answer), 2),
        (gre((3, 4), &question), gre((4, 3), &answer), 0),
    ] {
        let config = EngineConfig { duplicates: Duplicates::Mark, ..EngineConfig::default() };
        let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
        for (millis, end, packet) in [(0, 1, &there), (1, 2, &there), (2, 2, &back), (3, 1, &back)] {
            let at = Timestamp::from_nanos(1_700_000_000_000_000_000 + millis * 1_000_000);
            let payload = vxlan(packet);
            let datagram = Datagram { at, source: [10, 9, 8, end].into(), source_port: 1, payload: &payload };
            pipeline.datagram(&datagram, &mut out);
        }
        pipeline.finish(&mut out);
        let conns: Vec<_> = out.iter().filter_map(Record::as_conn).collect();
        assert_eq!((conns.len(), pipeline.stats().duplicates), (2 + 2 * outer, 2));
        let marked = |is_inside: bool, is_marked: bool| {
            let inside = conns.iter().filter(|conn| conn.tunnel.is_some() == is_inside);
            inside.filter(|conn| conn.duplicate == is_marked).count()
        };
        assert_eq!((marked(true, true), marked(true, false)), (1, 1));
        assert_eq!((marked(false, true), marked(false, false)), (outer, outer));
    }
}

/// Cut anywhere, a packet in tunnels is that of the innermost layer whose headers are whole; checksums may be missing.
#[test]
fn cut_inside_a_tunnel_the_packet_around_it_is_left() {
    let inner = udp((1, 2), (40_000, 7), &[0x5a; 100]);
    let gre = ipv4(47, (3, 4), &[&[0, 0, 0x08, 0][..], &inner].concat());
    let (mut whole, mut outer_only, mut refused) = (0, 0, 0);
    for len in 0..=gre.len() {
        let (conns, tunnels, stats) = run(&[gre[..len].to_vec()]);
        assert_eq!((stats.received, stats.decoded + stats.dropped_total()), (1, 1), "{len}");
        match (&conns[..], tunnels.len()) {
            ([], 0) => refused += 1,
            ([conn], 1) => {
                whole += 1;
                let sent = conn.originator;
                assert_eq!(
                    (conn.ip_proto, sent.packets, sent.bytes, sent.ip_bytes),
                    (17, 1, 100, 128),
                    "{len}"
                );
                assert_eq!(conn.truncated, len < gre.len(), "{len}");
            }
            ([conn], 0) => {
                outer_only += 1;
                assert_eq!((conn.ip_proto, conn.truncated), (47, true), "{len}");
            }
            other => panic!("{len}: {other:?}"),
        }
    }
    // Without its header no packet; then GRE and all headers inside it, 4 + 20 + 8 bytes; then ever more of the payload.
    assert_eq!((refused, outer_only, whole), (20, 32, 101));
}
