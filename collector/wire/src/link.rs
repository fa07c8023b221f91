//! From the first byte of a frame to its IP header: link headers, VLAN tags, MPLS labels, PPPoE.
//!
//! Mirrored packets are Ethernet; the other link types are what capture files hold. It stops at the first
//! byte of IP and does not look into it.

use crate::{DecodeError, Layer, Problem};

/// How a frame begins. Numbers are those of <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LinkType {
    /// Cisco HDLC (104).
    CiscoHdlc,
    /// Ethernet II or IEEE 802.3 (1). What a mirror session carries.
    Ethernet,
    /// Linux cooked capture, version 1 (113).
    LinuxSll,
    /// Linux cooked capture, version 2 (276).
    LinuxSll2,
    /// BSD loopback in the byte order of the capturing host (0).
    Null,
    /// OpenBSD loopback, network byte order (108).
    Loop,
    /// PPP, with or without HDLC framing (9, 50).
    Ppp,
    /// IPv4 or IPv6 with nothing in front (101, 228, 229 and two historic numbers).
    RawIp,
    /// Anything else; every frame of it is counted as unsupported.
    Other(u16),
}

impl LinkType {
    /// The link type of this number in a pcap or pcapng file.
    pub const fn from_pcap(number: u16) -> Self {
        match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            9 | 50 => Self::Ppp,
            // 12 and 14 are what LINKTYPE_RAW was on some systems before it had a number of its own.
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            104 => Self::CiscoHdlc,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            other => Self::Other(other),
        }
    }
}

/// The outermost two VLAN identifiers of a frame (IEEE 802.1Q, 802.1ad).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Vlans {
    /// Identifier of the first tag, 12 bits.
    pub outer: Option<u16>,
    /// Identifier of the second tag.
    pub inner: Option<u16>,
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;

/// Tags and labels followed before giving up. Real stacks stay under five (QinQ, PPPoE, two MPLS labels);
/// a chain of hundreds is an attack on the reader.
const MAX_TAGS: usize = 8;

/// Finds the IP header: its offset in `frame`, and the VLAN tags passed on the way.
#[inline]
pub(crate) fn find_ip(frame: &[u8], link: LinkType) -> Result<(usize, Vlans), DecodeError> {
    let (ether_type, offset) = match link {
        LinkType::Ethernet => {
            let Some(header) = frame.first_chunk::<14>() else {
                return Err(DecodeError::short(Layer::Link, 14, frame.len(), 0));
            };
            (u16::from_be_bytes([header[12], header[13]]), 14)
        }
        LinkType::RawIp => return Ok((0, Vlans::default())),
        // Address, control, EtherType.
        LinkType::CiscoHdlc => (be16(frame, 2, Layer::Link)?, 4),
        LinkType::LinuxSll => (be16(frame, 14, Layer::Link)?, 16),
        LinkType::LinuxSll2 => {
            be16(frame, 18, Layer::Link)?;
            (be16(frame, 0, Layer::Link)?, 20)
        }
        LinkType::Null | LinkType::Loop => return loopback(frame),
        LinkType::Ppp => return ppp(frame),
        LinkType::Other(number) => {
            return Err(DecodeError::new(Layer::Link, Problem::Unsupported, 0, number as usize, 0));
        }
    };
    if ether_type == IPV4 || ether_type == IPV6 {
        return Ok((offset, Vlans::default()));
    }
    tagged(frame, ether_type, offset)
}

