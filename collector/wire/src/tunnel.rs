//! Packets inside packets: what encapsulations beside a mirror session's own carry.
//!
//! Looks at one layer: which kind of tunnel a packet is a part of, and where the next begins. UDP tunnels are known
//! by their port and by a header that is sound; whether what is inside makes sense, [`packet::decode`](crate::packet::decode)
//! tells. Fragments are not looked into.

use crate::{LinkType, Packet, Transport, geneve, vxlan};

/// How a packet is enclosed in another. Names are Zeek's.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TunnelKind {
    /// IPv4 or IPv6 in IPv4 or IPv6 (RFC 2003, RFC 2473, RFC 4213).
    Ip,
    /// GRE (RFC 2784, RFC 2890), PPTP's (RFC 2637) and ERSPAN's among them.
    Gre,
    /// IPv6 in UDP (RFC 4380).
    Teredo,
    /// Mobile networks' user packets (3GPP TS 29.281).
    Gtpv1,
    /// RFC 7348.
    Vxlan,
    /// RFC 8926.
    Geneve,
}

impl TunnelKind {
    /// Zeek's value of `tunnel_type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "Tunnel::IP",
            Self::Gre => "Tunnel::GRE",
            Self::Teredo => "Tunnel::TEREDO",
            Self::Gtpv1 => "Tunnel::GTPv1",
            Self::Vxlan => "Tunnel::VXLAN",
            Self::Geneve => "Tunnel::GENEVE",
        }
    }

    /// Zeek's `service` of the UDP flow that is such a tunnel; `None` for those between hosts.
    pub const fn service(self) -> Option<&'static str> {
        match self {
            Self::Ip | Self::Gre => None,
            Self::Teredo => Some("teredo"),
            Self::Gtpv1 => Some("gtpv1"),
            Self::Vxlan => Some("vxlan"),
            Self::Geneve => Some("geneve"),
        }
    }
}

/// What is inside a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inside<'a> {
    /// Which tunnel it goes through.
    pub kind: TunnelKind,
    /// How the inner packet begins.
    pub link: LinkType,
    /// The inner packet, perhaps cut.
    pub data: &'a [u8],
}

/// Teredo servers and relays listen here (RFC 4380 section 2.7).
const TEREDO: u16 = 3544;

/// GTP-U's (3GPP TS 29.281 section 4.4.2.0).
const GTP_U: u16 = 2152;

/// GRE in UDP (RFC 8086 section 3).
const GRE_IN_UDP: u16 = 4754;

/// Destination ports of tunnels in UDP whose source port is free: a hash of the inner flow (RFC 7348 section 5, RFC 8926
/// section 3.3, RFC 8086 section 3.1) or any port (3GPP TS 29.281 section 4.4.2.3). The two directions of what is inside
/// therefore have nothing in common but the two addresses: whoever wants both in one place must not go by ports.
pub const ONE_WAY_PORTS: [u16; 4] = [vxlan::PORT, geneve::PORT, GRE_IN_UDP, GTP_U];

/// Extension headers of a GTP packet that are followed; specifications know five kinds.
const MAX_GTP_EXTENSIONS: usize = 8;

/// The packet inside `packet`, if it is a tunnel's.
#[inline]
pub fn inside<'a>(packet: &Packet<'a>) -> Option<Inside<'a>> {
    match packet.transport {
        Transport::Tcp(_) | Transport::Icmp(_) | Transport::Sctp(_) | Transport::FragmentTail => None,
        _ if packet.fragment.is_some() => None,
        Transport::Udp(udp) => in_udp(packet.payload, udp.source_port, udp.destination_port),
        Transport::Other => match packet.protocol {
            4 | 41 => ip(TunnelKind::Ip, packet.payload),
            47 => gre(packet.payload),
            _ => None,
        },
    }
}

#[inline]
fn in_udp(payload: &[u8], source: u16, destination: u16) -> Option<Inside<'_>> {
    match (source, destination) {
        (_, vxlan::PORT) => {
            let (_, data) = vxlan::decode(payload).ok()?;
            Some(Inside { kind: TunnelKind::Vxlan, link: LinkType::Ethernet, data })
        }
        (_, geneve::PORT) => {
            let outer = geneve::decode(payload).ok()?;
            let link = match outer.protocol {
                geneve::ETHERNET => LinkType::Ethernet,
                0x0800 | 0x86dd => LinkType::RawIp,
                _ => return None,
            };
            Some(Inside { kind: TunnelKind::Geneve, link, data: outer.payload })
        }
        (_, GRE_IN_UDP) => gre(payload),
        (TEREDO, _) | (_, TEREDO) => teredo(payload),
        (GTP_U, _) | (_, GTP_U) => gtp(payload),
        _ => None,
    }
}

