//! All flows of a pipeline, within a fixed number: found by key, ordered by idleness, listed by due time.
//!
//! Flows live in slabs that never move, and what some of them have beside takes places there like flows; the index
//! holds their numbers only. Two intrusive lists run through them: from the idlest to the busiest (what to evict) and
//! per tick of the timer wheel (what is due). Both are kept lazily, so that a packet of a known flow touches nothing
//! but the index and the flow itself.

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;

use enigma_wire::{Packet, Vlans};
use foldhash::fast::FixedState;

use crate::{
    Timeouts, Timestamp,
    extra::{Extra, Totals},
    flow::{Carries, Flow, Kind},
    history::Letters,
    key::{FlowKey, Side},
    slab::{self, NONE, Slab, Slot},
    tcp::{Beyond, TcpFlow},
    vantage::{PLAIN, VantageId},
    wheel::{self, Wheel},
};

use index::Index;
use place::{Entry, Is, Place, UNLINKED, entry, entry_mut};

/// Marks an index entry that leads to a flow by its second vantage.
const JOINED: Slot = 1 << 31;

/// Slots are numbered in 31 bits, so that [`JOINED`] is free.
pub(crate) const MAX_FLOWS: usize = slab::MAX_PLACES;

/// A place of its own and, if it is a TCP connection, that part. What long or eventful flows have beside takes places too.
const BYTES_PER_FLOW: usize = size_of::<Place>() + size_of::<TcpFlow>();

/// Places beyond the capacity: what one call may need before flows are evicted for it. Interim records are the most:
/// a place each for 512 flows. They are 74 KB.
const SPARE: usize = 520;

/// How many flows fit into `bytes`; with `is_dropping` half of them known under a second vantage's key too. At least 16.
pub(crate) fn max_flows(bytes: usize, is_dropping: bool) -> usize {
    // In eighteenths: of the index a flow takes a ninth of 64 bytes, or half as much again.
    let each = 18 * BYTES_PER_FLOW + if is_dropping { 192 } else { 128 };
    // A line to align it, and one that is not full.
    let flows = bytes.saturating_sub(128) as u64 * 18 / each as u64;
    usize::try_from(flows).unwrap_or(MAX_FLOWS).clamp(16, MAX_FLOWS)
}

/// A flow moves up the idleness list when it was there for one to two units of 2^27 ns (an eighth of a second).
/// Evictions are therefore exact to a quarter of a second, and a busy flow relinks (four cache lines) at most eight
/// times a second.
const RELINK_BITS: u32 = 27;

const fn relink_time(now: Timestamp) -> u16 {
    (now.as_nanos() >> RELINK_BITS) as u16
}

#[inline]
fn key_of(entries: &Slab<Place>, found: Slot) -> Option<FlowKey> {
    let flow = &entry(entries, found & !JOINED)?.flow;
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
}

impl View<'_> {
    /// VLANs of the first packet.
    pub(crate) fn vlans(&self) -> Vlans {
        self.extra.map_or_else(|| self.flow.vlans(), |extra| extra.vlans).get()
    }

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
    extra: Option<Extra>,
}

impl Ended {
    pub(crate) fn view(&self) -> View<'_> {
        View { flow: &self.flow, tcp: self.tcp.as_ref(), extra: self.extra.as_ref() }
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
    index: Index,
    entries: Slab<Place>,
    tcp: Slab<TcpFlow>,
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
            index: Index::new(capacity + joined),
            entries: Slab::new(capacity + SPARE),
            tcp: Slab::new(capacity),
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

