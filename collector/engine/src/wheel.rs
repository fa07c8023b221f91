//! A hashed timer wheel: which ticks have flows listed, and how far time has come.
//!
//! It knows list heads only; the flows' own links make the lists. A flow whose time lies more than one turn
//! ahead is met on the way and listed again. Ticks are coarse because nobody waits for them: a packet that
//! meets a flow past its due time ends it exactly, the wheel only finds those that no packet meets.

use crate::{
    Timestamp,
    slab::{NONE, Slot},
};

/// 2^27 ns, an eighth of a second: records of silent flows are late by no more than that.
const TICK_BITS: u32 = 27;

/// 4096 ticks are nine minutes, past every default timeout but the hour of interactive sessions, whose flows
/// are then met seven times.
const TICKS: usize = 4096;

/// The tick a flow is listed under, in four bytes: modulo 2^31, which is nine years and more, around the time asked
/// about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Listed(u32);

/// Of a flow that is on no list; later than every real one.
pub(crate) const UNLISTED: Listed = Listed(u32::MAX);

const LISTED_BITS: u32 = 31;

impl Listed {
    pub(crate) const fn new(tick: i64) -> Self {
        Self(tick as u32 & (u32::MAX >> 1))
    }

    /// Whether this tick lies behind the one that `at` is in.
    #[inline]
    pub(crate) fn is_after(self, at: Timestamp) -> bool {
        self.is_after_tick(tick_of(at))
    }

    #[inline]
    pub(crate) fn is_after_tick(self, tick: i64) -> bool {
        // Shifted up so that the difference wraps as a signed number of 32 bits does.
        let ahead = self.0.wrapping_sub(tick as u32) << (u32::BITS - LISTED_BITS);
        self == UNLISTED || (ahead as i32) > 0
    }
}

pub(crate) struct Wheel {
    heads: Box<[Slot; TICKS]>,
    /// One bit a tick that has a list.
    occupied: [u64; TICKS / 64],
    /// The list of a tick that ended, as far as it has not been worked off.
    due: Slot,
    /// Every tick before this one is done, or its list is in `due`. `None` until time is first told.
    next: Option<i64>,
}

#[inline]
pub(crate) const fn tick_of(at: Timestamp) -> i64 {
    at.as_nanos() >> TICK_BITS
}

const fn place(tick: i64) -> usize {
    tick.rem_euclid(TICKS as i64) as usize
}

impl Wheel {
    pub(crate) fn new() -> Self {
        Self { heads: Box::new([NONE; TICKS]), occupied: [0; TICKS / 64], due: NONE, next: None }
    }

    /// Whether a tick has ended by `now` that was not worked off.
    #[inline]
    pub(crate) fn is_behind(&self, now: Timestamp) -> bool {
        self.due != NONE || self.next.is_none_or(|next| next < tick_of(now))
    }

    /// Whether the wheel has come no further than `at`.
    #[inline]
    pub(crate) fn is_reached_by(&self, at: Timestamp) -> bool {
        self.next.is_none_or(|next| next <= tick_of(at))
    }

    /// The tick a flow due in `tick` can be listed under: the past is worked off with the next one.
    pub(crate) fn listed_tick(&self, tick: i64) -> i64 {
        self.next.map_or(tick, |next| tick.max(next))
    }

    pub(crate) fn head(&self, tick: i64) -> Slot {
        self.heads[place(tick)]
    }

    pub(crate) fn set_head(&mut self, tick: i64, slot: Slot) {
        let place = place(tick);
        self.heads[place] = slot;
        let bit = 1 << (place % 64);
        if slot == NONE {
            self.occupied[place / 64] &= !bit;
        } else {
            self.occupied[place / 64] |= bit;
        }
    }

    /// Notes that `slot`, the first of the list it is on, gives its place up to `next`.
    pub(crate) fn replace_head(&mut self, listed: Listed, slot: Slot, next: Slot) {
        if self.due == slot {
            self.due = next;
        } else {
            self.set_head(i64::from(listed.0), next);
        }
    }

    /// The first flow of those listed under ticks that ended by `now`; [`NONE`] without one, and then time is `now`.
    ///
    /// Whoever looks at it must unlist it. The list of a tick is taken off the wheel whole: flows that are due later go
    /// to another tick, or to this one's next turn, and the work can be left off between any two.
    pub(crate) fn due(&mut self, now: Timestamp) -> Slot {
        if self.due == NONE {
            let current = tick_of(now);
            let next = *self.next.get_or_insert(current);
            match self.occupied_from(next).filter(|&tick| tick < current) {
                Some(tick) => {
                    self.due = self.head(tick);
                    self.set_head(tick, NONE);
                    self.next = Some(next.max(tick + 1));
                }
                None => self.next = Some(next.max(current)),
            }
        }
        self.due
    }

    /// When the next occupied tick will have ended: in the past while one is being worked off.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let next = self.next?;
        let tick = if self.due == NONE { self.occupied_from(next)? } else { next.saturating_sub(1) };
        Some(Timestamp::from_nanos(tick.saturating_add(1).saturating_mul(1 << TICK_BITS)))
    }

    /// The first occupied tick within one turn from `tick`.
    fn occupied_from(&self, tick: i64) -> Option<i64> {
        let start = place(tick);
        let words = self.occupied.len();
        for step in 0..=words {
            let word = (start / 64 + step) % words;
            let mut bits = self.occupied[word];
            if step == 0 {
                bits &= u64::MAX << (start % 64);
            } else if step == words {
                bits &= !(u64::MAX << (start % 64));
            }
            if bits != 0 {
                let found = word * 64 + bits.trailing_zeros() as usize;
                let ahead = (found + TICKS - start) % TICKS;
                return Some(tick.saturating_add(ahead as i64));
            }
        }
        None
    }
}
