//! Several workers, and the doors: both directions of a flow come with different outer ports and still make one record.

use std::net::UdpSocket;
use std::path::Path;

use enigma_test_support::packets::{Capture, ethernet, ethernet_vlan, udp, vxlan};
use serde_json::Value;

use super::collector::{Collector, Ended, program, records};

const CONFIG: &str = "shutdown.drain = \"0s\"\nreceive.workers = 4\n";

/// The kernel's refusal is a skip, with its own words.
fn refused(said: &str) -> bool {
    let refused = said.contains("refuses to steer");
    if refused {
        enigma_test_support::skip::skip("kernel refuses SO_ATTACH_REUSEPORT_CBPF");
    }
    refused
}

/// What GENEVE with 32 bytes of options puts around a mirror datagram.
fn geneve(source: &str, datagram: &[u8]) -> Vec<u8> {
    let inside = udp(source.parse().unwrap(), "10.8.8.8:4789".parse().unwrap(), datagram);
    [&[8, 0, 8, 0, 0, 0, 0, 0][..], &[1; 32], &inside].concat()
}

/// Both directions of `flows` flows, IPv4 and IPv6, plain and tagged, as mirrored frames.
fn frames(flows: u16) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for n in 0..flows {
        let ends = match n % 2 {
            0 => [format!("10.1.0.1:{}", 2_000 + n), "10.2.0.1:53".to_owned()],
            _ => [format!("[fd00::{n}]:5000"), "[fd00:1::1]:53".to_owned()],
        };
        let [from, to] = ends.map(|end| end.parse().unwrap());
        for (from, to) in [(from, to), (to, from)] {
            let packet = udp(from, to, b"mirrored");
            frames.push(if n % 3 == 0 { ethernet_vlan(7, &packet) } else { ethernet(&packet) });
        }
    }
    frames
}

fn whole_flows(ended: &Ended, flows: usize) {
    let records = ended.conn();
    assert_eq!(records.len(), flows);
    for record in &records {
        assert_eq!((&record["orig_pkts"], &record["resp_pkts"]), (&1.into(), &1.into()), "{record}");
    }
}

fn received(status: &Value) -> u64 {
    status["packets"]["received"].as_u64().unwrap()
}

#[test]
fn with_four_workers_every_flow_is_one_record() {
    let collector = Collector::start(CONFIG);
    let senders: Vec<UdpSocket> = (0..16).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let frames = frames(400);
    for (number, frame) in frames.iter().enumerate() {
        // Steps that share no divisor with 16, so that the directions of a flow come from different ports.
        senders[number * 7 % 16].send_to(&vxlan(5, frame), &collector.receive).unwrap();
    }
    let status = collector.wait_status("all packets", |status| received(status) == frames.len() as u64);
    let shares: Vec<u64> =
        status["workers"].as_array().unwrap().iter().map(|w| w["received"].as_u64().unwrap()).collect();
    let ended = collector.stop();
    if refused(&ended.said) {
        return;
    }
    assert!(shares.iter().all(|share| *share > 100), "800 packets over 4 workers: {shares:?}");
    whole_flows(&ended, 400);
}

#[test]
fn where_the_kernel_does_not_steer_workers_hand_over_and_every_flow_is_still_one_record() {
    let collector = Collector::start(&format!(
        "{CONFIG}receive.steering = \"rings\"\nreceive.geneve = \"127.0.0.1:0\"\n"
    ));
    let geneve_door = collector.geneve.clone().expect("the door's address is in the ready file");
    let senders: Vec<UdpSocket> = (0..16).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let frames = frames(400);
    let mut sent = 0;
    for (number, frame) in frames.iter().enumerate() {
        let sender = &senders[number * 7 % 16];
        sender.send_to(&vxlan(5, frame), &collector.receive).unwrap();
        sender.send_to(&geneve("10.9.9.9:65400", &vxlan(7, frame)), &geneve_door).unwrap();
        sent += 2;
    }
    let status = collector.wait_status("all packets", |status| received(status) == sent);
    let handed_over = status["packets"]["handed_over"].as_u64().unwrap();
    assert!(handed_over > sent / 2, "three of four packets come to another worker than theirs: {status}");
    assert_eq!(status["doors"]["vxlan"]["received"], sent / 2);
    let busy = status["workers"].as_array().unwrap().iter().all(|w| w["received"].as_u64().unwrap() > 100);
    assert!(busy, "{status}");
    let ended = collector.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    let records = ended.conn();
    assert_eq!(records.len(), 800, "two directions of a flow and two doors: {}", ended.said);
    // Which direction came first is not certain here: one may have waited with another worker.
    let packets =
        |record: &Value| record["orig_pkts"].as_u64().unwrap() + record["resp_pkts"].as_u64().unwrap();
    assert!(records.iter().all(|record| packets(record) == 2));
}

