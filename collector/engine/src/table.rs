//! All flows of a pipeline, within a fixed number: found by key, ordered by idleness, listed by due time.
//!
//! Flows live in chunks that never move; the index holds their numbers only. Two intrusive lists run through
//! them: from the idlest to the busiest (what to evict) and per tick of the timer wheel (what is due). Both are
//! kept lazily, so that a packet of a known flow touches nothing but the index and the flow itself.

use core::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::{
    Timestamp,
    flow::Flow,
    key::FlowKey,
    wheel::{self, Wheel},
};

/// A place in the table.
pub(crate) type Slot = u32;

/// End of a list.
pub(crate) const NONE: Slot = Slot::MAX;

/// Flows allocated at a time: 4096 of some 400 bytes make a step of 1.6 MiB, small beside any budget and
/// large enough that growth is rare.
const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Slots are numbered in 32 bits, the last number marks the end of a list.
pub(crate) const MAX_FLOWS: usize = (u32::MAX - 1) as usize;

/// A flow's share of memory: itself, its links, and the index at its worst load (a slot number and a control
/// byte, 16/7 of them when hashbrown has just doubled).
pub(crate) const BYTES_PER_FLOW: usize = size_of::<Entry>() + 12;

/// A flow moves up the idleness list when it was there longer than this. Evictions are therefore exact to a
/// quarter of a second, and a busy flow relinks (four cache lines) at most four times a second.
const RELINK_NANOS: i64 = 250_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    pub(crate) previous: Slot,
    pub(crate) next: Slot,
}

const UNLINKED: Links = Links { previous: NONE, next: NONE };

pub(crate) struct Entry {
    flow: Option<Flow>,
    hash: u64,
    idle: Links,
    relinked: i64,
    pub(crate) timer: Links,
    /// The tick it is listed under.
    pub(crate) tick: i64,
}

pub(crate) struct Table {
    index: HashTable<Slot>,
    chunks: Vec<Vec<Entry>>,
    /// Slots given back, linked through `idle.next`.
    free: Slot,
    idlest: Slot,
    busiest: Slot,
    wheel: Wheel,
    hasher: FixedState,
    capacity: usize,
}

impl Table {
    pub(crate) fn new(capacity: usize, hash_seed: u64) -> Self {
        Self {
            // All at once: a rehash of a million entries is a pause in which packets are lost.
            index: HashTable::with_capacity(capacity),
            chunks: Vec::new(),
            free: NONE,
            idlest: NONE,
            busiest: NONE,
            wheel: Wheel::new(),
            hasher: FixedState::with_seed(hash_seed),
            capacity,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    #[inline]
    pub(crate) fn hash(&self, key: &FlowKey) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for word in key.words() {
            hasher.write_u64(word);
        }
        hasher.finish()
    }

    #[inline]
    fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.chunks.get((slot >> CHUNK_BITS) as usize)?.get(slot as usize & (CHUNK - 1))
    }

