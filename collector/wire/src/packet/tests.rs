use std::vec::Vec;

use super::*;
use crate::{Icmp, Layer, Ports, Problem, Udp};

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &ether_type.to_be_bytes(), payload].concat()
}

fn ipv4(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len() as u16).to_be_bytes();
    let fragment = fragment.to_be_bytes();
    let head = [0x45, 0, len[0], len[1], 0x12, 0x34, fragment[0], fragment[1], 64, protocol, 0, 0];
    [&head[..], &[10, 0, 0, 1], &[10, 0, 0, 2], payload].concat()
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    let mut packet = [0x60, 0, 0, 0, len[0], len[1], next, 64].to_vec();
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(payload);
    packet
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len() as u16).to_be_bytes();
    [&[0, 53, 0x10, 0x92, len[0], len[1], 0, 0][..], payload].concat()
}

fn decoded(frame: &[u8]) -> Packet<'_> {
    decode(frame, LinkType::Ethernet, frame.len() as u32).unwrap()
}

fn refused(frame: &[u8]) -> DecodeError {
    decode(frame, LinkType::Ethernet, frame.len() as u32).unwrap_err()
}

fn ports_53() -> Transport {
    Transport::Udp(Udp { source_port: 53, destination_port: 0x1092, payload_len: 2 })
}

#[test]
fn padding_of_a_short_ethernet_frame_is_not_payload() {
    let mut frame = ethernet(0x0800, &ipv4(17, 0x4000, &udp(b"hi")));
    frame.resize(60, 0xee);
    let packet = decoded(&frame);
    assert_eq!((packet.transport, packet.payload, packet.total_len), (ports_53(), &b"hi"[..], 30));
    assert_eq!((packet.truncated, packet.fragment), (false, None));
    assert_eq!(packet.source_ip(), IpAddr::from([10, 0, 0, 1]));
}

#[test]
fn a_cut_packet_keeps_the_length_of_its_header_and_is_flagged() {
    let frame = ethernet(0x0800, &ipv4(17, 0, &udp(&[7; 500])));
    let packet = decoded(&frame[..64]);
    assert!(packet.truncated);
    assert_eq!((packet.total_len, packet.payload.len()), (528, 64 - 14 - 28));
    assert!(matches!(packet.transport, Transport::Udp(Udp { payload_len: 500, .. })));
}

#[test]
fn vlan_tags_up_to_two_are_kept_and_more_are_passed() {
    let inner =
        [&[0x60, 7, 0x81, 0][..], &[0, 8, 0x88, 0xa8], &[0, 9, 0x08, 0], &ipv4(17, 0, &udp(b"hi"))].concat();
    let frame = ethernet(0x88a8, &inner);
    let packet = decoded(&frame);
    assert_eq!(packet.vlans, Vlans { outer: Some(7), inner: Some(8) });
    assert_eq!(packet.transport, ports_53());
}

#[test]
fn endless_tags_are_given_up() {
    let frame = ethernet(0x8100, &[0, 1, 0x81, 0].repeat(20));
    assert_eq!((refused(&frame).layer, refused(&frame).problem), (Layer::Tag, Problem::Depth));
    let labels = ethernet(0x8847, &[0, 1, 0, 64].repeat(20));
    assert_eq!((refused(&labels).layer, refused(&labels).problem), (Layer::Tag, Problem::Depth));
}

#[test]
fn what_stands_between_ethernet_and_ip_is_passed() {
    let ip = ipv4(17, 0, &udp(b"hi"));
    let mpls = [&[0, 1, 0, 64, 0, 2, 1, 64][..], &ip].concat();
    let pppoe = [&[0x11, 0, 0, 1, 0, 32, 0, 0x21][..], &ip].concat();
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &ip].concat();
    let vntag = [&[0, 0, 0, 1, 8, 0][..], &ip].concat();
    for (ether_type, payload) in [(0x8847, mpls), (0x8864, pppoe), (snap.len() as u16, snap), (0x8926, vntag)]
    {
        let frame = ethernet(ether_type, &payload);
        assert_eq!(decoded(&frame).transport, ports_53(), "{ether_type:#x}");
    }
}

