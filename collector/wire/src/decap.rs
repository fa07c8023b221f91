//! Strips what a mirror session puts around a packet.
//!
//! Three doors: a VXLAN datagram (`vxlan::decode`), a GENEVE datagram from a Gateway Load Balancer
//! ([`geneve`]) and a whole captured frame of mirror traffic ([`frame`]). It does not know which sessions or
//! senders are expected.

use core::net::IpAddr;

use crate::{DecodeError, IpVersion, Layer, LinkType, Packet, Problem, Transport, Vni, packet, vxlan};

/// One mirrored packet out of its encapsulation.
///
/// VNI and outer source together are the *vantage*: the session, and the interface it mirrors. The outer
/// source address is the mirrored interface's primary address, also behind a Network Load Balancer:
/// <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-packet-formats.html>.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Encapsulated<'a> {
    /// The session on the wire.
    pub vni: Vni,
    /// Who sent the VXLAN datagram.
    pub source: IpAddr,
    /// The inner Ethernet frame, perhaps cut.
    pub frame: &'a [u8],
    /// Length the inner frame had before a capture cut it; at least `frame.len()`.
    pub wire_len: u32,
}

/// Reads GENEVE > IPv4 or IPv6 > UDP 4789 > VXLAN from the payload of a datagram to UDP 6081.
///
/// # Errors
/// The first layer that could not be read, or that is not what a mirror session sends.
pub fn geneve(payload: &[u8], wire_len: u32) -> Result<Encapsulated<'_>, DecodeError> {
    let outer = crate::geneve::decode(payload)?;
    let link = if outer.protocol == crate::geneve::ETHERNET { LinkType::Ethernet } else { LinkType::RawIp };
    let inner_len = wire_len.saturating_sub(outer.header_len as u32);
    let inner = packet::decode(outer.payload, link, inner_len).map_err(|e| e.behind(outer.header_len))?;
    vxlan_in(&inner)
}

/// Finds a mirrored packet in a captured frame: VXLAN to UDP 4789, directly or inside GENEVE.
///
/// `wire_len` is the frame's length on the wire, which a capture may have cut.
///
/// # Errors
/// What stopped the reading; [`Problem::Value`] or [`Problem::Unsupported`] of [`Layer::Vxlan`],
/// [`Layer::Geneve`] or [`Layer::Udp`] when the frame is readable but not mirror traffic.
pub fn frame(frame: &[u8], link: LinkType, wire_len: u32) -> Result<Encapsulated<'_>, DecodeError> {
    from_packet(&packet::decode(frame, link, wire_len)?)
}

/// As [`frame`], for a frame that is decoded already.
///
/// # Errors
/// As [`frame`]; offsets count from the UDP payload.
pub fn from_packet<'a>(outer: &Packet<'a>) -> Result<Encapsulated<'a>, DecodeError> {
    if let Transport::Udp(udp) = outer.transport
        && udp.destination_port == crate::geneve::PORT
    {
        return geneve(outer.payload, udp.payload_len);
    }
    vxlan_in(outer)
}

fn vxlan_in<'a>(outer: &Packet<'a>) -> Result<Encapsulated<'a>, DecodeError> {
    let udp = match outer.transport {
        Transport::Udp(udp) if udp.destination_port == vxlan::PORT => udp,
        Transport::Udp(udp) => {
            let (need, have) = (vxlan::PORT as usize, udp.destination_port as usize);
            return Err(DecodeError::new(Layer::Udp, Problem::Value, need, have, 0));
        }
        _ => return Err(DecodeError::new(Layer::Udp, Problem::Unsupported, 17, outer.protocol as usize, 0)),
    };
    let (vni, inner) = vxlan::decode(outer.payload)?;
    let wire_len = udp.payload_len.saturating_sub(vxlan::HEADER_LEN as u32).max(inner.len() as u32);
    Ok(Encapsulated { vni, source: outer.source_ip(), frame: inner, wire_len })
}

/// Length of the outer headers a receiver adds back to account bytes on the wire: IP, UDP and VXLAN.
pub const fn overhead(outer: IpVersion) -> u32 {
    match outer {
        IpVersion::V4 => 20 + 8 + vxlan::HEADER_LEN as u32,
        IpVersion::V6 => 40 + 8 + vxlan::HEADER_LEN as u32,
    }
}

#[cfg(test)]
mod tests;