    #[inline]
    fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.chunks.get_mut((slot >> CHUNK_BITS) as usize)?.get_mut(slot as usize & (CHUNK - 1))
    }

    #[inline]
    pub(crate) fn flow_mut(&mut self, slot: Slot) -> Option<&mut Flow> {
        self.entry_mut(slot)?.flow.as_mut()
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &FlowKey) -> Option<Slot> {
        let is_it = |&slot: &Slot| {
            let flow = self.entry(slot).and_then(|entry| entry.flow.as_ref());
            flow.is_some_and(|flow| flow.key == *key)
        };
        self.index.find(hash, is_it).copied()
    }

    /// Adds a flow that is not in the table, which must not be full. Its timer is set by [`Self::settle`].
    pub(crate) fn insert(&mut self, hash: u64, flow: Flow, now: Timestamp) -> Slot {
        let entry = Entry {
            flow: Some(flow),
            hash,
            idle: UNLINKED,
            relinked: now.as_nanos(),
            timer: UNLINKED,
            tick: wheel::UNLISTED,
        };
        let slot = self.place(entry);
        let Self { index, chunks, .. } = self;
        let hash_of = |&slot: &Slot| {
            let chunk = chunks.get((slot >> CHUNK_BITS) as usize);
            chunk.and_then(|chunk| chunk.get(slot as usize & (CHUNK - 1))).map_or(0, |entry| entry.hash)
        };
        index.insert_unique(hash, slot, hash_of);
        self.link_busiest(slot);
        slot
    }

    fn place(&mut self, entry: Entry) -> Slot {
        let slot = self.free;
        if let Some(place) = self.entry_mut(slot) {
            let next = place.idle.next;
            *place = entry;
            self.free = next;
            return slot;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            let left = self.capacity.saturating_sub(self.chunks.len() * CHUNK);
            self.chunks.push(Vec::with_capacity(left.clamp(1, CHUNK)));
        }
        let last = self.chunks.len() - 1;
        let chunk = &mut self.chunks[last];
        chunk.push(entry);
        (last * CHUNK + chunk.len() - 1) as Slot
    }

    /// Takes a flow out; its memory is kept for the next.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Flow> {
        let hash = self.entry(slot)?.hash;
        self.unlink_idle(slot);
        self.unlist(slot);
        if let Ok(occupied) = self.index.find_entry(hash, |&other| other == slot) {
            occupied.remove();
        }
        let free = self.free;
        let entry = self.entry_mut(slot)?;
        let flow = entry.flow.take();
        entry.idle = Links { previous: NONE, next: free };
        self.free = slot;
        flow
    }

    /// After a packet: notes that the flow is busy, and lists it under its due time if that came nearer.
    #[inline]
    pub(crate) fn settle(&mut self, slot: Slot, now: Timestamp) {
        let Some(entry) = self.entry_mut(slot) else { return };
        let Some(flow) = &entry.flow else { return };
        let due = wheel::tick_of(flow.due);
        let is_idle_long = now.as_nanos().saturating_sub(entry.relinked) > RELINK_NANOS;
        let is_due_sooner = due < entry.tick;
        if is_idle_long {
            entry.relinked = now.as_nanos();
            if self.busiest != slot {
                self.unlink_idle(slot);
                self.link_busiest(slot);
            }
        }
        if is_due_sooner {
            self.unlist(slot);
            self.list(slot, due);
        }
    }

    /// The flow that has been silent longest.
    pub(crate) fn idlest(&self) -> Option<Slot> {
        (self.idlest != NONE).then_some(self.idlest)
    }

    /// Moves the wheel to `now`; flows due by then are passed to `expire`, the idlest first within a tick.
    pub(crate) fn advance(&mut self, now: Timestamp, mut expire: impl FnMut(Flow)) {
        while let Some(tick) = self.wheel.next_tick_until(now) {
            // The list is taken whole: flows that are due later go to another tick, or to this one's next turn.
            let mut slot = self.wheel.head(tick);
            while slot != NONE {
                let Some(entry) = self.entry(slot) else { break };
                let next = entry.timer.next;
                let listed = entry.tick;
                let due = entry.flow.as_ref().map_or(Timestamp::MIN, |flow| flow.due);
                if due <= now {
                    if let Some(flow) = self.remove(slot) {
                        expire(flow);
                    }
                } else if listed <= tick {
                    self.unlist(slot);
                    self.list(slot, wheel::tick_of(due).max(tick + 1));
                }
                slot = next;
            }
            self.wheel.done(tick);
        }
    }

    #[inline]
    pub(crate) fn is_behind(&self, now: Timestamp) -> bool {
        self.wheel.is_behind(now)
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.wheel.next_deadline()
    }

    fn link_busiest(&mut self, slot: Slot) {
        let previous = self.busiest;
        if let Some(entry) = self.entry_mut(slot) {
            entry.idle = Links { previous, next: NONE };
        }
        match self.entry_mut(previous) {
            Some(entry) => entry.idle.next = slot,
            None => self.idlest = slot,
        }
        self.busiest = slot;
    }

    fn unlink_idle(&mut self, slot: Slot) {
        let Some(Links { previous, next }) = self.entry(slot).map(|entry| entry.idle) else { return };
        match self.entry_mut(previous) {
            Some(entry) => entry.idle.next = next,
            None => self.idlest = next,
        }
        match self.entry_mut(next) {
            Some(entry) => entry.idle.previous = previous,
            None => self.busiest = previous,
        }
    }

    fn list(&mut self, slot: Slot, tick: i64) {
        let tick = self.wheel.listed_tick(tick);
        let head = self.wheel.head(tick);
        if let Some(entry) = self.entry_mut(slot) {
            entry.timer = Links { previous: NONE, next: head };
            entry.tick = tick;
        }
        if let Some(entry) = self.entry_mut(head) {
            entry.timer.previous = slot;
        }
        self.wheel.set_head(tick, slot);
    }

    fn unlist(&mut self, slot: Slot) {
        let Some(entry) = self.entry_mut(slot) else { return };
        if entry.tick == wheel::UNLISTED {
            return;
        }
        let (Links { previous, next }, tick) = (entry.timer, entry.tick);
        entry.tick = wheel::UNLISTED;
        entry.timer = UNLINKED;
        match self.entry_mut(previous) {
            Some(entry) => entry.timer.next = next,
            None => self.wheel.set_head(tick, next),
        }
        if let Some(entry) = self.entry_mut(next) {
            entry.timer.previous = previous;
        }
    }
}

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
