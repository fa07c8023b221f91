//! Protocols of UDP that have no records of their own here, told by one datagram.

use super::{Guess, binary, text};
use crate::l7::Service;

/// The service a datagram is of. Pure: the same bytes give the same answer.
pub(in crate::l7) fn udp(data: &[u8], ports: [u16; 2]) -> Option<Service> {
    let tests = [
        (is_snmp(data), Service::Snmp),
        (binary::kerberos(data) == Guess::Yes, Service::Krb),
        (binary::ldap(data) == Guess::Yes, Service::LdapUdp),
        (text::sip(data) == Guess::Yes, Service::Sip),
        (is_stun(data) || is_classic_stun(data, ports), Service::Stun),
        (is_tftp(data, ports), Service::Tftp),
    ];
    tests.into_iter().find(|(is, _)| *is).map(|(_, service)| service)
}

/// A sequence of a version (0, 1 or 3) and a community, or for version 3 a header.
fn is_snmp(data: &[u8]) -> bool {
    let len_bytes = match data {
        [0x30, 0..=0x7f, ..] => 1,
        [0x30, len @ 0x81..=0x82, ..] => 1 + usize::from(len & 3),
        _ => return false,
    };
    match data.get(1 + len_bytes..) {
        Some([2, 1, 0 | 1, 4, community, rest @ ..]) => {
            matches!(rest.get(usize::from(*community)), Some(0xa0..=0xa8))
        }
        Some([2, 1, 3, 0x30, ..]) => true,
        _ => false,
    }
}

/// RFC 8489 section 5: two zero bits, a length in words, the cookie.
fn is_stun(data: &[u8]) -> bool {
    let Some(header) = data.first_chunk::<20>() else { return false };
    let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    header[0] < 0x40 && header[4..8] == [0x21, 0x12, 0xa4, 0x42] && len % 4 == 0 && len + 20 == data.len()
}

/// RFC 3489 section 11, before there was a cookie: a kind of its two methods, and attributes that fill the length. A
/// request may have none, and is then believed on the usual port alone.
fn is_classic_stun(data: &[u8], ports: [u16; 2]) -> bool {
    let Some((header, mut attributes)) = data.split_first_chunk::<20>() else { return false };
    let is_kind = matches!(header[..2], [0 | 1, 1 | 2] | [1, 0x11 | 0x12]);
    let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if !is_kind || len != attributes.len() || (attributes.is_empty() && !ports.contains(&3478)) {
        return false;
    }
    while let Some((&[high, low, first, second], rest)) = attributes.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([first, second]));
        let is_attribute = matches!((high, low), (0, 1..=0x0b) | (0x80..=0xff, _)) && len.is_multiple_of(4);
        match rest.get(len..) {
            Some(rest) if is_attribute => attributes = rest,
            _ => return false,
        }
    }
    attributes.is_empty()
}

/// A request to read or write (RFC 1350 section 5): a name and a mode.
fn is_tftp(data: &[u8], ports: [u16; 2]) -> bool {
    let [0, 1 | 2, rest @ ..] = data else { return false };
    let mut strings = rest.split(|byte| *byte == 0);
    let (Some(name), Some(mode)) = (strings.next(), strings.next()) else { return false };
    let is_name = !name.is_empty() && name.iter().all(|byte| matches!(byte, 0x20..0x7f));
    let is_mode = [&b"octet"[..], b"netascii", b"mail"].iter().any(|known| mode.eq_ignore_ascii_case(known));
    is_name && is_mode && (ports.contains(&69) || data.last() == Some(&0))
}
