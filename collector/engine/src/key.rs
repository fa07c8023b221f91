//! Which flow a packet belongs to: the vantage it was seen from and its addresses and ports without
//! direction.
//!
//! The vantage (session and mirrored interface) is always part of the key: addresses of different VPCs
//! overlap, and two mirrored interfaces that talk to each other give two copies of every packet, one each
//! (<https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-packet-formats.html>).

use core::net::IpAddr;

use enigma_wire::{IpVersion, Packet, Transport, Vni, packet::ip_addr};

use crate::icmp;

/// From where a packet was seen: the mirror session, and who sent it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Vantage {
    /// The session's VNI.
    pub vni: Vni,
    /// The outer source address: the mirrored interface's primary address.
    pub source: IpAddr,
}

/// No session: a packet of a capture that was not encapsulated. VNIs end at 24 bits.
const PLAIN: u32 = u32::MAX;

/// A direction-free key. `Side::Low` is the end with the smaller address and port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FlowKey {
    pub(crate) low: u128,
    pub(crate) high: u128,
    vantage_source: u128,
    vni: u32,
    pub(crate) low_port: u16,
    pub(crate) high_port: u16,
    pub(crate) protocol: u8,
    /// 4 or 6, and with them the same of the vantage's source and whether the key has a direction after all.
    kind: u8,
}

const KIND_V6: u8 = 1;
const KIND_VANTAGE_V6: u8 = 2;
const KIND_ONE_WAY: u8 = 4;

/// One end of a flow, independent of who began it; an index into pairs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Low = 0,
    High = 1,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

impl FlowKey {
    /// The key of `packet` and the side that sent it.
    #[inline]
    pub(crate) fn of(packet: &Packet<'_>, vantage: Option<&Vantage>) -> (Self, Side) {
        let (source_port, destination_port, one_way) = ports_of(packet);
        Self::new(packet, vantage, source_port, destination_port, one_way)
    }

    /// The key of a packet whose ports are known from elsewhere: a fragment's, from the head of its datagram.
    #[inline]
    pub(crate) fn new(
        packet: &Packet<'_>,
        vantage: Option<&Vantage>,
        source_port: u16,
        destination_port: u16,
        one_way: bool,
    ) -> (Self, Side) {
        let mut kind = if packet.version == IpVersion::V6 { KIND_V6 } else { 0 };
        let (vni, vantage_source) = match vantage {
            None => (PLAIN, 0),
            Some(Vantage { vni, source: IpAddr::V4(v4) }) => (vni.get(), u128::from(v4.to_bits())),
            Some(Vantage { vni, source: IpAddr::V6(v6) }) => {
                kind |= KIND_VANTAGE_V6;
                (vni.get(), v6.to_bits())
            }
        };
        let is_low = one_way || (packet.source, source_port) <= (packet.destination, destination_port);
        if one_way {
            kind |= KIND_ONE_WAY;
        }
        let (low, high, low_port, high_port, side) = if is_low {
            (packet.source, packet.destination, source_port, destination_port, Side::Low)
        } else {
            (packet.destination, packet.source, destination_port, source_port, Side::High)
        };
        let protocol = packet.protocol;
        (Self { low, high, vantage_source, vni, low_port, high_port, protocol, kind }, side)
    }

    pub(crate) const fn version(&self) -> IpVersion {
        if self.kind & KIND_V6 != 0 { IpVersion::V6 } else { IpVersion::V4 }
    }

    pub(crate) const fn is_one_way(&self) -> bool {
        self.kind & KIND_ONE_WAY != 0
    }

    /// Address and port of one end.
    pub(crate) const fn end(&self, side: Side) -> (u128, u16) {
        match side {
            Side::Low => (self.low, self.low_port),
            Side::High => (self.high, self.high_port),
        }
    }

    pub(crate) fn vantage(&self) -> Option<Vantage> {
        let version = if self.kind & KIND_VANTAGE_V6 != 0 { IpVersion::V6 } else { IpVersion::V4 };
        Some(Vantage { vni: Vni::new(self.vni)?, source: ip_addr(version, self.vantage_source) })
    }

    /// The key as words for hashing: every field is in exactly one of them.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 8] {
        let ports = u64::from(self.low_port) << 48 | u64::from(self.high_port) << 32;
        let rest = u64::from(self.protocol) << 8 | u64::from(self.kind);
        [
            self.low as u64,
            (self.low >> 64) as u64,
            self.high as u64,
            (self.high >> 64) as u64,
            self.vantage_source as u64,
            (self.vantage_source >> 64) as u64,
            u64::from(self.vni),
            ports | rest,
        ]
    }
}

/// Source and destination "port" of a packet as flow tracking sees them, and whether the flow has only one
/// direction. ICMP has none and gets Zeek's: the type, and the type that answers it or else the code.
fn ports_of(packet: &Packet<'_>) -> (u16, u16, bool) {
    match packet.transport {
        Transport::Tcp(tcp) => (tcp.source_port, tcp.destination_port, false),
        Transport::Udp(udp) => (udp.source_port, udp.destination_port, false),
        Transport::Sctp(ports) => (ports.source, ports.destination, false),
        Transport::Icmp(icmp) => match icmp::counterpart(packet.version, icmp.kind) {
            Some(answer) => (u16::from(icmp.kind), u16::from(answer), false),
            None => (u16::from(icmp.kind), u16::from(icmp.code), true),
        },
        Transport::Other | Transport::FragmentTail => (0, 0, false),
    }
}

#[cfg(test)]
mod tests;
