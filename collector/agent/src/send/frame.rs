//! A captured frame as the Ethernet frame a mirror session carries, and the hash of its flow.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use enigma_wire::{LinkType, Transport, packet};

/// Destination and source of a header made up for a packet that came without one: locally administered, so that they
/// cannot be a vendor's.
const ADDRESSES: [u8; 12] = [0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1];

/// Appends the frame with an Ethernet header: its own, or one made for raw IP, Linux cooked and loopback captures.
/// `false` where none can be made.
pub(super) fn append_ethernet(link: u16, data: &[u8], out: &mut Vec<u8>) -> bool {
    let made = match LinkType::from_pcap(link) {
        LinkType::Ethernet => Some((None, data)),
        LinkType::RawIp => ip_type(data).map(|kind| (Some(kind), data)),
        // Protocol at 14 of 16 bytes; at 0 of 20 (tcpdump.org, LINKTYPE_LINUX_SLL and SLL2).
        LinkType::LinuxSll => {
            data.split_at_checked(16).map(|(header, rest)| (Some([header[14], header[15]]), rest))
        }
        LinkType::LinuxSll2 => {
            data.split_at_checked(20).map(|(header, rest)| (Some([header[0], header[1]]), rest))
        }
        LinkType::Null | LinkType::Loop => {
            data.get(4..).and_then(|rest| ip_type(rest).map(|kind| (Some(kind), rest)))
        }
        _ => None,
    };
    let Some((kind, rest)) = made else { return false };
    if let Some(kind) = kind {
        out.extend_from_slice(&ADDRESSES);
        out.extend_from_slice(&kind);
    }
    out.extend_from_slice(rest);
    true
}

fn ip_type(packet: &[u8]) -> Option<[u8; 2]> {
    match packet.first()? >> 4 {
        4 => Some([0x08, 0x00]),
        6 => Some([0x86, 0xdd]),
        _ => None,
    }
}

/// Of addresses, protocol and (for TCP, UDP and ICMP) ports, in the packet's direction; 0 for what is not IP. AWS:
/// "5-tuple hash for TCP/UDP/ICMP, 3-tuple hash for everything else" (traffic-mirroring-packet-formats).
pub(super) fn hash(frame: &[u8]) -> u16 {
    let Ok(packet) =
        packet::decode(frame, LinkType::Ethernet, u32::try_from(frame.len()).unwrap_or(u32::MAX))
    else {
        return 0;
    };
    let mut hasher = DefaultHasher::new();
    (packet.source, packet.destination, packet.protocol).hash(&mut hasher);
    match packet.transport {
        Transport::Tcp(tcp) => (tcp.source_port, tcp.destination_port).hash(&mut hasher),
        Transport::Udp(udp) => (udp.source_port, udp.destination_port).hash(&mut hasher),
        Transport::Icmp(icmp) => (icmp.kind, icmp.code).hash(&mut hasher),
        _ => {}
    }
    // The low bits of a good hash are as good as any.
    (hasher.finish() & 0xffff) as u16
}
