//! Remembers the ports of a datagram's first fragment for the later ones, and later ones that came before it.
//!
//! Nothing is put together: each fragment counts as the packet it is. The memory of heads is a fixed table of sets of
//! eight: a newer datagram takes the place of the oldest in its set, whose remaining fragments then wait in vain. Those
//! that wait stand in a [`Waiting`] line of fixed length. What becomes of them, who holds the line decides.

use core::time::Duration;
use std::collections::VecDeque;

use enigma_wire::{Fragment, Packet, Transport};

use crate::{Timestamp, vantage::VantageId};

/// Datagrams remembered at once. In VPCs fragments are rare (jumbo frames, TCP): the 320 KiB are only taken when one
/// comes. An attack of fragments costs nothing more; it makes others' tails wait in vain.
const CAPACITY: usize = 4096;

/// Datagrams that share a place. With as many newer datagrams between a head and its tail as there are sets (512), one in
/// a hundred thousand has lost its place by then; with 1024 datagrams in sets of four, traffic of fragments alone lost
/// some.
const WAYS: usize = 8;

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

/// Tails that wait at once. A datagram of 64 KiB has 45 fragments in Ethernet's usual frames: five such datagrams that
/// arrive backwards, in 56 KiB. When the line is full its oldest has waited long enough.
const WAITING: usize = 256;

/// How long a tail waits: reordering is a matter of milliseconds, and what is kept back is told late. A head that was
/// sent again later than this belongs to a datagram that the receiver has seen fail.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of a waiting packet that are kept: what a search for copies compares.
pub(crate) const KEPT: usize = 64;

/// A tail whose head has not come yet.
pub(crate) struct Tail<O> {
    /// Without its payload.
    header: Packet<'static>,
    payload: [u8; KEPT],
    payload_len: usize,
    fragment: Fragment,
    vantage: VantageId,
    since: Timestamp,
    /// Where it came from.
    pub(crate) origin: O,
}

impl<O> Tail<O> {
    pub(crate) fn new(
        packet: &Packet<'_>,
        fragment: Fragment,
        vantage: VantageId,
        since: Timestamp,
        origin: O,
    ) -> Self {
        let mut payload = [0; KEPT];
        let payload_len = packet.payload.len().min(KEPT);
        if let (Some(kept), Some(seen)) = (payload.get_mut(..payload_len), packet.payload.get(..payload_len))
        {
            kept.copy_from_slice(seen);
        }
        let header = Packet { payload: &[], ..*packet };
        Self { header, payload, payload_len, fragment, vantage, since, origin }
    }

    /// The packet, of whose payload the beginning is left.
    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet { payload: self.payload.get(..self.payload_len).unwrap_or_default(), ..self.header }
    }

    fn continues(&self, head: &Packet<'_>, fragment: Fragment, vantage: VantageId) -> bool {
        let mine = &self.header;
        self.fragment.id == fragment.id
            && self.vantage == vantage
            && (mine.source, mine.destination) == (head.source, head.destination)
            && (mine.protocol, mine.version) == (head.protocol, head.version)
    }
}

/// The tails that wait for their heads, in the order of their arrival.
pub(crate) struct Waiting<O> {
    line: VecDeque<Tail<O>>,
    /// The number of each tail's datagram, apart: a search passes over a kilobyte instead of the whole line.
    ids: VecDeque<u32>,
}

impl<O> Waiting<O> {
    pub(crate) fn new() -> Self {
        // Allocated with the first tail that has to wait.
        Self { line: VecDeque::new(), ids: VecDeque::new() }
    }

    /// Lets a tail wait; gives back the oldest if there is no room for both.
    #[must_use]
    pub(crate) fn push(&mut self, tail: Tail<O>) -> Option<Tail<O>> {
        let oldest = if self.line.len() >= WAITING { self.pop() } else { None };
        self.ids.push_back(tail.fragment.id);
        self.line.push_back(tail);
        oldest
    }

    /// Takes out the oldest, if it has waited in vain by `now`.
    pub(crate) fn give_up(&mut self, now: Timestamp) -> Option<Tail<O>> {
        let is_late = self.line.front().is_some_and(|tail| now.since(tail.since) > PATIENCE);
        if is_late { self.pop() } else { None }
    }

    /// Takes out the oldest.
    pub(crate) fn pop(&mut self) -> Option<Tail<O>> {
        self.ids.pop_front();
        self.line.pop_front()
    }

    /// Takes out the first tail of the datagram that `head` begins.
    pub(crate) fn next_of(
        &mut self,
        head: &Packet<'_>,
        fragment: Fragment,
        vantage: VantageId,
    ) -> Option<Tail<O>> {
        let continues =
            |place: usize| self.line.get(place).is_some_and(|tail| tail.continues(head, fragment, vantage));
        let mut same = self.ids.iter().enumerate().filter(|(_, id)| **id == fragment.id);
        let (place, _) = same.find(|(place, _)| continues(*place))?;
        self.ids.remove(place);
        self.line.remove(place)
    }
}
