use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::{Transport, packet};

fn frame(ether_type: &[u8], body: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], ether_type, body].concat()
}

fn ipv4(protocol: u8, fragment: u8, payload: &[u8]) -> Vec<u8> {
    let head = [0x45, 0, 0, 20 + payload.len() as u8, 0, 1, 0, fragment, 64, protocol, 0, 0];
    [&head[..], &[10, 0, 0, 1], &[10, 0, 0, 2], payload].concat()
}

fn ip_of(frame: &[u8]) -> Ip {
    match read(frame, LinkType::Ethernet).network {
        Network::Ip(ip) => ip,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_broken_transport_header_hides_neither_addresses_nor_ports() {
    // A TCP header that says it has four bytes, in a packet that says it has twenty.
    let tcp = [0, 80, 0x10, 0x92, 0, 0, 0, 1, 0, 0, 0, 0, 0x10, 2, 0, 0, 0, 0, 0, 0];
    let mut broken = frame(&[8, 0], &ipv4(6, 0, &tcp));
    broken[17] = 20;
    assert!(packet::decode(&broken, LinkType::Ethernet, broken.len() as u32).is_err());
    let ip = ip_of(&broken);
    assert_eq!((ip.source, ip.destination, ip.protocol), (0x0a00_0001, 0x0a00_0002, 6));
    assert_eq!(ip.ports, Some((80, 0x1092)));
    // By its header it is shorter than it is.
    assert_eq!(read(&broken, LinkType::Ethernet).length, 34);
    // Its tail has none, and neither has a protocol without.
    assert_eq!(ip_of(&frame(&[8, 0], &ipv4(6, 1, &tcp))).ports, None);
    assert_eq!(ip_of(&frame(&[8, 0], &ipv4(47, 0, &tcp))).ports, None);
    // Cut behind the addresses.
    assert_eq!(ip_of(&broken[..34]).ports, None);
    assert_eq!(read(&broken[..33], LinkType::Ethernet).network, Network::Other);
}

#[test]
fn arp_is_read_behind_tags_as_well() {
    let arp =
        [&[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1][..], &[10, 0, 0, 1], &[0; 6], &[10, 0, 0, 2]].concat();
    let addresses = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    let plain = read(&frame(&[8, 6], &arp), LinkType::Ethernet);
    assert_eq!((plain.network, plain.vlans), (Network::Arp(addresses.0, addresses.1), Vlans::default()));
    let tagged = read(&frame(&[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7, 0x80, 0x35], &arp), LinkType::Ethernet);
    assert_eq!(tagged.network, Network::Rarp(addresses.0, addresses.1));
    assert_eq!(tagged.vlans, Vlans { outer: Some(9), inner: Some(7) });
    assert_eq!(read(&frame(&[8, 6], &arp[..27]), LinkType::Ethernet).network, Network::Other);
    assert_eq!(read(&frame(&[0x12, 0x34], &arp), LinkType::Ethernet), Outline::default());
}

#[test]
fn ipv6_tells_what_stands_first_and_what_is_behind_it() {
    let mut packet = [&[0x60, 0, 0, 0, 0, 20, 44, 64][..], &[0xfd; 16], &[0xfe; 16]].concat();
    // A first fragment of UDP, then a later one.
    for (offset, ports) in [(0, Some((53, 0x1092))), (8, None)] {
        packet.truncate(40);
        packet.extend([17, 0, 0, offset | 1, 0, 0, 0, 7]);
        packet.extend([0, 53, 0x10, 0x92, 0, 12, 0, 0, 1, 2, 3, 4]);
        let ip = ip_of(&frame(&[0x86, 0xdd], &packet));
        let tagged = frame(&[0x81, 0, 0, 7, 0x86, 0xdd], &packet[..41]);
        assert_eq!(read(&tagged, LinkType::Ethernet).length, 18 + 60, "cut behind its header");
        assert_eq!((ip.announced, ip.protocol, ip.ports), (44, 17, ports));
        assert_eq!(ip.destination, u128::from_be_bytes([0xfe; 16]));
    }
}

proptest! {
    /// What the packet path reads, this reads alike; it only reads more.
    #[test]
    fn agrees_with_the_decoder_wherever_that_can_read(
        head in prop_oneof![
            Just([&[0; 12][..], &[0x08, 0, 0x45]].concat()),
            Just([&[0; 12][..], &[0x86, 0xdd, 0x60]].concat()),
            Just([&[0; 12][..], &[0x81, 0, 0, 1, 0x08, 0, 0x46]].concat()),
        ],
        tail in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..64], 0..200),
    ) {
        let frame = [head, tail].concat();
        let outline = read(&frame, LinkType::Ethernet);
        if let Ok(packet) = packet::decode(&frame, LinkType::Ethernet, frame.len() as u32) {
            let Network::Ip(ip) = outline.network else { panic!("{outline:?}") };
            prop_assert_eq!(
                (ip.version, ip.source, ip.destination, ip.protocol, outline.vlans),
                (packet.version, packet.source, packet.destination, packet.protocol, packet.vlans)
            );
            let ports = match packet.transport {
                Transport::Tcp(tcp) => Some((tcp.source_port, tcp.destination_port)),
                Transport::Udp(udp) => Some((udp.source_port, udp.destination_port)),
                Transport::Sctp(ports) => Some((ports.source, ports.destination)),
                _ => None,
            };
            prop_assert_eq!(ip.ports, ports);
            let at = outline.vlans.outer.map_or(14, |_| 18);
            prop_assert!(outline.length == 0 || outline.length == at + packet.total_len);
        }
    }
}