    /// Whether there is no room for another flow.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.used() >= self.capacity
    }

    /// Whether more places are used than there should be.
    #[inline]
    pub(crate) fn is_overfull(&self) -> bool {
        self.entries.used() > self.capacity
    }

    #[inline]
    pub(crate) fn hash(&self, key: &FlowKey) -> u64 {
        hash(&self.hasher, key)
    }

    #[inline]
    fn flow(&self, slot: Slot) -> Option<&Flow> {
        Some(&entry(&self.entries, slot)?.flow)
    }

    #[inline]
    pub(crate) fn flow_mut(&mut self, slot: Slot) -> Option<&mut Flow> {
        Some(&mut entry_mut(&mut self.entries, slot)?.flow)
    }

    pub(crate) fn view(&self, slot: Slot) -> Option<View<'_>> {
        let flow = self.flow(slot)?;
        let tcp = flow.tcp_slot().and_then(|slot| self.tcp.get(slot));
        let extra = match flow.extra().and_then(|place| self.entries.get(place)) {
            Some(Place::Extra(extra)) => Some(extra),
            _ => None,
        };
        Some(View { flow, tcp, extra })
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &FlowKey) -> Option<Slot> {
        let is_it = |found: Slot| self.key_of(found).is_some_and(|found| found == *key);
        self.index.find(hash, is_it).map(|found| found & !JOINED)
    }

    /// The key that an index entry stands for.
    #[inline]
    fn key_of(&self, found: Slot) -> Option<FlowKey> {
        key_of(&self.entries, found)
    }

    /// Adds a flow that is not in the table, which must not be full. Its timer is set by [`Self::settle`].
    pub(crate) fn insert(&mut self, hash: u64, mut flow: Flow, tunnel: Option<u64>, now: Timestamp) -> Slot {
        if flow.kind == Kind::Tcp {
            let slot = self.tcp.insert(TcpFlow::default());
            flow.set_tcp_slot(slot);
        }
        let entry = Entry {
            flow,
            idle: UNLINKED,
            timer: UNLINKED,
            tick: wheel::UNLISTED,
            relinked: relink_time(now),
            _is: Is::Flow,
        };
        let slot = self.entries.insert(Place::Flow(entry));
        if let Some(tunnel) = tunnel
            && let Some(extra) = self.extra(slot)
        {
            extra.set_tunnel(tunnel);
        }
        self.index.insert(hash, slot);
        self.link_busiest(slot);
        self.live += 1;
        slot
    }

    /// Makes the flow known under `vantage` too, if there is room for that and it is not known elsewhere already.
    pub(crate) fn join(&mut self, slot: Slot, vantage: VantageId) -> bool {
        let Some(flow) = self.flow(slot) else {
            return false;
        };
        let key = flow.key.seen_from(vantage);
        // Not what the index could still take: new flows have a right to that.
        let has_room = self.joined < self.max_joined;
        if flow.other_vantage != PLAIN || flow.key.vantage == vantage || !has_room {
            return false;
        }
        let hash = self.hash(&key);
        if self.find(hash, &key).is_some() {
            return false;
        }
        self.index.insert(hash, slot | JOINED);
        self.joined += 1;
        if let Some(flow) = self.flow_mut(slot) {
            flow.other_vantage = vantage;
        }
        true
    }

    /// Takes a flow out; its memory is kept for the next.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Ended> {
        // Whatever else is in the place stays there.
        self.flow(slot)?;
        self.unlink_idle(slot);
        self.unlist(slot);
        let Some(Place::Flow(Entry { flow, .. })) = self.entries.take(slot) else { return None };
        self.remove_from_index(slot, &flow.key);
        if flow.other_vantage != PLAIN {
            self.remove_from_index(slot | JOINED, &flow.key.seen_from(flow.other_vantage));
            self.joined -= 1;
        }
        self.live -= 1;
        let mut tcp = flow.tcp_slot().and_then(|slot| self.tcp.take(slot));
        if let Some(place) = tcp.as_mut().and_then(TcpFlow::take_holes) {
            self.entries.take(place);
        }
        let extra = match flow.extra().and_then(|place| self.entries.take(place)) {
            Some(Place::Extra(extra)) => Some(extra),
            _ => None,
        };
        Some(Ended { flow, tcp, extra })
    }

    fn remove_from_index(&mut self, found: Slot, key: &FlowKey) {
        self.index.remove(self.hash(key), found);
    }

    /// What `packet`, which came at `at`, finds in `slot`.
    ///
    /// By the packet's own time: one frame with a clock from the future must not end all other flows with each of
    /// their packets.
    #[inline]
    pub(crate) fn standing(&self, slot: Slot, packet: &Packet<'_>, at: Timestamp) -> Standing {
        let Some(entry) = entry(&self.entries, slot) else {
            return Standing::Over;
        };
        let flow = &entry.flow;
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
        let Self { entries, tcp, lifetimes, .. } = self;
        let flow = &mut entry_mut(entries, slot)?.flow;
        let mut tcp = flow.tcp_slot().and_then(|slot| tcp.get_mut(slot));
        let first = if tcp.as_ref().is_some_and(|tcp| tcp.has_holes()) {
            self.take_beyond(slot, packet, side, at)?
        } else {
            let mut beyond = None;
            let carries = flow.take(tcp.as_deref_mut(), packet, side, at, &lifetimes.timeouts, &mut beyond);
            let first = tcp.map_or(0, |tcp| tcp.end(side).first_byte());
            if flow.conn.letters.is_nearly_full() || carries != Carries::default() || beyond.is_some() {
                self.keep_beside(slot, side, carries, beyond);
            }
            first
        };
        Some((self.flow_mut(slot)?, first))
    }

    /// The same for a connection with holes.
    #[cold]
    fn take_beyond(&mut self, slot: Slot, packet: &Packet<'_>, side: Side, at: Timestamp) -> Option<u32> {
        let Self { entries, tcp, lifetimes, .. } = self;
        let tcp = tcp.get_mut(entry(entries, slot)?.flow.tcp_slot()?)?;
        let mut beyond = match tcp.take_holes().and_then(|place| entries.take(place)) {
            Some(Place::Holes(holes)) => Some(holes),
            _ => None,
        };
        let flow = &mut entry_mut(entries, slot)?.flow;
        let carries = flow.take(Some(tcp), packet, side, at, &lifetimes.timeouts, &mut beyond);
        let first = tcp.end(side).first_byte();
        self.keep_beside(slot, side, carries, beyond);
        Some(first)
    }

    /// Puts what a packet has left beside a flow into places of its own.
    #[cold]
    fn keep_beside(&mut self, slot: Slot, side: Side, carries: Carries, beyond: Beyond) {
        if let Some(holes) = beyond {
            let place = self.entries.insert(Place::Holes(holes));
            let tcp_slot = self.flow(slot).and_then(Flow::tcp_slot);
            if let Some(tcp) = tcp_slot.and_then(|slot| self.tcp.get_mut(slot)) {
                tcp.set_holes(place);
            }
        }
        let Some(flow) = self.flow_mut(slot) else { return };
        let is_full = flow.conn.letters.is_nearly_full();
        if !is_full && carries == Carries::default() {
            return;
        }
        let letters = if is_full { core::mem::take(&mut flow.conn.letters) } else { Letters::default() };
        if let Some(extra) = self.extra(slot) {
            extra.carry(side, carries);
            extra.history.append(letters);
        }
    }

    /// What the flow in `slot` has beside, and from now on has if it had not.
    fn extra(&mut self, slot: Slot) -> Option<&mut Extra> {
        let flow = self.flow(slot)?;
        let place = match flow.extra() {
            Some(place) => place,
            None => {
                let place = self.entries.insert(Place::Extra(Extra::new(flow.vlans())));
                self.flow_mut(slot)?.set_extra(place);
                place
            }
        };
        if let Some(Place::Extra(extra)) = self.entries.get_mut(place) { Some(extra) } else { None }
    }

    /// Gives the flow to `tell` for an interim record if it has packets that none has told, and notes that they are.
    pub(crate) fn cut(&mut self, slot: Slot, now: Timestamp, tell: impl FnOnce(View<'_>)) {
        let Some(every) = self.lifetimes.interim else {
            return;
        };
        let Some(view) = self.view(slot) else { return };
        let (totals, last) = (view.totals(), view.flow.conn.last);
        let is_news = view.extra.is_none_or(|extra| extra.told().packets != totals.packets);
        if is_news {
            tell(view);
        }
        let Some(flow) = self.flow_mut(slot) else { return };
        flow.pass_interims(every, now);
        if is_news && let Some(extra) = self.extra(slot) {
            extra.tell(&totals, last);
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
        let Some(entry) = entry_mut(&mut self.entries, slot) else {
            return;
        };
        let flow = &entry.flow;
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
            if self.tick(slot).is_some_and(|tick| tick.is_after(due)) {
                self.unlist(slot);
                self.list(slot, wheel::tick_of(due));
            }
        }
    }

    /// The tick that the flow in `slot` is listed under.
    fn tick(&self, slot: Slot) -> Option<wheel::Listed> {
        Some(entry(&self.entries, slot)?.tick)
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

pub(crate) mod index;
mod lists;
mod place;

#[cfg(test)]
mod budget;
#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
