//! The lists that run through the flows: from the idlest to the busiest, and those of the wheel's ticks. And the hand
//! that goes round them all in search of content.

use super::{
    Table,
    place::{Links, UNLINKED, entry, entry_mut},
};
use crate::{
    Timestamp,
    slab::{NONE, Slot},
    wheel,
};

/// Places looked at for content that may be given up: of so many the most silent, and more only until there is one. At
/// a few nanoseconds each that is at most some microseconds, once for a flow that begins to speak.
const LOOKED_AT: u32 = 64;
const LOOKED_AT_MOST: u32 = 1024;

impl Table {
    /// The flow that has been silent longest of some whose content is looked at, leaving out the one in `except`.
    /// Begins where the last search ended, so that none is spared.
    pub(crate) fn silent_content(&mut self, except: Slot) -> Option<Slot> {
        let places = self.places();
        let mut found: Option<(Timestamp, Slot)> = None;
        for looked_at in 0..LOOKED_AT_MOST.min(places) {
            if looked_at >= LOOKED_AT && found.is_some() {
                break;
            }
            let slot = self.hand;
            self.hand = if slot + 1 < places { slot + 1 } else { 0 };
            if let Some(flow) = self.flow(slot)
                && flow.l7.is_some()
                && slot != except
                && found.is_none_or(|(last, _)| flow.conn.last < last)
            {
                found = Some((flow.conn.last, slot));
            }
        }
        found.map(|(_, slot)| slot)
    }

    pub(super) fn link_busiest(&mut self, slot: Slot) {
        let previous = self.busiest;
        if let Some(entry) = entry_mut(&mut self.entries, slot) {
            entry.idle = Links { previous, next: NONE };
        }
        match entry_mut(&mut self.entries, previous) {
            Some(entry) => entry.idle.next = slot,
            None => self.idlest = slot,
        }
        self.busiest = slot;
    }

    pub(super) fn unlink_idle(&mut self, slot: Slot) {
        let Some(Links { previous, next }) = entry(&self.entries, slot).map(|entry| entry.idle) else {
            return;
        };
        match entry_mut(&mut self.entries, previous) {
            Some(entry) => entry.idle.next = next,
            None => self.idlest = next,
        }
        match entry_mut(&mut self.entries, next) {
            Some(entry) => entry.idle.previous = previous,
            None => self.busiest = previous,
        }
    }

    pub(super) fn list(&mut self, slot: Slot, tick: i64) {
        let tick = self.wheel.listed_tick(tick);
        let head = self.wheel.head(tick);
        if let Some(entry) = entry_mut(&mut self.entries, slot) {
            entry.timer = Links { previous: NONE, next: head };
            entry.tick = wheel::Listed::new(tick);
        }
        if let Some(entry) = entry_mut(&mut self.entries, head) {
            entry.timer.previous = slot;
        }
        self.wheel.set_head(tick, slot);
    }

    pub(super) fn unlist(&mut self, slot: Slot) {
        let Some(entry) = entry_mut(&mut self.entries, slot) else {
            return;
        };
        if entry.tick == wheel::UNLISTED {
            return;
        }
        let (Links { previous, next }, listed) = (entry.timer, entry.tick);
        entry.tick = wheel::UNLISTED;
        entry.timer = UNLINKED;
        match entry_mut(&mut self.entries, previous) {
            Some(entry) => entry.timer.next = next,
            None => self.wheel.replace_head(listed, slot, next),
        }
        if let Some(entry) = entry_mut(&mut self.entries, next) {
            entry.timer.previous = previous;
        }
    }
}
