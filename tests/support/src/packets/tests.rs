//! The bytes against known ones and against tshark, which did not learn packets from us.

use std::process::Command;
use std::time::Duration;

use super::*;
use crate::skip::skip;
use crate::tools;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Takes the checksum over a message that contains its own: 0 when right (RFC 1071 section 1).
fn residue(packet: &[u8], header: usize, from: &str, to: &str, protocol: u8) -> u16 {
    transport_checksum(address(from).ip(), address(to).ip(), protocol, &packet[header..])
}

#[test]
fn checksum_of_the_example_in_rfc_1071() {
    assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
}

#[test]
fn checksums_prove_themselves() {
    let (from, to) = ("10.0.0.1:1000", "10.0.0.2:53");
    let packet = udp(address(from), address(to), b"odd");
    assert_eq!(checksum(&[&packet[..20]]), 0);
    assert_eq!(residue(&packet, 20, from, to, UDP), 0);
    let (from, to) = ("[fd00::1]:1000", "[fd00::2]:443");
    let segment = Segment { seq: 7, ack: 9, flags: flags::ACK, payload: b"data!" };
    let packet = tcp(address(from), address(to), &segment);
    assert_eq!(residue(&packet, 40, from, to, TCP), 0);
    assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len() - 40);
}

#[test]
fn vxlan_header_has_the_flag_and_24_bits() {
    assert_eq!(vxlan(0x12_3456, &[9]), [8, 0, 0, 0, 0x12, 0x34, 0x56, 0, 9]);
}

#[test]
fn vlan_tag_stands_before_the_ether_type() {
    let frame = ethernet_vlan(42, &udp(address("10.0.0.1:1"), address("10.0.0.2:2"), &[]));
    assert_eq!(frame[12..18], [0x81, 0, 0, 42, 8, 0]);
}

#[test]
fn tshark_sees_two_healthy_conversations_inside_vxlan() {
    let tshark = match tools::tool("tshark") {
        Ok(path) => path,
        Err(missing) => return skip(missing),
    };
    let mut capture = Capture::default();
    for (client, server) in [("10.1.0.1:40000", "10.1.0.2:80"), ("[fd00::1]:40001", "[fd00::2]:80")] {
        let exchange = Exchange {
            client: address(client),
            server: address(server),
            request: b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
            response: &[b'x'; 4_000],
            start: Duration::from_secs(1_700_000_000),
            gap: Duration::from_millis(2),
        };
        for (time, frame) in tcp_conversation(&exchange) {
            let outer = udp(address("10.9.0.1:50000"), address("10.9.0.2:4789"), &vxlan(77, &frame));
            capture.push(time, ethernet(&outer));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made.pcap");
    capture.write(&path).unwrap();
    let fields = ["vxlan.vni", "tcp.checksum.status", "udp.checksum.status", "ip.checksum.status"];
    let mut command = Command::new(tshark);
    command.arg("-r").arg(&path).args(["-T", "fields", "-E", "occurrence=a"]);
    for option in ["tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "ip.check_checksum:TRUE"] {
        command.args(["-o", option]);
    }
    for field in fields.iter().chain(&["_ws.expert.severity"]) {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), capture.len(), "{}", String::from_utf8_lossy(&output.stderr));
    // Status 1 is "good"; severity 0x00600000 (6291456) is a warning and 0x00800000 an error.
    for line in text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        assert_eq!(columns[0], "77", "{line}");
        assert_eq!(columns[1], "1", "{line}");
        assert_eq!(columns[2], "1", "{line}");
        assert!(columns[3] == "1,1" || columns[3] == "1", "{line}");
        assert!(!columns[4].contains("6291456") && !columns[4].contains("8388608"), "{line}");
    }
}
