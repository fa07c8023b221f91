//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, extension headers, and the facts of a fragment.
//!
//! Lengths are the headers', so that a cut packet counts as what it was on the wire. The exception are
//! offloaded aggregates: an IPv4 total length or IPv6 payload length of zero means more than the field can
//! hold, and then the captured length is all there is. Fragments are described, not put together.

use crate::{DecodeError, Layer, Problem};

/// The version of IP a packet is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Where a fragment belongs in its datagram. Absent for whole packets and atomic fragments (RFC 6946).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Fragment {
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Position of this fragment's payload in the datagram's, in bytes.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
}

/// An IP packet's addresses and lengths, and what it carries.
pub(crate) struct Ip<'a> {
    pub(crate) version: IpVersion,
    pub(crate) source: u128,
    pub(crate) destination: u128,
    pub(crate) protocol: u8,
    pub(crate) total_len: u32,
    /// Bytes behind all IP headers, as the headers say.
    pub(crate) payload_len: u32,
    /// The captured part of them, without link padding.
    pub(crate) payload: &'a [u8],
    pub(crate) identification: u32,
    pub(crate) fragment: Option<Fragment>,
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;

/// Extension headers followed before giving up. RFC 8200 section 4.1 expects each kind once (destination
/// options twice): eight with AH, HIP and shim6 among them. More are only seen in attacks.
const MAX_EXTENSIONS: usize = 10;

/// The largest IPv6 remainder that is taken for Ethernet padding when the payload length is zero: 60 bytes of
/// minimal frame, less 14 of Ethernet and 40 of IPv6, and two more for a tag's alignment.
const MAX_PADDING: usize = 8;

#[inline]
pub(crate) fn decode(data: &[u8], wire_len: u32) -> Result<Ip<'_>, DecodeError> {
    match data.first().map(|byte| byte >> 4) {
        Some(4) => decode_v4(data, wire_len),
        Some(6) => decode_v6(data, wire_len),
        Some(other) => Err(DecodeError::new(Layer::Network, Problem::Value, 4, other as usize, 0)),
        None => Err(DecodeError::short(Layer::Network, 1, 0, 0)),
    }
}

#[inline]
fn decode_v4(data: &[u8], wire_len: u32) -> Result<Ip<'_>, DecodeError> {
    let Some(header) = data.first_chunk::<20>() else {
        return Err(DecodeError::short(Layer::Ipv4, 20, data.len(), 0));
    };
    let header_len = (header[0] & 0x0f) as usize * 4;
    if header_len < 20 {
        return Err(DecodeError::new(Layer::Ipv4, Problem::Length, 20, header_len, 0));
    }
    let total_len = match u16::from_be_bytes([header[2], header[3]]) {
        0 => wire_len.max(data.len() as u32),
        len => u32::from(len),
    };
    if total_len < header_len as u32 {
        return Err(DecodeError::new(Layer::Ipv4, Problem::Length, header_len, total_len as usize, 0));
    }
    let captured = data.len().min(total_len as usize);
    let Some(payload) = data.get(header_len..captured) else {
        return Err(DecodeError::short(Layer::Ipv4, header_len, data.len(), 0));
    };
    let flags_and_offset = u16::from_be_bytes([header[6], header[7]]);
    let identification = u32::from(u16::from_be_bytes([header[4], header[5]]));
    let fragment = (flags_and_offset & 0x3fff != 0).then(|| Fragment {
        id: identification,
        offset: u32::from(flags_and_offset & 0x1fff) * 8,
        more: flags_and_offset & 0x2000 != 0,
    });
    let ip = Ip {
        version: IpVersion::V4,
        source: u128::from(u32::from_be_bytes([header[12], header[13], header[14], header[15]])),
        destination: u128::from(u32::from_be_bytes([header[16], header[17], header[18], header[19]])),
        protocol: header[9],
        total_len,
        payload_len: total_len - header_len as u32,
        payload,
        identification,
        fragment,
    };
    if ip.protocol == AUTHENTICATION {
        return extensions(ip, header_len);
    }
    Ok(ip)
}

#[inline]
fn decode_v6(data: &[u8], wire_len: u32) -> Result<Ip<'_>, DecodeError> {
    let Some((header, rest)) = data.split_first_chunk::<40>() else {
        return Err(DecodeError::short(Layer::Ipv6, 40, data.len(), 0));
    };
    let payload_len = match u16::from_be_bytes([header[4], header[5]]) {
        0 if rest.len() < MAX_PADDING => 0,
        0 => wire_len.saturating_sub(40).max(rest.len() as u32),
        len => u32::from(len),
    };
    let mut address = [0; 16];
    address.copy_from_slice(&header[8..24]);
    let source = u128::from_be_bytes(address);
    address.copy_from_slice(&header[24..40]);
    let ip = Ip {
        version: IpVersion::V6,
        source,
        destination: u128::from_be_bytes(address),
        protocol: header[6],
        total_len: payload_len.saturating_add(40),
        payload_len,
        payload: rest.get(..payload_len as usize).unwrap_or(rest),
        identification: 0,
        fragment: None,
    };
    match ip.protocol {
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS | HOST_IDENTITY | SHIM6 => {
            extensions(ip, 40)
        }
        _ => Ok(ip),
    }
}

/// Walks extension headers until a transport, ESP, mobility or no next header, or a fragment's middle.
fn extensions(mut ip: Ip<'_>, header_len: usize) -> Result<Ip<'_>, DecodeError> {
    let mut offset = header_len;
    for _ in 0..MAX_EXTENSIONS {
        // Behind the head of a datagram there are no headers, only its bytes.
        if ip.fragment.is_some_and(|fragment| fragment.offset != 0) {
            return Ok(ip);
        }
        let is_v6 = ip.version == IpVersion::V6;
        let (unit, extra) = match ip.protocol {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | HOST_IDENTITY | SHIM6 if is_v6 => (8, 8),
            FRAGMENT if is_v6 => (0, 8),
            // AH counts its length in words of four, less two (RFC 4302 section 2.2).
            AUTHENTICATION => (4, 8),
            _ => return Ok(ip),
        };
        let Some(head) = ip.payload.first_chunk::<8>() else {
            return Err(DecodeError::short(Layer::IpExtensions, 8, ip.payload.len(), offset));
        };
        let len = extra + unit * head[1] as usize;
        if ip.protocol == FRAGMENT {
            let bits = u16::from_be_bytes([head[2], head[3]]);
            // Offset zero with nothing to follow is a whole packet that says so (RFC 6946).
            ip.identification = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
            if bits & 0xfff9 != 0 {
                ip.fragment = Some(Fragment {
                    id: ip.identification,
                    offset: u32::from(bits & 0xfff8),
                    more: bits & 1 != 0,
                });
            }
        }
        ip.protocol = head[0];
        let (Some(rest), Some(rest_len)) = (ip.payload.get(len..), ip.payload_len.checked_sub(len as u32))
        else {
            return Err(DecodeError::short(Layer::IpExtensions, len, ip.payload.len(), offset));
        };
        (ip.payload, ip.payload_len) = (rest, rest_len);
        offset += len;
    }
    Err(DecodeError::new(Layer::IpExtensions, Problem::Depth, MAX_EXTENSIONS + 1, MAX_EXTENSIONS, offset))
}
