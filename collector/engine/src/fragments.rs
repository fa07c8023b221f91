//! Remembers the ports of a datagram's first fragment for the later ones.
//!
//! Nothing is put together: each fragment counts as the packet it is. The memory is a fixed table of sets of
//! four: a newer datagram takes the place of the oldest in its set, whose remaining fragments then count as
//! `fragment_without_head`. Fragments that arrive before their head do so too.

use core::time::Duration;

use enigma_wire::{Fragment, Packet, Transport};

use crate::{Timestamp, vantage::VantageId};

/// Datagrams remembered at once. In VPCs fragments are rare (jumbo frames, TCP); 1024 fit in 80 KiB.
const CAPACITY: usize = 1024;

/// Datagrams that share a place: with as many sets as there are datagrams on their way, two in a thousand lose theirs.
const WAYS: usize = 4;

/// How long the rest of a datagram may take: RFC 8200 section 4.5 gives 60 s, IPv4 stacks 30.
const LIFETIME: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
struct Head {
    source: u128,
    destination: u128,
    vantage: VantageId,
    id: u32,
    protocol: u8,
    ports: (u16, u16),
    at: Timestamp,
}

pub(crate) struct Fragments {
    heads: Vec<Option<Head>>,
}

impl Fragments {
    pub(crate) fn new() -> Self {
        // Allocated with the first fragment: most pipelines never see one.
        Self { heads: Vec::new() }
    }

    /// The first place of the set that a datagram belongs to.
    fn set(packet: &Packet<'_>, fragment: Fragment, vantage: VantageId) -> usize {
        let number = u128::from(fragment.id) << 64 | u128::from(vantage);
        let mixed = packet.source ^ packet.destination.rotate_left(7) ^ number;
        let mixed = (mixed as u64 ^ (mixed >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize % (CAPACITY / WAYS) * WAYS
    }

    /// Remembers `packet` if it is the first fragment of a datagram with ports.
    pub(crate) fn remember(
        &mut self,
        packet: &Packet<'_>,
        fragment: Fragment,
        vantage: VantageId,
        at: Timestamp,
    ) {
        let ports = match packet.transport {
            Transport::Tcp(tcp) => (tcp.source_port, tcp.destination_port),
            Transport::Udp(udp) => (udp.source_port, udp.destination_port),
            Transport::Sctp(ports) => (ports.source, ports.destination),
            Transport::Icmp(icmp) => (u16::from(icmp.kind), u16::from(icmp.code)),
            Transport::Other => (0, 0),
            Transport::FragmentTail => return,
        };
        if self.heads.is_empty() {
            self.heads.resize(CAPACITY, None);
        }
        let (source, destination, protocol) = (packet.source, packet.destination, packet.protocol);
        let head = Head { source, destination, vantage, id: fragment.id, protocol, ports, at };
        let set = Self::set(packet, fragment, vantage);
        let places = self.heads.get_mut(set..set + WAYS).unwrap_or_default();
        let is_same = |old: &Head| {
            (old.id, old.source, old.destination, old.vantage) == (head.id, source, destination, vantage)
        };
        // Itself again (sent twice, or its number used again), else a free place, else the oldest.
        let place = places.iter_mut().min_by_key(|place| match place {
            Some(old) if is_same(old) => (0, old.at),
            None => (1, at),
            Some(old) => (2, old.at),
        });
        if let Some(place) = place {
            *place = Some(head);
        }
    }

    /// The ports (ICMP: type and code) of the datagram that `packet` continues.
    pub(crate) fn ports(
        &self,
        packet: &Packet<'_>,
        fragment: Fragment,
        vantage: VantageId,
        at: Timestamp,
    ) -> Option<(u16, u16)> {
        let set = Self::set(packet, fragment, vantage);
        let is_it = |head: &&Head| {
            head.source == packet.source
                && head.destination == packet.destination
                && head.vantage == vantage
                && head.id == fragment.id
                && head.protocol == packet.protocol
                && at.since(head.at) <= LIFETIME
        };
        self.heads.get(set..set + WAYS)?.iter().flatten().find(is_it).map(|head| head.ports)
    }
}