#[test]
fn every_link_type_finds_the_same_packet() {
    let ip = ipv4(17, 0, &udp(b"hi"));
    let with = |head: &[u8]| [head, &ip].concat();
    let sll = with(&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0]);
    let sll2 = with(&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
    for (number, frame) in [
        (0, with(&[2, 0, 0, 0])),
        (0, with(&[0, 0, 0, 2])),
        (9, with(&[0xff, 3, 0, 0x21])),
        (9, with(&[0x21])),
        (12, ip.clone()),
        (101, ip.clone()),
        (104, with(&[15, 0, 8, 0])),
        (108, with(&[0, 0, 0, 2])),
        (113, sll),
        (228, ip.clone()),
        (276, sll2),
    ] {
        let packet = decode(&frame, LinkType::from_pcap(number), frame.len() as u32).unwrap();
        assert_eq!((packet.transport, packet.payload), (ports_53(), &b"hi"[..]), "link type {number}");
    }
    let error = decode(&ip, LinkType::from_pcap(147), ip.len() as u32).unwrap_err();
    assert_eq!((error.layer, error.problem, error.have), (Layer::Link, Problem::Unsupported, 147));
}

#[test]
fn arp_and_other_protocols_are_told_apart() {
    assert_eq!(refused(&ethernet(0x0806, &[0; 28])).layer, Layer::Arp);
    let lldp = refused(&ethernet(0x88cc, &[0; 28]));
    assert_eq!((lldp.layer, lldp.problem, lldp.have), (Layer::Network, Problem::Unsupported, 0x88cc));
    let spanning_tree = refused(&ethernet(38, &[0x42, 0x42, 3, 0, 0, 0, 0]));
    assert_eq!((spanning_tree.layer, spanning_tree.problem), (Layer::Network, Problem::Unsupported));
}

/// RFC 8200 section 4: each header names the next; lengths count eights beyond the first eight.
#[test]
fn ipv6_extension_headers_are_walked_to_the_transport() {
    let chain = [&[60, 0, 1, 4, 0, 0, 0, 0][..], &[43, 1], &[0; 14], &[51, 0, 4, 0, 0, 0, 0, 0], &[17, 4]];
    let chain = [&chain.concat()[..], &[0; 22], &udp(b"hi")].concat();
    let frame = ethernet(0x86dd, &ipv6(0, &chain));
    let packet = decoded(&frame);
    assert_eq!((packet.protocol, packet.transport), (17, ports_53()));
    assert_eq!(packet.total_len, 40 + chain.len() as u32);
}

#[test]
fn cut_and_endless_extension_headers_are_refused() {
    let cut = refused(&ethernet(0x86dd, &ipv6(0, &[17, 9, 0, 0, 0, 0, 0, 0])));
    assert_eq!((cut.layer, cut.problem, cut.need), (Layer::IpExtensions, Problem::Short, 80));
    let endless = refused(&ethernet(0x86dd, &ipv6(60, &[60, 0, 1, 4, 0, 0, 0, 0].repeat(40))));
    assert_eq!((endless.layer, endless.problem), (Layer::IpExtensions, Problem::Depth));
}

#[test]
fn fragments_are_described_and_only_the_first_has_ports() {
    let head = ethernet(0x0800, &ipv4(17, 0x2000, &udp(b"hi")));
    let head = decoded(&head);
    assert_eq!(head.fragment, Some(Fragment { id: 0x1234, offset: 0, more: true }));
    assert_eq!(head.transport, ports_53());
    let tail = ethernet(0x0800, &ipv4(17, 0x0002, b"rest"));
    let tail = decoded(&tail);
    assert_eq!(tail.fragment, Some(Fragment { id: 0x1234, offset: 16, more: false }));
    assert_eq!((tail.transport, tail.payload), (Transport::FragmentTail, &b"rest"[..]));

    let v6 = |bits: u16, payload: &[u8]| {
        let bits = bits.to_be_bytes();
        let fragment = [&[17, 0, bits[0], bits[1], 0xde, 0xad, 0xbe, 0xef][..], payload].concat();
        ethernet(0x86dd, &ipv6(44, &fragment))
    };
    let tail = v6(0x0010, b"rest");
    assert_eq!(decoded(&tail).fragment, Some(Fragment { id: 0xdead_beef, offset: 16, more: false }));
    // RFC 6946: a fragment header around a whole packet changes nothing.
    let atomic = v6(0, &udp(b"hi"));
    assert_eq!((decoded(&atomic).fragment, decoded(&atomic).transport), (None, ports_53()));
}

