//! All flows of a pipeline, within a fixed number: found by key, ordered by idleness, listed by due time.
//!
//! Flows live in slabs that never move; the index holds their numbers only. Two intrusive lists run through them: from the idlest to the busiest (what to evict) and per tick of the timer wheel (what is due). Both are
//! kept lazily, so that a packet of a known flow touches nothing but the index and the flow itself.

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;

use enigma_wire::Packet;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use crate::{
    Timeouts, Timestamp,
    extra::{Extra, Totals},
    flow::{Carries, Flow, Kind, Mark},
    key::{FlowKey, Side},
    slab::{self, NONE, Recycled, Slab, Slot},
    tcp::TcpFlow,
    vantage::{PLAIN, VantageId},
    wheel::{self, Wheel},
};

/// Marks an index entry that leads to a flow by its second vantage.
const JOINED: Slot = 1 << 31;

/// Slots are numbered in 31 bits, so that [`JOINED`] is free.
pub(crate) const MAX_FLOWS: usize = slab::MAX_PLACES;

/// The most a flow takes: itself, its links, a TCP connection's own part, and the index at its worst load (a slot
/// number and a control byte, 16/7 of them when hashbrown has just doubled). Flows that are no TCP connection take
/// 112 bytes less; what long or eventful ones have beside (see `extra`) is not part of it.
pub(crate) const BYTES_PER_FLOW: usize = size_of::<Entry>() + size_of::<TcpFlow>() + 12;

/// A flow moves up the idleness list when it was there for one to two units of 2^27 ns (an eighth of a second).
/// Evictions are therefore exact to a quarter of a second, and a busy flow relinks (four cache lines) at most eight
/// times a second.
const RELINK_BITS: u32 = 27;

const fn relink_time(now: Timestamp) -> u16 {
    (now.as_nanos() >> RELINK_BITS) as u16
}

#[inline]
fn key_of(entries: &Slab<Entry>, found: Slot) -> Option<FlowKey> {
    let flow = entries.get(found & !JOINED)?.flow.as_ref()?;
    Some(if found & JOINED == 0 { flow.key } else { flow.key.seen_from(flow.other_vantage) })
}

#[inline]
fn hash(hasher: &FixedState, key: &FlowKey) -> u64 {
    let mut hasher = hasher.build_hasher();
    for word in key.words() {
        hasher.write_u64(word);
    }
    hasher.finish()
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    pub(crate) previous: Slot,
    pub(crate) next: Slot,
}

const UNLINKED: Links = Links { previous: NONE, next: NONE };

/// A flow and its places in the lists, in 144 bytes.
struct Entry {
    flow: Option<Flow>,
    idle: Links,
    timer: Links,
    /// The tick it is listed under.
    tick: wheel::Listed,
    /// When it last moved up the idleness list, in units of [`RELINK_BITS`], modulo 2^16: one that is met again
    /// after a multiple of two and a half hours moves up with its next packet instead.
    relinked: u16,
}

impl Recycled for Entry {
    fn next_free(&self) -> Slot {
        self.idle.next
    }

    fn set_next_free(&mut self, next: Slot) {
        self.idle = Links { previous: NONE, next };
    }
}

/// When flows end, and how often long ones are told of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    pub(crate) timeouts: Timeouts,
    pub(crate) interim: Option<Duration>,
}

/// A flow in all its parts.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) flow: &'a Flow,
    pub(crate) tcp: Option<&'a TcpFlow>,
    pub(crate) extra: Option<&'a Extra>,
    /// Number of the flow that it came through.
    pub(crate) tunnel: Option<u64>,
}

impl View<'_> {
    /// Everything that was counted of it.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let payload = self.flow.payload();
        for side in [Side::Low, Side::High] {
            let (index, count) = (side as usize, self.flow.counts[side as usize]);
            let low = [count.packets, count.ip_bytes, payload[index]];
            let [packets, ip_bytes, payload] =
                self.extra.map_or_else(|| low.map(u64::from), |extra| extra.widen(index, low));
            (totals.packets[index], totals.ip_bytes[index]) = (packets, ip_bytes);
            totals.bytes[index] = self.tcp.map_or(payload, |tcp| tcp.bytes(side));
            totals.retransmits[index] = self.tcp.map_or(0, |tcp| u64::from(tcp.end(side).retransmits));
            totals.out_of_order[index] = self.tcp.map_or(0, |tcp| u64::from(tcp.end(side).out_of_order));
        }
        totals.missed_bytes = self.tcp.map_or(0, |tcp| tcp.missed_bytes);
        totals
    }
}

