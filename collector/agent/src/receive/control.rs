//! What the kernel wrote beside a datagram, read as bytes: the source address (`sockaddr_in`, `sockaddr_in6`) and the
//! control messages (`cmsg(3)`) with time and drop counter. Short or unknown input gives nothing, never a panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of the longest source address, `sockaddr_in6`, rounded up to its alignment here.
pub(super) const NAME_LEN: usize = 32;

/// Bytes for the control messages asked for: a timespec, a u32 and an int, each with a 16-byte header and padded to 8.
pub(super) const CONTROL_LEN: usize = 96;

/// The messages a socket was told to add.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// `SCM_TIMESTAMPNS`: nanoseconds since the epoch.
    pub(super) at: Option<i64>,
    /// `SO_RXQ_OVFL`: datagrams dropped at the socket so far.
    pub(super) drops: Option<u32>,
    /// `UDP_GRO` (udp(7)): bytes of each of the datagrams that were joined.
    pub(super) segment: Option<usize>,
}

/// Source address and port; the unspecified address for a family that UDP does not have.
pub(super) fn source(name: &[u8]) -> (IpAddr, u16) {
    let family = name.first_chunk().map(|bytes| i32::from(u16::from_ne_bytes(*bytes)));
    let port = name.get(2..4).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u16::from_be_bytes(*bytes));
    let address = match family {
        Some(libc::AF_INET) => {
            name.get(4..8).and_then(<[u8]>::first_chunk::<4>).map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes)))
        }
        // Port, flow label, then the address. An IPv4 source in a socket for both comes as ::ffff:a.b.c.d.
        Some(libc::AF_INET6) => name
            .get(8..24)
            .and_then(<[u8]>::first_chunk::<16>)
            .map(|bytes| IpAddr::V6(Ipv6Addr::from(*bytes)).to_canonical()),
        _ => None,
    };
    (address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port)
}

/// Walks the control messages: length (a `size_t` that counts its header), level, type, data, padding.
pub(super) fn messages(mut control: &[u8]) -> Messages {
    const WORD: usize = size_of::<usize>();
    const HEADER: usize = WORD + 8;
    let mut found = Messages::default();
    while let Some((length, level, kind)) = header(control) {
        let Some(data) = control.get(HEADER..length) else { break };
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) => found.at = timespec(data),
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                found.drops = data.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let size = data.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
                found.segment = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
            }
            _ => {}
        }
        control = control.get(length.next_multiple_of(WORD)..).unwrap_or_default();
    }
    found
}

/// Reads bytes that nobody promises anything of, as both.
pub(crate) fn read_any(bytes: &[u8]) {
    messages(bytes);
    source(bytes);
}

fn header(control: &[u8]) -> Option<(usize, i32, i32)> {
    const WORD: usize = size_of::<usize>();
    let length = usize::from_ne_bytes(*control.first_chunk()?);
    let level = i32::from_ne_bytes(*control.get(WORD..)?.first_chunk()?);
    let kind = i32::from_ne_bytes(*control.get(WORD + 4..)?.first_chunk()?);
    Some((length, level, kind))
}

/// Seconds and nanoseconds, each a C long.
fn timespec(data: &[u8]) -> Option<i64> {
    const LONG: usize = size_of::<libc::c_long>();
    let seconds = libc::c_long::from_ne_bytes(*data.first_chunk()?);
    let nanoseconds = libc::c_long::from_ne_bytes(*data.get(LONG..)?.first_chunk()?);
    #[allow(clippy::useless_conversion, reason = "a C long has 32 bits on some hosts")]
    i64::from(seconds).checked_mul(1_000_000_000)?.checked_add(i64::from(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (size_of::<usize>() + 8 + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
        bytes
    }

    #[test]
    fn time_and_drops_are_found_in_any_order_and_between_others() {
        let time: Vec<u8> = [1_700_000_000, 5].iter().flat_map(|n: &libc::c_long| n.to_ne_bytes()).collect();
        let mut bytes = message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &7u32.to_ne_bytes());
        bytes.extend(message(libc::SOL_IP, 8, &[1, 2, 3, 4]));
        bytes.extend(message(libc::SOL_UDP, libc::UDP_GRO, &1_450_i32.to_ne_bytes()));
        bytes.extend(message(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &time));
        let whole = Messages { at: Some(1_700_000_000_000_000_005), drops: Some(7), segment: Some(1_450) };
        assert_eq!(messages(&bytes), whole);
        for cut in 0..bytes.len() {
            let some = messages(&bytes[..cut]);
            assert!(some.at.is_none(), "cut at {cut} of {}: {some:?}", bytes.len());
        }
        // A length of zero or beyond the buffer ends the walk.
        for length in [0usize, 1, 15, 1000, usize::MAX] {
            bytes[..size_of::<usize>()].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&bytes), Messages::default());
        }
    }

    #[test]
    fn addresses_of_both_families_and_nonsense() {
        let mut name = (libc::AF_INET as u16).to_ne_bytes().to_vec();
        name.extend([0x12, 0xb5, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(source(&name), ("10.0.0.1".parse().unwrap(), 4789));
        let mut name = (libc::AF_INET6 as u16).to_ne_bytes().to_vec();
        name.extend([0x12, 0xb5, 0, 0, 0, 0]);
        name.extend("fd00::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(source(&name), ("fd00::1".parse().unwrap(), 4789));
        name.splice(8..24, "::ffff:10.0.0.1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(source(&name), ("10.0.0.1".parse().unwrap(), 4789));
        for cut in 0..name.len() {
            let _ = source(&name[..cut]);
        }
        assert_eq!(source(&[]), ("0.0.0.0".parse().unwrap(), 0));
    }
}
