//! Packets that were mirrored twice: at the interface that sent them and at the one that received them.
//!
//! Remembers for a while what was seen from where. A packet is a copy when another vantage has shown it at least as
//! often as its own has by now: so a retransmission seen twice from one vantage is two packets, and its two copies
//! from the other are none, in whatever order the four arrive. It knows flows by number only.
//!
//! What identifies a packet is what does not change between two interfaces of a network: its addresses, ports and
//! protocol, IP identification, length and fragment, TCP numbers and flags, and the first bytes it carries. Not
//! the Ethernet header (every interface has its own), not hop limits, and no checksum: on its way out of a host it is
//! often not computed yet.

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;

use enigma_wire::{Packet, Transport};
use foldhash::fast::FixedState;

use crate::{
    Timestamp, fragments,
    key::{FlowKey, Side},
    slab::{NONE, Slot},
    table::index::Index,
    vantage::{PLAIN, VantageId},
};

/// What to do with copies of packets that another vantage has shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Duplicates {
    /// Nothing: each vantage has a flow of its own, and nobody compares them.
    #[default]
    Off,
    /// Each vantage has a flow of its own; the one that began later is marked as
    /// [`duplicate`](crate::ConnRecord::duplicate).
    Mark,
    /// Copies are dropped and counted, and there is one flow: the second vantage joins the first one's.
    Drop,
}

/// Bytes of the payload that are compared. Sessions may cut packets at different lengths; with less than this left
/// of one of the two, they are not known as copies.
const COMPARED: usize = fragments::KEPT;

/// Vantages counted for one packet: sender, receiver, and an appliance between them. Others' copies are copies
/// without being counted.
const COUNTED: usize = 3;

#[derive(Clone, Copy, Debug)]
struct Seen {
    fingerprint: u64,
    at: Timestamp,
    /// The flow it was counted in.
    slot: Slot,
    serial: u64,
    /// How often each vantage showed it; 0 is no vantage.
    times: [(VantageId, u16); COUNTED],
}

/// Memory of one packet: itself, and its place in the index.
const BYTES_PER_PACKET: usize = size_of::<Seen>() + 8;

/// What a packet is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sighting {
    /// Not seen from elsewhere. The number is for [`Memory::belongs`].
    New(Option<u32>),
    /// A copy of a packet that was counted in this flow.
    Copy { slot: Slot, serial: u64 },
}

/// The packets of the last moments.
pub(crate) struct Memory {
    /// A ring: the oldest packet is at `first`.
    seen: Vec<Seen>,
    first: usize,
    len: usize,
    capacity: usize,
    index: Index,
    hasher: FixedState,
    window: Duration,
    /// Packets forgotten before their time because there was no room.
    pub(crate) forgotten: u64,
}

impl Memory {
    /// Remembers packets for `window`, in at most `bytes` of memory (at least 16 packets).
    pub(crate) fn new(bytes: usize, window: Duration, hash_seed: u64) -> Self {
        let capacity = (bytes / BYTES_PER_PACKET).clamp(16, u32::MAX as usize / 2);
        Self {
            // All at once, as the index: what grows is copied, and packets wait for that. The system gives it as it is used.
            seen: Vec::with_capacity(capacity),
            first: 0,
            len: 0,
            capacity,
            index: Index::new(capacity),
            // Not the flow table's: whoever learns one seed has not learnt the other.
            hasher: FixedState::with_seed(hash_seed.rotate_left(17) ^ 0x5bd1_e995),
            window,
            forgotten: 0,
        }
    }

    /// Looks at a packet that `vantage` shows at `at`.
    pub(crate) fn see(&mut self, key: &FlowKey, side: Side, packet: &Packet<'_>, at: Timestamp) -> Sighting {
        self.forget_until(at);
        let fingerprint = self.fingerprint(key, side, packet);
        let is_it =
            |place: u32| self.seen.get(place as usize).is_some_and(|seen| seen.fingerprint == fingerprint);
        if let Some(place) = self.index.find(fingerprint, is_it)
            && let Some(seen) = self.seen.get_mut(place as usize)
        {
            if at.since(seen.at).max(seen.at.since(at)) <= self.window {
                return seen.again(key.vantage, place);
            }
            // Clocks went back: what was remembered is of another time.
            (seen.at, seen.slot) = (at, NONE);
            seen.times = [(key.vantage, 1), (PLAIN, 0), (PLAIN, 0)];
            return Sighting::New(Some(place));
        }
        let mut times = [(PLAIN, 0); COUNTED];
        times[0] = (key.vantage, 1);
        let seen = Seen { fingerprint, at, slot: NONE, serial: 0, times };
        Sighting::New(self.remember(seen))
    }

    fn remember(&mut self, seen: Seen) -> Option<u32> {
        if self.len == self.capacity {
            self.forgotten += 1;
            self.forget_first();
        }
        let place = (self.first + self.len) % self.capacity;
        match self.seen.get_mut(place) {
            Some(free) => *free = seen,
            None => self.seen.push(seen),
        }
        self.len += 1;
        self.index.insert(seen.fingerprint, place as u32);
        Some(place as u32)
    }

    /// Notes the flow in which the packet of a [`Sighting::New`] was counted.
    pub(crate) fn belongs(&mut self, place: u32, slot: Slot, serial: u64) {
        if let Some(seen) = self.seen.get_mut(place as usize) {
            (seen.slot, seen.serial) = (slot, serial);
        }
    }

    fn forget_until(&mut self, now: Timestamp) {
        while self.len > 0 && self.seen.get(self.first).is_some_and(|seen| now.since(seen.at) > self.window) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(seen) = self.seen.get(self.first) {
            self.index.remove(seen.fingerprint, self.first as u32);
        }
        self.first = (self.first + 1) % self.capacity;
        self.len -= 1;
    }

    fn fingerprint(&self, key: &FlowKey, side: Side, packet: &Packet<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for word in key.seen_from(PLAIN).words() {
            hasher.write_u64(word);
        }
        let (offset, more) = packet.fragment.map_or((0, false), |fragment| (fragment.offset, fragment.more));
        hasher.write_u64(u64::from(packet.identification) << 32 | u64::from(packet.total_len));
        hasher.write_u64(u64::from(offset) << 2 | u64::from(more) << 1 | side as u64);
        if let Transport::Tcp(tcp) = packet.transport {
            hasher.write_u64(u64::from(tcp.sequence) << 32 | u64::from(tcp.acknowledgement));
            hasher.write_u64(u64::from(tcp.window) << 8 | u64::from(tcp.flags));
        }
        hasher.write(packet.payload.get(..COMPARED).unwrap_or(packet.payload));
        hasher.finish()
    }
}

impl Seen {
    /// Seen before: once more from `vantage`.
    fn again(&mut self, vantage: VantageId, place: u32) -> Sighting {
        let most = self.times.iter().filter(|(other, _)| *other != vantage).map(|(_, times)| *times).max();
        let mine = self.times.iter_mut().find(|(other, _)| *other == vantage || *other == PLAIN);
        // No place left for this vantage: it shows what three others have shown.
        let times = mine.map_or(1, |mine| {
            *mine = (vantage, mine.1.saturating_add(1));
            mine.1
        });
        if times <= most.unwrap_or(0) {
            Sighting::Copy { slot: self.slot, serial: self.serial }
        } else {
            Sighting::New(Some(place))
        }
    }
}

#[cfg(test)]
mod tests;