/// A flow that is in the table no more.
pub(crate) struct Ended {
    pub(crate) flow: Flow,
    tcp: Option<TcpFlow>,
    extra: Option<Box<Extra>>,
    tunnel: Option<u64>,
}

impl Ended {
    pub(crate) fn view(&self) -> View<'_> {
        View { flow: &self.flow, tcp: self.tcp.as_ref(), extra: self.extra.as_deref(), tunnel: self.tunnel }
    }
}

/// What time brings.
// Made where it is used up: a box would cost more than the move.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Due<'a> {
    /// The flow is over.
    End(Ended),
    /// An interim record is to be made of it.
    Part(View<'a>),
}

/// What a packet meets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// The flow it belongs to.
    Alive,
    /// The same, but first an interim record is due.
    PartDue,
    /// A flow that is over, or another under the same key.
    Over,
}

pub(crate) struct Table {
    index: HashTable<Slot>,
    entries: Slab<Entry>,
    tcp: Slab<TcpFlow>,
    /// Of the few flows that have one.
    extras: HashMap<Slot, Box<Extra>, FixedState>,
    /// Of flows that came through tunnels, the tunnels' numbers.
    tunnels: HashMap<Slot, u64, FixedState>,
    idlest: Slot,
    busiest: Slot,
    wheel: Wheel,
    hasher: FixedState,
    live: usize,
    capacity: usize,
    /// Flows known under a second vantage's key, and how many may be.
    joined: usize,
    max_joined: usize,
    /// Where the next search for content begins.
    hand: Slot,
    lifetimes: Lifetimes,
}

impl Table {
    /// For `capacity` flows, of which `joined` may be known under a second vantage's key too.
    pub(crate) fn new(capacity: usize, joined: usize, hash_seed: u64, lifetimes: Lifetimes) -> Self {
        let hasher = FixedState::with_seed(hash_seed);
        Self {
            // All at once: a rehash of a million entries is a pause in which packets are lost.
            index: HashTable::with_capacity(capacity + joined),
            entries: Slab::new(capacity),
            tcp: Slab::new(capacity),
            extras: HashMap::with_hasher(FixedState::with_seed(hash_seed)),
            tunnels: HashMap::with_hasher(FixedState::with_seed(hash_seed)),
            idlest: NONE,
            busiest: NONE,
            wheel: Wheel::new(),
            hasher,
            live: 0,
            capacity,
            joined: 0,
            max_joined: joined,
            hand: 0,
            lifetimes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    #[inline]
    pub(crate) fn hash(&self, key: &FlowKey) -> u64 {
        hash(&self.hasher, key)
    }

    #[inline]
    fn flow(&self, slot: Slot) -> Option<&Flow> {
        self.entries.get(slot)?.flow.as_ref()
    }

    #[inline]
    pub(crate) fn flow_mut(&mut self, slot: Slot) -> Option<&mut Flow> {
        self.entries.get_mut(slot)?.flow.as_mut()
    }

    pub(crate) fn view(&self, slot: Slot) -> Option<View<'_>> {
        let flow = self.flow(slot)?;
        let tcp = flow.tcp_slot().and_then(|slot| self.tcp.get(slot));
        let extra = if flow.marks.has(Mark::Extra) { self.extras.get(&slot) } else { None };
        let tunnel = flow.marks.has(Mark::Tunnelled).then(|| self.tunnels.get(&slot).copied()).flatten();
        Some(View { flow, tcp, extra: extra.map(AsRef::as_ref), tunnel })
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &FlowKey) -> Option<Slot> {
        let is_it = |&found: &Slot| self.key_of(found).is_some_and(|found| found == *key);
        self.index.find(hash, is_it).map(|found| found & !JOINED)
    }

    /// The key that an index entry stands for.
    #[inline]
    fn key_of(&self, found: Slot) -> Option<FlowKey> {
        key_of(&self.entries, found)
    }

    /// Adds a flow that is not in the table, which must not be full. Its timer is set by [`Self::settle`].
    pub(crate) fn insert(&mut self, hash: u64, mut flow: Flow, tunnel: Option<u64>, now: Timestamp) -> Slot {
        if tunnel.is_some() {
            flow.marks.set(Mark::Tunnelled);
        }
        if flow.kind == Kind::Tcp {
            let slot = self.tcp.insert(TcpFlow::default());
            flow.set_tcp_slot(slot);
        }
        let entry = Entry {
            flow: Some(flow),
            idle: UNLINKED,
            timer: UNLINKED,
            tick: wheel::UNLISTED,
            relinked: relink_time(now),
        };
        let slot = self.entries.insert(entry);
        if let Some(tunnel) = tunnel {
            self.tunnels.insert(slot, tunnel);
        }
        self.add_to_index(hash, slot);
        self.link_busiest(slot);
        self.live += 1;
        slot
    }

    fn add_to_index(&mut self, hash: u64, slot: Slot) {
        let Self { index, entries, hasher, .. } = self;
        index.insert_unique(hash, slot, |&found| {
            key_of(entries, found).map_or(0, |key| self::hash(hasher, &key))
        });
    }

    /// Makes the flow known under `vantage` too, if there is room for that and it is not known elsewhere already.
    pub(crate) fn join(&mut self, slot: Slot, vantage: VantageId) -> bool {
        let Some(flow) = self.flow(slot) else {
            return false;
        };
        let key = flow.key.seen_from(vantage);
        // Not what the index could still take: new flows have a right to that, and it must not grow.
        let has_room = self.joined < self.max_joined;
        if flow.other_vantage != PLAIN || flow.key.vantage == vantage || !has_room {
            return false;
        }
        let hash = self.hash(&key);
        if self.find(hash, &key).is_some() {
            return false;
        }
        self.add_to_index(hash, slot | JOINED);
        self.joined += 1;
        if let Some(flow) = self.flow_mut(slot) {
            flow.other_vantage = vantage;
        }
        true
    }

    /// Takes a flow out; its memory is kept for the next.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Ended> {
        let flow = self.entries.get_mut(slot)?.flow.take()?;
        self.unlink_idle(slot);
        self.unlist(slot);
        self.remove_from_index(slot, &flow.key);
        if flow.other_vantage != PLAIN {
            self.remove_from_index(slot | JOINED, &flow.key.seen_from(flow.other_vantage));
            self.joined -= 1;
        }
        self.entries.release(slot);
        self.live -= 1;
        let tcp = flow.tcp_slot().and_then(|slot| {
            let tcp = self.tcp.get_mut(slot).map(core::mem::take);
            self.tcp.release(slot);
            tcp
        });
        let extra = if flow.marks.has(Mark::Extra) { self.extras.remove(&slot) } else { None };
        let tunnel = flow.marks.has(Mark::Tunnelled).then(|| self.tunnels.remove(&slot)).flatten();
        Some(Ended { flow, tcp, extra, tunnel })
    }

