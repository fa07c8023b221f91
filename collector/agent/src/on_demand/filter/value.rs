//! What stands behind keywords: numbers, ports, protocols, addresses and networks. `None` is for what is none of them;
//! who asked knows what was expected.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use enigma_wire::IpVersion;

use super::Net;

/// Protocols that have a name here, by their number at IANA.
const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", 58),
    ("pim", 103),
    ("sctp", 132),
];

/// A protocol's number; in tcpdump's language a name has a backslash before it here, so that it is no keyword.
pub(super) fn protocol(text: &str) -> Option<u8> {
    let name = text.strip_prefix('\\').unwrap_or(text);
    let known = PROTOCOLS.iter().find(|(known, _)| *known == name);
    known.map(|(_, number)| *number).or_else(|| name.parse().ok())
}

/// Two ports, the lower first; of a single one, that.
pub(super) fn range(text: &str) -> Option<(u16, u16)> {
    let (low, high) = match text.split_once('-') {
        Some((low, high)) => (low.parse().ok()?, high.parse().ok()?),
        None => (text.parse().ok()?, text.parse().ok()?),
    };
    Some(if low <= high { (low, high) } else { (high, low) })
}

/// A single address.
pub(super) fn host(text: &str) -> Option<Net> {
    Some(match text.parse().ok()? {
        IpAddr::V4(address) => v4(address.to_bits(), u32::MAX),
        IpAddr::V6(address) => Net { version: IpVersion::V6, bits: address.to_bits(), mask: u128::MAX },
    })
}

/// Why a text is no network.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotANet {
    /// It is something else.
    Else,
    /// It is the address of a host in this network.
    Host(String),
}

/// `10.0.0.0/8`, `fd00::/8`, and the first bytes of an IPv4 network alone: `10`, `192.168`.
pub(super) fn net(text: &str) -> Result<Net, NotANet> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| NotANet::Else)?)),
        None => (text, None),
    };
    if let Ok(address) = address.parse::<Ipv6Addr>() {
        let length = length.unwrap_or(128);
        let mask = u128::MAX.checked_shl(128_u32.checked_sub(length).ok_or(NotANet::Else)?).unwrap_or(0);
        let net = Net { version: IpVersion::V6, bits: address.to_bits() & mask, mask };
        return if net.bits == address.to_bits() {
            Ok(net)
        } else {
            Err(NotANet::Host(format!("{}/{length}", Ipv6Addr::from_bits(net.bits))))
        };
    }
    let (bits, bytes) = partial(address).ok_or(NotANet::Else)?;
    let length = length.unwrap_or(bytes * 8);
    let mask = u32::MAX.checked_shl(32_u32.checked_sub(length).ok_or(NotANet::Else)?).unwrap_or(0);
    masked(bits, mask)
}

/// The network of an address and a mask such as `255.255.0.0`.
pub(super) fn net_with_mask(address: &str, mask: &str) -> Result<Net, NotANet> {
    let (bits, _) = partial(address).ok_or(NotANet::Else)?;
    let mask: Ipv4Addr = mask.parse().map_err(|_| NotANet::Else)?;
    masked(bits, mask.to_bits())
}

fn masked(bits: u32, mask: u32) -> Result<Net, NotANet> {
    if bits & mask == bits {
        return Ok(v4(bits, mask));
    }
    let base = Ipv4Addr::from_bits(bits & mask);
    Err(NotANet::Host(if mask.leading_ones() + mask.trailing_zeros() >= 32 {
        format!("{base}/{}", mask.leading_ones())
    } else {
        format!("{base} mask {}", Ipv4Addr::from_bits(mask))
    }))
}

/// An IPv4 address of which bytes at the end may be missing, and how many are there.
fn partial(text: &str) -> Option<(u32, u32)> {
    let mut bits: u32 = 0;
    let mut count = 0;
    for part in text.split('.') {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let byte: u8 = part.parse().ok().filter(|_| is_number && count < 4)?;
        bits |= u32::from(byte) << (24 - 8 * count);
        count += 1;
    }
    Some((bits, count))
}

const fn v4(bits: u32, mask: u32) -> Net {
    // The upper bits of both are zero, as in a packet's address.
    Net { version: IpVersion::V4, bits: bits as u128, mask: mask as u128 }
}
