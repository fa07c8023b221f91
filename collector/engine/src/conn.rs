//! What every flow has, whatever its protocol: who began it, when, its number, and its history.

use crate::{Timestamp, history::Letters, key::Side};

/// The part of a flow that its protocol's rules write to. 32 bytes.
#[derive(Clone, Debug)]
pub(crate) struct Conn {
    pub(crate) first: Timestamp,
    /// The last packet that counts for the duration; trailing packets after both ends closed do not.
    pub(crate) last: Timestamp,
    /// The latest letters; earlier ones may have been spilled.
    pub(crate) letters: Letters,
    /// Number of the flow within its pipeline, 48 bits: at a million flows a second they last nine years.
    serial_low: u32,
    serial_high: u16,
    /// Letters written already: one bit a kind, the responder's 7 higher; and [`HIGH_BEGAN`].
    seen: u16,
}

/// The originator is the high side.
const HIGH_BEGAN: u16 = 1 << 15;

/// Kinds of events that are written once a side; bits of `Conn::seen`.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    Syn = 1,
    Fin = 2,
    Rst = 4,
    FinRst = 8,
    Data = 0x10,
    Ack = 0x20,
    MultiFlag = 0x40,
}

const KINDS: u32 = 7;

impl Conn {
    pub(crate) fn new(at: Timestamp, originator: Side, serial: u64) -> Self {
        Self {
            first: at,
            last: at,
            letters: Letters::default(),
            serial_low: serial as u32,
            serial_high: (serial >> 32) as u16,
            seen: if originator == Side::High { HIGH_BEGAN } else { 0 },
        }
    }

    pub(crate) fn serial(&self) -> u64 {
        u64::from(self.serial_low) | u64::from(self.serial_high) << 32
    }

    #[inline]
    pub(crate) const fn originator(&self) -> Side {
        if self.seen & HIGH_BEGAN != 0 { Side::High } else { Side::Low }
    }

    #[inline]
    pub(crate) fn is_originator(&self, side: Side) -> bool {
        self.originator() == side
    }

    /// Whether a SYN of either side was seen.
    pub(crate) const fn has_syn(&self) -> bool {
        let syn = Event::Syn as u16;
        self.seen & (syn | syn << KINDS) != 0
    }

    pub(crate) fn touch(&mut self, at: Timestamp) {
        // Packets of one flow can arrive out of order over a load balancer; a duration is never negative.
        self.last = self.last.max(at);
    }

    /// The other end began it after all.
    pub(crate) fn flip(&mut self) {
        self.seen ^= HIGH_BEGAN;
        self.letters.push(b'^');
    }

    /// Writes `letter` (upper case) for `side`.
    pub(crate) fn write(&mut self, side: Side, letter: u8) {
        let letter = if self.is_originator(side) { letter } else { letter.to_ascii_lowercase() };
        self.letters.push(letter);
    }

    /// Writes `letter` if `side` had no such event before; says whether it had.
    #[inline]
    pub(crate) fn write_once(&mut self, side: Side, event: Event, letter: u8) -> bool {
        let mask = if self.is_originator(side) { event as u16 } else { (event as u16) << KINDS };
        if self.seen & mask != 0 {
            return true;
        }
        self.seen |= mask;
        self.write(side, letter);
        false
    }

    /// Writes `letter` when `count` is a power of ten: often enough to show growth, never a flood.
    pub(crate) fn write_scaled(&mut self, side: Side, letter: u8, count: u32) {
        if matches!(count, 1 | 10 | 100 | 1_000 | 10_000 | 100_000 | 1_000_000 | 10_000_000 | 100_000_000) {
            self.write(side, letter);
        }
    }
}
