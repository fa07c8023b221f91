//! A frame read down to its transport header, in one pass and without copying.
//!
//! The headers here are fixed and few, so they are read by hand. `etherparse`'s lax slices were measured first:
//! 65 ns a TCP packet against 23 (bench `decode/*` of enigma-engine, AMD EPYC, 2026-11). It is kept as the oracle
//! of the tests.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{DecodeError, Fragment, IpVersion, LinkType, Transport, Vlans, ip, link, transport};

/// One IP packet: who, to whom, what, how long, and the captured payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet<'a> {
    /// IPv4 or IPv6.
    pub version: IpVersion,
    /// Source address as a number; an IPv4 address in the low 32 bits.
    pub source: u128,
    /// Destination address, likewise.
    pub destination: u128,
    /// IP protocol number of `transport`, after extension headers.
    pub protocol: u8,
    /// Length of the IP packet on the wire, headers included; never the captured length unless the header
    /// has none (offloaded aggregates).
    pub total_len: u32,
    /// IPv4's identification; in IPv6 only fragments have one, and it is 0 elsewhere.
    pub identification: u32,
    /// Set for a fragment; the transport header is only in the one with offset zero.
    pub fragment: Option<Fragment>,
    /// The transport header.
    pub transport: Transport,
    /// Captured bytes behind the transport header, without link padding; shorter than announced when cut.
    pub payload: &'a [u8],
    /// Fewer bytes were captured than the IP header announces.
    pub truncated: bool,
    /// VLAN tags in front of IP.
    pub vlans: Vlans,
}

impl Packet<'_> {
    /// The source address.
    pub fn source_ip(&self) -> IpAddr {
        ip_addr(self.version, self.source)
    }

    /// The destination address.
    pub fn destination_ip(&self) -> IpAddr {
        ip_addr(self.version, self.destination)
    }
}

/// The address that `value` stands for in [`Packet::source`] and [`Packet::destination`].
pub fn ip_addr(version: IpVersion, value: u128) -> IpAddr {
    match version {
        IpVersion::V4 => IpAddr::V4(Ipv4Addr::from_bits(value as u32)),
        IpVersion::V6 => IpAddr::V6(Ipv6Addr::from_bits(value)),
    }
}

/// Reads `frame`, of which `wire_len` bytes were on the wire (`frame.len()` if nothing is known of a cut).
///
/// # Errors
/// The layer that could not be read. ARP and other protocols beside IP are errors with
/// [`Problem::Unsupported`](crate::Problem::Unsupported): there is no packet to return.
#[inline]
pub fn decode(frame: &[u8], link: LinkType, wire_len: u32) -> Result<Packet<'_>, DecodeError> {
    let (offset, vlans) = link::find_ip(frame, link)?;
    let Some(data) = frame.get(offset..) else {
        return Err(DecodeError::short(crate::Layer::Network, offset, frame.len(), 0));
    };
    let ip = ip::decode(data, wire_len.saturating_sub(offset as u32)).map_err(|e| e.behind(offset))?;
    let (transport, payload) = match ip.fragment {
        Some(Fragment { offset: 1.., .. }) => (Transport::FragmentTail, ip.payload),
        _ => transport::decode(ip.protocol, ip.version, ip.payload, ip.payload_len).map_err(|e| {
            let before = frame.len().saturating_sub(ip.payload.len());
            e.behind(before)
        })?,
    };
    Ok(Packet {
        version: ip.version,
        source: ip.source,
        destination: ip.destination,
        protocol: ip.protocol,
        total_len: ip.total_len,
        identification: ip.identification,
        fragment: ip.fragment,
        transport,
        payload,
        truncated: data.len() < ip.total_len as usize,
        vlans,
    })
}

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
