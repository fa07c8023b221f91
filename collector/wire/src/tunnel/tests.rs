use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::packet;

/// IPv4 of `protocol` around `payload`, as a raw packet.
fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len() as u16).to_be_bytes();
    let head = [0x45, 0, len[0], len[1], 0, 1, 0, 0, 64, protocol, 0, 0];
    [&head[..], &[10, 0, 0, 1], &[10, 0, 0, 2], payload].concat()
}

fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len() as u16).to_be_bytes();
    let (source, destination) = (source.to_be_bytes(), destination.to_be_bytes());
    ipv4(17, &[&source[..], &destination, &len, &[0, 0], payload].concat())
}

fn ipv6(payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0, len[0], len[1], 59, 64][..], &[1; 32], payload].concat()
}

/// Kind, link and length of what is inside.
fn found(bytes: &[u8]) -> Option<(TunnelKind, LinkType, usize)> {
    let packet = packet::decode(bytes, LinkType::RawIp, bytes.len() as u32).unwrap();
    inside(&packet).map(|inside| (inside.kind, inside.link, inside.data.len()))
}

#[test]
fn tunnels_between_hosts_are_known_by_protocol() {
    let inner = ipv4(17, &[0; 8]);
    assert_eq!(found(&ipv4(4, &inner)), Some((TunnelKind::Ip, LinkType::RawIp, 28)));
    assert_eq!(found(&ipv4(41, &ipv6(b""))), Some((TunnelKind::Ip, LinkType::RawIp, 40)));
    assert_eq!(found(&ipv4(4, &[0x15; 28])), None);
    let gre = |flags: u16, protocol: u16, options: usize, inner: &[u8]| {
        ipv4(47, &[&flags.to_be_bytes()[..], &protocol.to_be_bytes(), &vec![0; options], inner].concat())
    };
    for (packet, link, len) in [
        (gre(0, 0x0800, 0, &inner), LinkType::RawIp, 28),
        (gre(0xb000, 0x86dd, 12, &ipv6(b"")), LinkType::RawIp, 40),
        (gre(0x2000, 0x6558, 4, &[0; 60]), LinkType::Ethernet, 60),
        (gre(0x3081, 0x880b, 12, &[0xff, 3, 0, 0x21]), LinkType::Ppp, 4),
        // ERSPAN I, II, and III with and without the platform's header.
        (gre(0, 0x88be, 0, &[0; 60]), LinkType::Ethernet, 60),
        (gre(0x1000, 0x88be, 4, &[0; 68]), LinkType::Ethernet, 60),
        (gre(0x1000, 0x22eb, 4, &[0; 72]), LinkType::Ethernet, 60),
        (gre(0x1000, 0x22eb, 4, &[&[0; 11][..], &[1], &[0; 68]].concat()), LinkType::Ethernet, 60),
    ] {
        assert_eq!(found(&packet), Some((TunnelKind::Gre, link, len)));
    }
    for refused in [gre(0x4000, 0x0800, 0, &inner), gre(2, 0x0800, 0, &inner), gre(0, 0x88cc, 0, &inner)] {
        assert_eq!(found(&refused), None);
    }
}

#[test]
fn tunnels_in_udp_are_known_by_port_and_a_sound_header() {
    let inner = ipv4(17, &[0; 8]);
    let with = |head: &[u8], inner: &[u8]| [head, inner].concat();
    let vxlan = udp(1, 4789, &with(&[8, 0, 0, 0, 0, 0, 7, 0], &[0; 60]));
    assert_eq!(found(&vxlan), Some((TunnelKind::Vxlan, LinkType::Ethernet, 60)));
    let geneve = udp(1, 6081, &with(&[1, 0, 0x08, 0, 0, 0, 7, 0, 1, 2, 3, 4], &inner));
    assert_eq!(found(&geneve), Some((TunnelKind::Geneve, LinkType::RawIp, 28)));
    let v6 = ipv6(b"data");
    let bubble = [&[0, 1, 0, 0][..], &[9; 9], &[0, 0, 1, 2, 3, 4, 5, 6]].concat();
    for teredo in [udp(3544, 9, &v6), udp(9, 3544, &with(&[0; 8], &v6)), udp(9, 3544, &with(&bubble, &v6))] {
        assert_eq!(found(&teredo), Some((TunnelKind::Teredo, LinkType::RawIp, 44)));
    }
    assert_eq!(found(&udp(9, 3544, &with(&v6, b"more"))), None);
    let gtp = |flags: u8, kind: u8, rest: &[u8]| {
        udp(9, 2152, &[&[flags, kind, 0, 0, 0, 0, 0, 1][..], rest].concat())
    };
    let plain = Some((TunnelKind::Gtpv1, LinkType::RawIp, 28));
    assert_eq!(found(&gtp(0x30, 0xff, &inner)), plain);
    assert_eq!(found(&gtp(0x32, 0xff, &with(&[0; 4], &inner))), plain);
    let chain = with(&[0, 0, 0, 0x85, 1, 0, 0, 0x40, 1, 0, 0, 0], &inner);
    assert_eq!(found(&gtp(0x34, 0xff, &chain)), plain);
    assert_eq!(found(&gtp(0x34, 0xff, &with(&[0, 0, 0, 0x85, 0, 0, 0, 0], &inner))), None);
    assert_eq!(found(&gtp(0x30, 1, &inner)), None);
    assert_eq!(found(&udp(9, 53, &inner)), None);
}

proptest! {
    #[test]
    fn anything_is_looked_into_without_panic_and_what_is_inside_is_the_end_of_the_packet(
        protocol in prop::sample::select(vec![4_u8, 17, 41, 47]),
        port in prop::sample::select(vec![2152_u16, 3544, 4754, 4789, 6081]),
        bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(0x30), Just(0x45), any::<u8>()], 0..80),
    ) {
        let packet = if protocol == 17 { udp(1, port, &bytes) } else { ipv4(protocol, &bytes) };
        let packet = packet::decode(&packet, LinkType::RawIp, packet.len() as u32).unwrap();
        if let Some(inside) = inside(&packet) {
            prop_assert!(packet.payload.ends_with(inside.data));
        }
    }
}
