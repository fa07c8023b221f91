//! Frames and capture files made by our own code, so that a test's input can be read in the test.
//!
//! Every function returns whole bytes with right lengths and checksums; what a test wants wrong it breaks afterwards.
//! Formats: Ethernet (IEEE 802.3, 802.1Q), IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768), TCP (RFC 9293), VXLAN
//! (RFC 7348) and the classic capture file (draft-ietf-opsawg-pcap). Meant for tests only: it allocates freely.

mod capture;
mod conversation;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use capture::Capture;
pub use conversation::{Exchange, tcp_conversation, udp_exchange};

/// TCP's flags as bits of the header's byte 13.
pub mod flags {
    /// The acknowledgment field is significant.
    pub const ACK: u8 = 0x10;
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Push function.
    pub const PSH: u8 = 0x08;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;

/// The fields of a TCP segment that tests care about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment<'a> {
    /// Sequence number of the first byte.
    pub seq: u32,
    /// Acknowledgment number; 0 where [`flags::ACK`] is not set.
    pub ack: u32,
    /// Bits of [`flags`].
    pub flags: u8,
    /// The data.
    pub payload: &'a [u8],
}

/// Returns an Ethernet frame around an IP packet, with the EtherType of the packet's version and made-up local
/// addresses.
#[must_use]
pub fn ethernet(packet: &[u8]) -> Vec<u8> {
    frame(&[], ether_type(packet), packet)
}

/// Returns an Ethernet frame with one 802.1Q tag around an IP packet.
#[must_use]
pub fn ethernet_vlan(vlan: u16, packet: &[u8]) -> Vec<u8> {
    let mut tag = ETHERTYPE_VLAN.to_be_bytes().to_vec();
    tag.extend(vlan.to_be_bytes());
    frame(&tag, ether_type(packet), packet)
}

/// Returns the IP packet of a UDP datagram. Both ends must be of one address family.
#[must_use]
pub fn udp(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut datagram = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    datagram.extend(length_field(8 + payload.len()).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    // A sum of 0 is sent as all ones: 0 means "no checksum" (RFC 768).
    let sum = match transport_checksum(from.ip(), to.ip(), UDP, &datagram) {
        0 => 0xffff,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ip(from.ip(), to.ip(), UDP, &datagram)
}

/// Returns the IP packet of a TCP segment without options. Both ends must be of one address family.
#[must_use]
pub fn tcp(from: SocketAddr, to: SocketAddr, segment: &Segment<'_>) -> Vec<u8> {
    tcp_with_options(from, to, segment, &[])
}

/// Returns the same with options, which must fill words and be 40 bytes at most.
#[must_use]
pub fn tcp_with_options(from: SocketAddr, to: SocketAddr, segment: &Segment<'_>, options: &[u8]) -> Vec<u8> {
    let mut bytes = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    bytes.extend(segment.seq.to_be_bytes());
    bytes.extend(segment.ack.to_be_bytes());
    // Header of five words and the options; a window of 64,240 is what Linux opens with.
    let words = u8::try_from(5 + options.len() / 4).expect("options are short");
    bytes.extend([words << 4, segment.flags]);
    bytes.extend(64_240_u16.to_be_bytes());
    bytes.extend([0, 0, 0, 0]);
    bytes.extend(options);
    bytes.extend(segment.payload);
    let sum = transport_checksum(from.ip(), to.ip(), TCP, &bytes);
    bytes[16..18].copy_from_slice(&sum.to_be_bytes());
    ip(from.ip(), to.ip(), TCP, &bytes)
}

/// Returns an IP packet with any transport payload. Both ends must be of one address family.
///
/// # Panics
/// On ends of two families.
#[must_use]
pub fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4(from, to, protocol, payload),
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6(from, to, protocol, payload),
        _ => panic!("{from} and {to} are of two address families"),
    }
}

/// Returns the fragments of an IPv4 packet without options (RFC 791 section 3.2), each with `size` bytes of its payload;
/// `size` must be a multiple of eight.
#[must_use]
pub fn ipv4_fragments(packet: &[u8], identification: u16, size: usize) -> Vec<Vec<u8>> {
    let (header, payload) = packet.split_at(20);
    let count = payload.len().div_ceil(size);
    let piece = |(index, part): (usize, &[u8])| {
        let mut bytes = [header, part].concat();
        let more = u16::from(index + 1 < count) << 13;
        bytes[2..4].copy_from_slice(&length_field(20 + part.len()).to_be_bytes());
        bytes[4..6].copy_from_slice(&identification.to_be_bytes());
        bytes[6..8].copy_from_slice(&(more | length_field(index * size / 8)).to_be_bytes());
        bytes[10..12].fill(0);
        let sum = checksum(&[&bytes[..20]]);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    payload.chunks(size).enumerate().map(piece).collect()
}

/// Returns the payload of a VXLAN datagram: the header with `vni`, then the frame (RFC 7348 section 5).
#[must_use]
pub fn vxlan(vni: u32, frame: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x08, 0, 0, 0];
    bytes.extend((vni << 8).to_be_bytes());
    bytes.extend(frame);
    bytes
}

fn frame(tag: &[u8], ether_type: u16, packet: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1];
    bytes.extend(tag);
    bytes.extend(ether_type.to_be_bytes());
    bytes.extend(packet);
    bytes
}

fn ether_type(packet: &[u8]) -> u16 {
    if packet.first().is_some_and(|first| first >> 4 == 6) { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 }
}

fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend(length_field(20 + payload.len()).to_be_bytes());
    // Identification 0 with "don't fragment" set, as Linux sends what it will not fragment (RFC 6864).
    bytes.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    bytes.extend(from.octets());
    bytes.extend(to.octets());
    let sum = checksum(&[&bytes]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn ipv6(from: Ipv6Addr, to: Ipv6Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(length_field(payload.len()).to_be_bytes());
    bytes.extend([protocol, 64]);
    bytes.extend(from.octets());
    bytes.extend(to.octets());
    bytes.extend(payload);
    bytes
}

fn length_field(length: usize) -> u16 {
    u16::try_from(length).expect("a test packet fits the 16 bits of an IP length")
}

/// The checksum of a TCP or UDP message over its pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1).
fn transport_checksum(from: IpAddr, to: IpAddr, protocol: u8, message: &[u8]) -> u16 {
    let addresses = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets().as_slice(), to.octets().as_slice()].concat(),
        (IpAddr::V6(from), IpAddr::V6(to)) => [from.octets().as_slice(), to.octets().as_slice()].concat(),
        _ => panic!("{from} and {to} are of two address families"),
    };
    let length = length_field(message.len()).to_be_bytes();
    checksum(&[&addresses, &[0, protocol], &length, message])
}

/// The Internet checksum (RFC 1071) over parts of which only the last may have an odd length.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for part in parts {
        // Four bytes at once: the sum of words is the sum of halves of words (RFC 1071 section 2).
        let words = part.chunks_exact(4);
        let rest = words.remainder();
        for word in words {
            sum += u64::from(u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
        }
        for pair in rest.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}

#[cfg(test)]
mod tests;