fn ip(kind: TunnelKind, data: &[u8]) -> Option<Inside<'_>> {
    let is_ip = matches!(data.first().map(|byte| byte >> 4), Some(4 | 6));
    is_ip.then_some(Inside { kind, link: LinkType::RawIp, data })
}

/// Two bytes at a place, where they are there.
pub(crate) fn be16(data: &[u8], offset: usize) -> Option<u16> {
    data.get(offset..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn gre(data: &[u8]) -> Option<Inside<'_>> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    let (flags, protocol) = (be16(data, 0)?, be16(data, 2)?);
    let (is_pptp, has) = (flags & 7 == 1, |bit: u16| usize::from(flags & bit != 0));
    // Source routes were never used (RFC 2784 leaves them out), and there are no other versions.
    if flags & ROUTING != 0 || flags & 7 > 1 {
        return None;
    }
    let acknowledgement = if is_pptp { has(ACKNOWLEDGEMENT) } else { 0 };
    let len = 4 + 4 * (has(CHECKSUM) + has(KEY) + has(SEQUENCE) + acknowledgement);
    let (link, skip) = match protocol {
        0x0800 | 0x86dd => return ip(TunnelKind::Gre, data.get(len..)?),
        0x6558 => (LinkType::Ethernet, 0),
        0x880b if is_pptp => (LinkType::Ppp, 0),
        // ERSPAN: type I has no header of its own, type II one of eight bytes; only II numbers its packets.
        0x88be => (LinkType::Ethernet, 8 * has(SEQUENCE)),
        // Type III: twelve bytes, and eight more if the last bit says so. The frame type must be Ethernet.
        0x22eb => {
            let last = be16(data, len + 10)?;
            if last >> 10 & 0x1f != 0 {
                return None;
            }
            (LinkType::Ethernet, 12 + 8 * usize::from(last & 1))
        }
        _ => return None,
    };
    Some(Inside { kind: TunnelKind::Gre, link, data: data.get(len + skip..)? })
}

/// RFC 4380 section 5.1.1: perhaps an authentication header, perhaps an origin indication, then IPv6.
fn teredo(mut data: &[u8]) -> Option<Inside<'_>> {
    if be16(data, 0)? == 1 {
        // Two lengths, nonce and confirmation behind them.
        let lengths = usize::from(*data.get(2)?) + usize::from(*data.get(3)?);
        data = data.get(4 + lengths + 9..)?;
    }
    if be16(data, 0)? == 0 {
        data = data.get(8..)?;
    }
    let is_v6 = data.first().map(|byte| byte >> 4) == Some(6);
    // Any protocol may use the port: the inner length must be that of the datagram.
    let len = usize::from(be16(data, 4)?) + 40;
    (is_v6 && len == data.len()).then_some(Inside { kind: TunnelKind::Teredo, link: LinkType::RawIp, data })
}

/// 3GPP TS 29.281 section 5: version 1, a user packet.
fn gtp(data: &[u8]) -> Option<Inside<'_>> {
    const EXTENSION: u8 = 4;
    let flags = *data.first()?;
    let is_user_packet = flags >> 4 & 0xf == 3 && *data.get(1)? == 0xff;
    if !is_user_packet {
        return None;
    }
    // Sequence number, N-PDU number and type of the next extension come together or not at all.
    let mut offset = if flags & 7 != 0 { 12 } else { 8 };
    if flags & EXTENSION != 0 {
        let mut next = *data.get(11)?;
        for _ in 0..MAX_GTP_EXTENSIONS {
            if next == 0 {
                break;
            }
            let len = usize::from(*data.get(offset)?) * 4;
            if len == 0 {
                return None;
            }
            offset += len;
            next = *data.get(offset - 1)?;
        }
        if next != 0 {
            return None;
        }
    }
    ip(TunnelKind::Gtpv1, data.get(offset..)?)
}

#[cfg(test)]
mod tests;