/// Follows what may stand between link header and IP.
fn tagged(frame: &[u8], mut ether_type: u16, mut offset: usize) -> Result<(usize, Vlans), DecodeError> {
    let mut vlans = Vlans::default();
    for _ in 0..MAX_TAGS {
        match ether_type {
            IPV4 | IPV6 => return Ok((offset, vlans)),
            ARP => return Err(DecodeError::new(Layer::Arp, Problem::Unsupported, 0, ARP as usize, offset)),
            // 802.1Q, 802.1ad and the vendors' QinQ numbers that came before it.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
                let id = be16(frame, offset, Layer::Tag)? & 0x0fff;
                match vlans {
                    Vlans { outer: None, .. } => vlans.outer = Some(id),
                    Vlans { inner: None, .. } => vlans.inner = Some(id),
                    _ => {}
                }
                ether_type = be16(frame, offset + 2, Layer::Tag)?;
                offset += 4;
            }
            // Cisco VN-Tag: four bytes of tag, then an EtherType.
            0x8926 => {
                ether_type = be16(frame, offset + 4, Layer::Tag)?;
                offset += 6;
            }
            0x8847 | 0x8848 => return Ok((labels(frame, offset)?, vlans)),
            // PPPoE session (RFC 2516 section 4): six bytes, then a PPP protocol number.
            0x8864 => {
                let protocol = be16(frame, offset + 6, Layer::Tag)?;
                return Ok((ppp_payload(frame, protocol, offset + 8)?, vlans));
            }
            // IEEE 802.3: a length instead of a type. Only SNAP (RFC 1042) can hold IP.
            length if length <= 1500 => {
                let is_snap = frame.get(offset..offset + 6) == Some(&[0xaa, 0xaa, 3, 0, 0, 0]);
                if !is_snap {
                    let have = length as usize;
                    return Err(DecodeError::new(Layer::Network, Problem::Unsupported, 0, have, offset));
                }
                ether_type = be16(frame, offset + 6, Layer::Tag)?;
                offset += 8;
            }
            other => {
                let have = other as usize;
                return Err(DecodeError::new(Layer::Network, Problem::Unsupported, 0, have, offset));
            }
        }
    }
    Err(DecodeError::new(Layer::Tag, Problem::Depth, MAX_TAGS + 1, MAX_TAGS, offset))
}

/// Four bytes of address family; 2 is IPv4 everywhere, IPv6 differs between the BSDs.
fn loopback(frame: &[u8]) -> Result<(usize, Vlans), DecodeError> {
    let Some(header) = frame.first_chunk::<4>() else {
        return Err(DecodeError::short(Layer::Link, 4, frame.len(), 0));
    };
    let family = u32::from_be_bytes(*header);
    // Written in the byte order of the capturing host: a small number either way round.
    let family = if family > 0xffff { family.swap_bytes() } else { family };
    match family {
        2 | 10 | 24 | 28 | 30 => Ok((4, Vlans::default())),
        other => Err(DecodeError::new(Layer::Network, Problem::Unsupported, 2, other as usize, 4)),
    }
}

/// PPP (RFC 1661 section 2), with the HDLC address and control bytes when they are there (RFC 1662).
fn ppp(frame: &[u8]) -> Result<(usize, Vlans), DecodeError> {
    let start = if frame.starts_with(&[0xff, 0x03]) { 2 } else { 0 };
    let protocol = be16(frame, start, Layer::Link)?;
    // Protocol field compression (RFC 1661 section 6.5): one odd byte.
    let (protocol, len) = if protocol & 0x0100 != 0 { (protocol >> 8, 1) } else { (protocol, 2) };
    Ok((ppp_payload(frame, protocol, start + len)?, Vlans::default()))
}

/// Where IP begins behind a PPP protocol number: IPv4, IPv6 or MPLS (RFC 3032 section 4.3).
fn ppp_payload(frame: &[u8], protocol: u16, offset: usize) -> Result<usize, DecodeError> {
    match protocol {
        0x0021 | 0x0057 => Ok(offset),
        0x0281 | 0x0283 => labels(frame, offset),
        other => Err(DecodeError::new(Layer::Network, Problem::Unsupported, 0, other as usize, offset)),
    }
}

/// Where IP begins behind MPLS labels (RFC 3032): the one with the bottom-of-stack bit is the last, and none says
/// what follows.
fn labels(frame: &[u8], start: usize) -> Result<usize, DecodeError> {
    for offset in (start..).step_by(4).take(MAX_TAGS) {
        if be16(frame, offset + 2, Layer::Tag)? & 0x0100 == 0 {
            continue;
        }
        return match frame.get(offset + 4).map(|byte| byte >> 4) {
            Some(4 | 6) => Ok(offset + 4),
            // Zero is a pseudowire control word (RFC 4385); what it carries is not said.
            other => {
                let have = other.map_or(0, usize::from);
                Err(DecodeError::new(Layer::Network, Problem::Unsupported, 4, have, offset + 4))
            }
        };
    }
    Err(DecodeError::new(Layer::Tag, Problem::Depth, MAX_TAGS + 1, MAX_TAGS, start))
}

fn be16(frame: &[u8], offset: usize, layer: Layer) -> Result<u16, DecodeError> {
    match frame.get(offset..).and_then(|rest| rest.first_chunk::<2>()) {
        Some(bytes) => Ok(u16::from_be_bytes(*bytes)),
        None => Err(DecodeError::short(layer, offset + 2, frame.len(), 0)),
    }
}
