//! The decoder on bytes nobody meant, and beside another reader.

use std::vec::Vec;

use etherparse::{LaxNetSlice, LaxSlicedPacket, PacketBuilder, TransportSlice};
use proptest::prelude::*;

use super::*;
use crate::{decap, geneve, vxlan};

const LINKS: [u16; 9] = [0, 1, 9, 101, 104, 108, 113, 147, 276];

/// Frames that are nearly right, so that bytes reach the deep layers.
fn nearly_a_packet() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        Just([&[0; 12][..], &[0x08, 0, 0x45]].concat()),
        Just([&[0; 12][..], &[0x86, 0xdd, 0x60]].concat()),
        Just([&[0; 12][..], &[0x81, 0, 0, 1, 0x88, 0x47, 0, 0, 1, 0, 0x45]].concat()),
        Just(Vec::new()),
    ];
    // Small numbers are header kinds and lengths more often than uniform ones.
    let byte = prop_oneof![any::<u8>(), 0_u8..64];
    (head, prop::collection::vec(byte, 0..200)).prop_map(|(head, tail)| [head, tail].concat())
}

proptest! {
    #[test]
    fn nothing_panics_and_no_view_is_longer_than_its_bytes(frame in nearly_a_packet(), wire_len in any::<u32>()) {
        for link in LINKS.map(LinkType::from_pcap) {
            if let Ok(packet) = decode(&frame, link, wire_len) {
                prop_assert!(packet.payload.len() <= frame.len());
                prop_assert!(packet.payload.len() <= packet.total_len as usize);
            }
            let _ = decap::frame(&frame, link, wire_len);
        }
        let _ = (vxlan::decode(&frame), geneve::decode(&frame), decap::geneve(&frame, wire_len));
    }

    #[test]
    fn errors_point_into_the_frame(frame in nearly_a_packet()) {
        if let Err(error) = decode(&frame, LinkType::Ethernet, frame.len() as u32) {
            prop_assert!(error.offset as usize <= frame.len() + 8, "{error}");
            if error.problem == crate::Problem::Short {
                prop_assert!(error.have < error.need, "{error}");
            }
        }
    }

    /// etherparse reads what both read the same way.
    #[test]
    fn agrees_with_etherparse(
        source: [u8; 16], destination: [u8; 16], v6: bool, tcp: bool, ports: (u16, u16),
        sequence: u32, vlan in prop::option::of(0_u16..4096), payload in prop::collection::vec(any::<u8>(), 0..64),
        cut in 0_usize..200,
    ) {
        let link = PacketBuilder::ethernet2([1; 6], [2; 6]);
        let first4 = |bytes: [u8; 16]| [bytes[0], bytes[1], bytes[2], bytes[3]];
        let ip = match vlan {
            Some(id) => {
                let tagged = link.single_vlan(id.try_into().unwrap());
                if v6 { tagged.ipv6(source, destination, 9) } else { tagged.ipv4(first4(source), first4(destination), 9) }
            }
            None if v6 => link.ipv6(source, destination, 9),
            None => link.ipv4(first4(source), first4(destination), 9),
        };
        let mut frame = std::vec![0; 256];
        let len = if tcp {
            ip.tcp(ports.0, ports.1, sequence, 512).ack(7).write_to_slice(&mut frame, &payload).unwrap()
        } else {
            ip.udp(ports.0, ports.1).write_to_slice(&mut frame, &payload).unwrap()
        };
        frame.truncate(len);
        let whole = frame.len() as u32;
        frame.truncate(cut.max(14));
        let theirs = LaxSlicedPacket::from_ethernet(&frame).unwrap();
        let ours = decode(&frame, LinkType::Ethernet, whole);
        if let (Some(transport), Ok(ours)) = (&theirs.transport, &ours) {
            match (transport, ours.transport) {
                (TransportSlice::Tcp(theirs), Transport::Tcp(ours)) => {
                    prop_assert_eq!(theirs.source_port(), ours.source_port);
                    prop_assert_eq!(theirs.destination_port(), ours.destination_port);
                    prop_assert_eq!(theirs.sequence_number(), ours.sequence);
                    prop_assert_eq!(theirs.acknowledgment_number(), ours.acknowledgement);
                    prop_assert_eq!(theirs.window_size(), ours.window);
                    prop_assert_eq!(payload.len() as u32, ours.payload_len);
                }
                (TransportSlice::Udp(theirs), Transport::Udp(ours)) => {
                    prop_assert_eq!(theirs.source_port(), ours.source_port);
                    prop_assert_eq!(theirs.destination_port(), ours.destination_port);
                    prop_assert_eq!(payload.len() as u32, ours.payload_len);
                }
                other => prop_assert!(false, "{other:?}"),
            }
            let addresses: (IpAddr, IpAddr) = match theirs.net.as_ref() {
                Some(LaxNetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
                Some(LaxNetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
                _ => return Err(TestCaseError::fail("no network layer")),
            };
            prop_assert_eq!(addresses, (ours.source_ip(), ours.destination_ip()));
            prop_assert_eq!(ours.vlans.outer, vlan);
        } else {
            // Where theirs finds a transport header ours must too, and the other way round.
            prop_assert_eq!(theirs.transport.is_some(), ours.is_ok());
        }
    }
}