    fn remove_from_index(&mut self, found: Slot, key: &FlowKey) {
        let hash = self.hash(key);
        if let Ok(occupied) = self.index.find_entry(hash, |&other| other == found) {
            occupied.remove();
        }
    }

    /// What `packet`, which came at `at`, finds in `slot`.
    ///
    /// By the packet's own time: one frame with a clock from the future must not end all other flows with each of
    /// their packets.
    #[inline]
    pub(crate) fn standing(&self, slot: Slot, packet: &Packet<'_>, at: Timestamp) -> Standing {
        let Some(entry) = self.entries.get(slot) else {
            return Standing::Over;
        };
        let Some(flow) = &entry.flow else {
            return Standing::Over;
        };
        let tcp = flow.tcp_slot().and_then(|slot| self.tcp.get(slot));
        if flow.is_reused_by(tcp, packet) {
            return Standing::Over;
        }
        // No flow is listed under a later tick than its due time's, unless the wheel was there already.
        if self.wheel.is_reached_by(at) && entry.tick.is_after(at) {
            return Standing::Alive;
        }
        if flow.ends(tcp, &self.lifetimes.timeouts) <= at {
            Standing::Over
        } else if flow.interim(self.lifetimes.interim) <= at {
            Standing::PartDue
        } else {
            Standing::Alive
        }
    }

