//! Who a frame is from and to, and of which protocol: as much as filters ask for, of frames that [`packet`](crate::packet)
//! refuses too.
//!
//! Read by the fixed places of fields, like a filter in a kernel does: a broken transport header does not hide the
//! addresses in front of it. Nothing here is for the packet path.

use core::net::Ipv4Addr;

use crate::{IpVersion, Layer, LinkType, Vlans, ip, link, tunnel::be16};

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Outline {
    /// The tags in front of everything else.
    pub vlans: Vlans,
    /// The protocol of the network layer.
    pub network: Network,
    /// Bytes that the frame had by its IP header before somebody cut it; 0 where that does not say.
    pub length: u32,
}

/// The network layer of a frame.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Network {
    /// IPv4 or IPv6.
    Ip(Ip),
    /// ARP (RFC 826) for IPv4: the address that asks or answers, and the one that is asked for.
    Arp(Ipv4Addr, Ipv4Addr),
    /// Reverse ARP (RFC 903), likewise.
    Rarp(Ipv4Addr, Ipv4Addr),
    /// Something else, or too little of it.
    #[default]
    Other,
}

/// Addresses and protocol of an IP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ip {
    /// IPv4 or IPv6.
    pub version: IpVersion,
    /// Source address as a number; an IPv4 address in the low 32 bits.
    pub source: u128,
    /// Destination address, likewise.
    pub destination: u128,
    /// The protocol that the fixed header announces, which may be an extension header's.
    pub announced: u8,
    /// The protocol behind extension headers, as far as they can be read.
    pub protocol: u8,
    /// Source and destination port of TCP, UDP and SCTP; absent for others, and in fragments behind the first.
    pub ports: Option<(u16, u16)>,
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;
const RARP: u32 = 0x8035;

/// The EtherTypes of VLAN tags: 802.1Q, 802.1ad, and the vendors' numbers that came before it.
const TAGS: [u16; 5] = [0x8100, 0x88a8, 0x9100, 0x9200, 0x9300];

/// Reads `frame`. What cannot be read is left out; nothing is an error.
pub fn read(frame: &[u8], link: LinkType) -> Outline {
    match link::find_ip(frame, link) {
        Ok((offset, vlans)) => {
            let data = frame.get(offset..).unwrap_or_default();
            let network = read_ip(data).map_or(Network::Other, Network::Ip);
            Outline { vlans, network, length: length(data).map_or(0, |length| offset as u32 + length) }
        }
        Err(error) => {
            // Found behind all tags, so that the addresses have their fixed places behind it.
            let body = frame.get(error.offset as usize..).and_then(|rest| rest.first_chunk::<28>());
            let network = match (body, error.layer, error.have) {
                (Some(body), Layer::Arp, _) => Network::Arp(address(body, 14), address(body, 24)),
                (Some(body), Layer::Network, RARP) => Network::Rarp(address(body, 14), address(body, 24)),
                _ => Network::Other,
            };
            let vlans = if link == LinkType::Ethernet { tags(frame) } else { Vlans::default() };
            Outline { vlans, network, length: 0 }
        }
    }
}

fn address(body: &[u8; 28], at: usize) -> Ipv4Addr {
    let bytes = body.get(at..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map_or(Ipv4Addr::UNSPECIFIED, |bytes| Ipv4Addr::from(*bytes))
}

/// The tags of an Ethernet frame that is not IP.
fn tags(frame: &[u8]) -> Vlans {
    let tag = |at: usize| {
        be16(frame, at)
            .filter(|kind| TAGS.contains(kind))
            .and_then(|_| be16(frame, at + 2))
            .map(|id| id & 0x0fff)
    };
    let outer = tag(12);
    Vlans { outer, inner: outer.and_then(|_| tag(16)) }
}

/// The length of a packet by its header. Zero stands for more than the field can hold (offloaded aggregates).
fn length(data: &[u8]) -> Option<u32> {
    let (length, header) = match data.first()? >> 4 {
        4 => (be16(data, 2)?, 0),
        6 => (be16(data, 4)?, 40),
        _ => return None,
    };
    (length != 0).then_some(u32::from(length) + header)
}

fn read_ip(data: &[u8]) -> Option<Ip> {
    match data.first()? >> 4 {
        4 => read_v4(data),
        6 => read_v6(data),
        _ => None,
    }
}

fn read_v4(data: &[u8]) -> Option<Ip> {
    let header = data.first_chunk::<20>()?;
    let number = |at: usize| {
        header
            .get(at..)
            .and_then(|rest| rest.first_chunk::<4>())
            .map_or(0, |bytes| u32::from_be_bytes(*bytes))
    };
    let is_tail = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
    let announced = header[9];
    let (protocol, payload) = match ip::decode(data, data.len() as u32) {
        // Behind an authentication header.
        Ok(ip) if ip.protocol != announced => (ip.protocol, ip.payload),
        // By the header's own length alone: what the others contradict is still what was sent.
        _ => (announced, data.get(usize::from(header[0] & 0x0f) * 4..).unwrap_or_default()),
    };
    Some(Ip {
        version: IpVersion::V4,
        source: u128::from(number(12)),
        destination: u128::from(number(16)),
        announced,
        protocol,
        ports: if is_tail { None } else { ports(protocol, payload) },
    })
}

fn read_v6(data: &[u8]) -> Option<Ip> {
    let (header, rest) = data.split_first_chunk::<40>()?;
    let number = |at: usize| {
        header
            .get(at..)
            .and_then(|rest| rest.first_chunk::<16>())
            .map_or(0, |bytes| u128::from_be_bytes(*bytes))
    };
    let announced = header[6];
    let (protocol, payload) = match ip::decode(data, data.len() as u32) {
        Ok(ip) if ip.fragment.is_some_and(|fragment| fragment.offset != 0) => (ip.protocol, &[][..]),
        Ok(ip) if ip.protocol != announced => (ip.protocol, ip.payload),
        _ => (announced, rest),
    };
    Some(Ip {
        version: IpVersion::V6,
        source: number(8),
        destination: number(24),
        announced,
        protocol,
        ports: ports(protocol, payload),
    })
}

/// The three protocols begin with their ports alike.
fn ports(protocol: u8, payload: &[u8]) -> Option<(u16, u16)> {
    if !matches!(protocol, TCP | UDP | SCTP) {
        return None;
    }
    let [a, b, c, d] = *payload.first_chunk::<4>()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

#[cfg(test)]
mod tests;