#[test]
fn lengths_of_zero_mean_the_captured_length() {
    let mut v4 = ipv4(
        6,
        0,
        &[&[0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 0, 1, 0, 0, 0, 0][..], &[1; 70_000]].concat(),
    );
    v4[2..4].copy_from_slice(&[0, 0]);
    let frame = ethernet(0x0800, &v4);
    let packet = decoded(&frame);
    assert_eq!(packet.total_len, 40 + 70_000);
    assert!(matches!(packet.transport, Transport::Tcp(tcp) if tcp.payload_len == 70_000));
    // Cut by the capture: the wire's length counts.
    let packet = decode(&frame[..100], LinkType::Ethernet, frame.len() as u32).unwrap();
    assert_eq!((packet.total_len, packet.truncated), (70_040, true));

    let mut v6 = ipv6(17, &udp(&[1; 200]));
    v6[4..6].copy_from_slice(&[0, 0]);
    let frame = ethernet(0x86dd, &v6);
    assert_eq!(decoded(&frame).total_len, 40 + 208);
    // But a packet without payload, padded to Ethernet's minimum, has none.
    let mut empty = ethernet(0x86dd, &ipv6(59, &[]));
    empty.resize(60, 0);
    assert_eq!(decoded(&empty).total_len, 40);
}

#[test]
fn icmp_and_sctp_headers_are_read() {
    let echo = ethernet(0x0800, &ipv4(1, 0, &[8, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3]));
    assert_eq!(decoded(&echo).transport, Transport::Icmp(Icmp { kind: 8, code: 0, payload_len: 3 }));
    // ICMP's number in IPv6 is not ICMPv6.
    let other = ethernet(0x86dd, &ipv6(1, &[8, 0, 0, 0, 0, 1, 0, 1]));
    assert_eq!(decoded(&other).transport, Transport::Other);
    let sctp = ethernet(0x0800, &ipv4(132, 0, &[0, 7, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 1]));
    assert_eq!(decoded(&sctp).transport, Transport::Sctp(Ports { source: 7, destination: 9 }));
}

#[test]
fn headers_that_contradict_themselves_are_refused_where_they_do() {
    let tcp = |offset: u8| [0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, offset << 4, 2, 0, 0, 0, 0, 0, 0];
    let short_offset = refused(&ethernet(0x0800, &ipv4(6, 0, &tcp(4))));
    assert_eq!(
        (short_offset.layer, short_offset.problem, short_offset.have),
        (Layer::Tcp, Problem::Length, 16)
    );
    assert_eq!(short_offset.offset, 34);
    let long_offset = refused(&ethernet(0x0800, &ipv4(6, 0, &tcp(15))));
    assert_eq!((long_offset.layer, long_offset.problem, long_offset.need), (Layer::Tcp, Problem::Length, 60));
    let mut tiny = ipv4(17, 0, &udp(b"hi"));
    tiny[2..4].copy_from_slice(&[0, 19]);
    let tiny = refused(&ethernet(0x0800, &tiny));
    assert_eq!((tiny.layer, tiny.problem, tiny.have, tiny.offset), (Layer::Ipv4, Problem::Length, 19, 14));
    let version = refused(&ethernet(0x0800, &[0x35; 40]));
    assert_eq!((version.layer, version.problem, version.have), (Layer::Network, Problem::Value, 3));
}

#[test]
fn every_prefix_of_a_packet_is_read_or_refused_for_being_short() {
    let frame = ethernet(0x0800, &ipv4(17, 0, &udp(b"hi")));
    for len in 0..frame.len() {
        match decode(&frame[..len], LinkType::Ethernet, frame.len() as u32) {
            Ok(packet) => assert!(packet.truncated && len >= 42, "{len}"),
            Err(error) => assert!(error.problem == Problem::Short && len < 42, "{len}: {error}"),
        }
    }
}
