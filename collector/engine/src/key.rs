//! Which flow a packet belongs to: the vantage it was seen from and its addresses and ports without
//! direction.
//!
//! The vantage (session and mirrored interface) is always part of the key, by its number: addresses of different VPCs
//! overlap, and two mirrored interfaces that talk to each other give two copies of every packet, one each
//! (<https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-packet-formats.html>).

use enigma_wire::{IpVersion, Packet, Transport};

use crate::{icmp, vantage::VantageId};

pub(crate) use crate::vantage::Vantage;

/// A direction-free key, 40 bytes. `Side::Low` is the end with the smaller address and port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FlowKey {
    /// Addresses as two words each, the higher first.
    low: [u64; 2],
    high: [u64; 2],
    low_port: u16,
    high_port: u16,
    pub(crate) vantage: VantageId,
    pub(crate) protocol: u8,
    /// 4 or 6, and whether the key has a direction after all.
    kind: u8,
}

const KIND_V6: u8 = 1;
const KIND_ONE_WAY: u8 = 2;
/// Not a conversation but a tunnel: what encloses others' packets.
const KIND_TUNNEL: u8 = 4;

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
    pub(crate) fn of(packet: &Packet<'_>, vantage: VantageId) -> (Self, Side) {
        let (source_port, destination_port, one_way) = ports_of(packet);
        Self::new(packet, vantage, source_port, destination_port, one_way)
    }

    /// The key of a packet whose ports are known from elsewhere: a fragment's, from the head of its datagram.
    #[inline]
    pub(crate) fn new(
        packet: &Packet<'_>,
        vantage: VantageId,
        source_port: u16,
        destination_port: u16,
        one_way: bool,
    ) -> (Self, Side) {
        let mut kind = if packet.version == IpVersion::V6 { KIND_V6 } else { 0 };
        let is_low = one_way || (packet.source, source_port) <= (packet.destination, destination_port);
        if one_way {
            kind |= KIND_ONE_WAY;
        }
        let (low, high, low_port, high_port, side) = if is_low {
            (packet.source, packet.destination, source_port, destination_port, Side::Low)
        } else {
            (packet.destination, packet.source, destination_port, source_port, Side::High)
        };
        let (low, high, protocol) = (words(low), words(high), packet.protocol);
        (Self { low, high, low_port, high_port, vantage, protocol, kind }, side)
    }

    /// The key of the tunnel that `packet` is a part of: two hosts and a protocol.
    pub(crate) fn of_tunnel(packet: &Packet<'_>, vantage: VantageId) -> (Self, Side) {
        let (mut key, side) = Self::new(packet, vantage, 0, 0, false);
        key.kind |= KIND_TUNNEL;
        (key, side)
    }

    pub(crate) const fn is_tunnel(&self) -> bool {
        self.kind & KIND_TUNNEL != 0
    }

    /// The same conversation, seen from elsewhere.
    pub(crate) const fn seen_from(self, vantage: VantageId) -> Self {
        Self { vantage, ..self }
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
            Side::Low => (address(self.low), self.low_port),
            Side::High => (address(self.high), self.high_port),
        }
    }

    /// The key as words for hashing: every field is in exactly one of them.
    #[inline]
    pub(crate) fn words(&self) -> [u64; 5] {
        let ports = u64::from(self.low_port) << 48 | u64::from(self.high_port) << 32;
        let rest = u64::from(self.vantage) << 16 | u64::from(self.protocol) << 8 | u64::from(self.kind);
        [self.low[0], self.low[1], self.high[0], self.high[1], ports | rest]
    }
}

const fn words(address: u128) -> [u64; 2] {
    [(address >> 64) as u64, address as u64]
}

const fn address(words: [u64; 2]) -> u128 {
    (words[0] as u128) << 64 | words[1] as u128
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