    /// Counts `packet` in the flow in `slot`; returns the flow and the number of a connection's first byte.
    #[inline]
    pub(crate) fn take(
        &mut self,
        slot: Slot,
        packet: &Packet<'_>,
        side: Side,
        at: Timestamp,
    ) -> Option<(&mut Flow, u32)> {
        let flow = self.entries.get_mut(slot)?.flow.as_mut()?;
        let mut tcp = flow.tcp_slot().and_then(|slot| self.tcp.get_mut(slot));
        let carries = flow.take(tcp.as_deref_mut(), packet, side, at, &self.lifetimes.timeouts);
        let first = tcp.map_or(0, |tcp| tcp.end(side).first_byte());
        if flow.conn.letters.is_nearly_full() || carries != Carries::default() {
            flow.marks.set(Mark::Extra);
            let extra = self.extras.entry(slot).or_default();
            extra.carry(side, carries);
            if flow.conn.letters.is_nearly_full() {
                extra.history.append(core::mem::take(&mut flow.conn.letters));
            }
        }
        Some((flow, first))
    }

    /// Gives the flow to `tell` for an interim record if it has packets that none has told, and notes that they are.
    pub(crate) fn cut(&mut self, slot: Slot, now: Timestamp, tell: impl FnOnce(View<'_>)) {
        let Some(every) = self.lifetimes.interim else {
            return;
        };
        let Some(view) = self.view(slot) else { return };
        let (totals, last) = (view.totals(), view.flow.conn.last);
        let is_news = view.extra.is_none_or(|extra| extra.told.packets != totals.packets);
        if is_news {
            tell(view);
        }
        let Some(flow) = self.entries.get_mut(slot).and_then(|entry| entry.flow.as_mut()) else {
            return;
        };
        flow.pass_interims(every, now);
        if is_news {
            flow.marks.set(Mark::Extra);
            let extra = self.extras.entry(slot).or_default();
            (extra.told, extra.told_until) = (totals, Some(last));
            extra.interims = extra.interims.saturating_add(1);
        }
    }

    fn due(&self, slot: Slot) -> Timestamp {
        let Some(flow) = self.flow(slot) else {
            return Timestamp::MIN;
        };
        let tcp = flow.tcp_slot().and_then(|slot| self.tcp.get(slot));
        flow.ends(tcp, &self.lifetimes.timeouts).min(flow.interim(self.lifetimes.interim))
    }

    /// After a packet: notes that the flow is busy, and lists it under its due time if that came nearer.
    #[inline]
    pub(crate) fn settle(&mut self, slot: Slot, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(slot) else {
            return;
        };
        let Some(flow) = &entry.flow else { return };
        let is_listed = entry.tick != wheel::UNLISTED;
        let was_idle = relink_time(now).wrapping_sub(entry.relinked) > 1;
        // Only a connection's end can come nearer with a packet.
        let may_be_sooner = !is_listed || flow.kind == Kind::Tcp;
        if was_idle {
            entry.relinked = relink_time(now);
            if self.busiest != slot {
                self.unlink_idle(slot);
                self.link_busiest(slot);
            }
        }
        if may_be_sooner {
            let due = self.due(slot);
            if self.entries.get(slot).is_some_and(|entry| entry.tick.is_after(due)) {
                self.unlist(slot);
                self.list(slot, wheel::tick_of(due));
            }
        }
    }

    /// The flow that has been silent longest.
    pub(crate) fn idlest(&self) -> Option<Slot> {
        (self.idlest != NONE).then_some(self.idlest)
    }

    /// Moves the wheel on towards `now`, past `most` flows at most; what is due by then is passed to `tell`, the idlest
    /// first within a tick. Says whether there is more.
    pub(crate) fn advance(&mut self, now: Timestamp, most: usize, mut tell: impl FnMut(Due<'_>)) -> bool {
        for _ in 0..most {
            let slot = self.wheel.due(now);
            if slot == NONE {
                return false;
            }
            if self.is_over(slot, now) {
                if let Some(ended) = self.remove(slot) {
                    tell(Due::End(ended));
                }
                continue;
            }
            if self.due(slot) <= now {
                self.cut(slot, now, |view| tell(Due::Part(view)));
            }
            let due = self.due(slot);
            self.unlist(slot);
            self.list(slot, wheel::tick_of(due));
        }
        self.wheel.due(now) != NONE
    }

    fn is_over(&self, slot: Slot, now: Timestamp) -> bool {
        let Some(view) = self.view(slot) else {
            return false;
        };
        view.flow.ends(view.tcp, &self.lifetimes.timeouts) <= now
    }

    /// Places of flows, used or not: slots are below this number.
    pub(crate) fn places(&self) -> Slot {
        self.entries.places()
    }

    #[inline]
    pub(crate) fn is_behind(&self, now: Timestamp) -> bool {
        self.wheel.is_behind(now)
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.wheel.next_deadline()
    }
}

mod lists;

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