#[test]
fn what_workers_still_owe_each_other_at_the_stop_is_not_lost() {
    let collector = Collector::start(&format!("{CONFIG}receive.steering = \"rings\"\n"));
    let senders: Vec<UdpSocket> = (0..16).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let frames = frames(2_000);
    for (number, frame) in frames.iter().enumerate() {
        senders[number * 7 % 16].send_to(&vxlan(5, frame), &collector.receive).unwrap();
    }
    // At once: sockets and rings are still full of it.
    let ended = collector.stop();
    assert_eq!(ended.number("received"), frames.len() as u64, "{}", ended.said);
    assert_eq!(ended.number("decoded"), frames.len() as u64);
    assert_eq!(ended.conn().len(), 2_000);
}

#[test]
fn the_geneve_door_gives_the_same_records_and_counts_by_itself() {
    let collector = Collector::start(&format!("{CONFIG}receive.geneve = \"127.0.0.1:0\"\n"));
    let to = collector.geneve.clone().expect("the door's address is in the ready file");
    let senders: Vec<UdpSocket> = (0..16).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let frames = frames(100);
    for (number, frame) in frames.iter().enumerate() {
        let payload = geneve("10.9.9.9:65400", &vxlan(7, frame));
        senders[number * 7 % 16].send_to(&payload, &to).unwrap();
    }
    senders[0]
        .send_to(
            &vxlan(8, &ethernet(&udp("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap(), b""))),
            &collector.receive,
        )
        .unwrap();
    senders[0].send_to(b"not geneve", &to).unwrap();
    let all = frames.len() as u64 + 2;
    let status = collector.wait_status("all packets", |status| received(status) == all);
    assert_eq!(status["doors"]["geneve"]["received"], all - 1);
    assert_eq!(status["doors"]["vxlan"]["received"], 1);
    assert_eq!(status["packets"]["dropped"]["geneve"], 1);
    let metrics = collector.get("/metrics").1;
    let line = format!("enigma_collector_door_received_packets_total{{door=\"geneve\"}} {}", all - 1);
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    let ended = collector.stop();
    if refused(&ended.said) {
        return;
    }
    let records = ended.conn();
    let (mirrored, other): (Vec<&Value>, Vec<&Value>) =
        records.iter().partition(|record| record["enigma.vni"] == 7);
    assert_eq!((mirrored.len(), other.len()), (100, 1));
    // The source is who mirrored, which is inside; the load balancer's address is nobody's.
    assert!(
        mirrored.iter().all(|record| record["enigma.source_ip"] == "10.9.9.9" && record["resp_pkts"] == 1)
    );
}

/// The datagrams of a capture of mirror traffic, each with its outer source port. The capture is classic pcap of
/// Ethernet and IPv4 without options.
fn datagrams(capture: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(word(0), 0xa1b2_c3d4, "classic pcap of this byte order");
    let (mut at, mut all) = (24, Vec::new());
    while at < capture.len() {
        let frame = &capture[at + 16..at + 16 + word(at + 8)];
        at += 16 + frame.len();
        let udp = &frame[34..];
        let half = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
        if frame[23] == 17 && half(2) == 4789 {
            all.push((half(0), udp[8..usize::from(half(4))].to_vec()));
        }
    }
    all
}

/// What says the same about a flow live and offline: times and identifiers are the run's own.
fn facts(records: &[Value]) -> Vec<String> {
    let fields = [
        "id.orig_h",
        "id.orig_p",
        "id.resp_h",
        "id.resp_p",
        "proto",
        "orig_pkts",
        "resp_pkts",
        "orig_ip_bytes",
        "resp_ip_bytes",
        "enigma.vni",
    ];
    let mut facts: Vec<String> =
        records.iter().map(|record| fields.map(|field| record[field].to_string()).join(" ")).collect();
    facts.sort();
    facts
}

#[test]
fn real_mirror_traffic_gives_with_four_workers_what_one_pipeline_gives() {
    let Some(shared) = enigma_test_support::shared() else {
        enigma_test_support::skip::skip("no collection of captures (set ENIGMA_SHARED)");
        return;
    };
    // DNS answers of the VPC's resolver come from another outer port than the questions.
    let capture = shared.join("pcaps/suricata/vxlan-decoder-03__vxlan.pcap");
    compare(&capture, &datagrams(&std::fs::read(&capture).unwrap()));
}

fn compare(capture: &Path, datagrams: &[(u16, Vec<u8>)]) {
    let dir = tempfile::tempdir().unwrap();
    let output =
        program().arg("replay").arg(capture).args(["--mode", "vxlan", "--output"]).arg(dir.path()).output();
    assert_eq!(output.unwrap().status.code(), Some(0));
    let expected = facts(&records(dir.path()));
    let ports: std::collections::BTreeSet<u16> = datagrams.iter().map(|(port, _)| *port).collect();
    let senders: std::collections::BTreeMap<u16, UdpSocket> =
        ports.iter().map(|port| (*port, UdpSocket::bind("127.0.0.1:0").unwrap())).collect();
    assert!(senders.len() > 1, "one outer port proves nothing");
    let collector = Collector::start(CONFIG);
    for (port, payload) in datagrams {
        senders[port].send_to(payload, &collector.receive).unwrap();
    }
    collector.wait_status("all packets", |status| received(status) == datagrams.len() as u64);
    let ended = collector.stop();
    if refused(&ended.said) {
        return;
    }
    assert_eq!(facts(&ended.conn()), expected);
}

#[test]
fn tunnelled_ipv6_meets_too() {
    // IPv6 in IPv4 (protocol 41) and in UDP (Teredo, 3544): what is steered by is the packet that was mirrored, and flows
    // inside go with their tunnel.
    let mut capture = Capture::default();
    let mut sent = Vec::new();
    for n in 1..60_u8 {
        let hosts = [format!("10.3.0.{n}"), "10.4.0.1".to_owned()];
        for (from, to) in [(0, 1), (1, 0)] {
            // A flow of its own in each tunnel.
            let inside = |port: u16| {
                let ends = [format!("[2001:db8::{n:x}]:{port}"), "[2001:db8:1::1]:443".to_owned()];
                udp(ends[from].parse().unwrap(), ends[to].parse().unwrap(), b"inside")
            };
            let [from, to] = [from, to].map(|end: usize| hosts[end].clone());
            let in_ip = enigma_test_support::packets::ip(
                from.parse().unwrap(),
                to.parse().unwrap(),
                41,
                &inside(4_000),
            );
            let in_udp = udp(
                format!("{from}:3544").parse().unwrap(),
                format!("{to}:3544").parse().unwrap(),
                &inside(4_001),
            );
            for packet in [in_ip, in_udp] {
                mirror(&packet, &mut capture, &mut sent);
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tunnels.pcap");
    capture.write(&file).unwrap();
    compare(&file, &sent);
}

/// A packet as AWS mirrors it, into the capture and among what is sent: from one of AWS's ports, a millisecond after the last.
fn mirror(packet: &[u8], capture: &mut Capture, sent: &mut Vec<(u16, Vec<u8>)>) {
    let payload = vxlan(9, &ethernet(packet));
    let port = 65_408 + u16::try_from(sent.len() % 17).unwrap();
    let from = format!("10.9.9.9:{port}").parse().unwrap();
    let outer = udp(from, "10.8.8.8:4789".parse().unwrap(), &payload);
    capture.push(std::time::Duration::from_millis(sent.len() as u64), ethernet(&outer));
    sent.push((port, payload));
}

#[test]
fn flows_inside_an_overlay_meet_although_their_tunnels_have_other_ports_each_way() {
    // Two nodes of a cluster: each sends from a port that is a hash of what is inside, which differs by direction and by
    // host (RFC 7348 section 5, RFC 8926 section 3.3).
    let mut capture = Capture::default();
    let mut sent = Vec::new();
    for n in 1..60_u16 {
        let (nodes, pods) = (["10.3.0.1", "10.4.0.1"], ["10.244.1.5", "10.244.2.7"]);
        for (from, to) in [(0, 1), (1, 0)] {
            let ports = [40_000 + n, 443];
            let pod = |end: usize| format!("{}:{}", pods[end], ports[end]).parse().unwrap();
            let frame = ethernet(&udp(pod(from), pod(to), b"inside"));
            let source = format!("{}:{}", nodes[from], [51_234, 60_011][from] + 3 * n);
            let node = |port: u16| format!("{}:{port}", nodes[to]).parse().unwrap();
            // GENEVE with a frame in it and no options (protocol 0x6558).
            let geneve = [&[0, 0, 0x65, 0x58, 0, 0, 9, 0][..], &frame].concat();
            for packet in [
                udp(source.parse().unwrap(), node(4789), &vxlan(77, &frame)),
                udp(source.parse().unwrap(), node(6081), &geneve),
            ] {
                mirror(&packet, &mut capture, &mut sent);
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("overlay.pcap");
    capture.write(&file).unwrap();
    compare(&file, &sent);
}
