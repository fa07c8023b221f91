//! What every flow has, whatever its protocol: who began it, when, and its history.

use crate::{History, Timestamp, key::Side};

/// The part of a flow that its protocol's rules write to.
#[derive(Clone, Debug)]
pub(crate) struct Conn {
    pub(crate) first: Timestamp,
    /// The last packet that counts for the duration; trailing packets after both ends closed do not.
    pub(crate) last: Timestamp,
    /// Set when the connection is over: its record is due then, whatever still arrives.
    pub(crate) closing: Option<Timestamp>,
    pub(crate) missed_bytes: u64,
    pub(crate) history: History,
    /// Letters written already: one bit a kind, the responder's 16 higher.
    seen: u32,
    pub(crate) originator: Side,
}

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

impl Conn {
    pub(crate) fn new(at: Timestamp, originator: Side) -> Self {
        Self {
            first: at,
            last: at,
            closing: None,
            missed_bytes: 0,
            history: History::default(),
            seen: 0,
            originator,
        }
    }

    pub(crate) fn is_originator(&self, side: Side) -> bool {
        self.originator == side
    }

    pub(crate) fn touch(&mut self, at: Timestamp) {
        // Packets of one flow can arrive out of order over a load balancer; a duration is never negative.
        self.last = self.last.max(at);
    }

    /// The other end began it after all.
    pub(crate) fn flip(&mut self) {
        self.originator = self.originator.other();
        self.history.push(b'^');
    }

    /// Writes `letter` (upper case) for `side`.
    pub(crate) fn write(&mut self, side: Side, letter: u8) {
        let letter = if self.is_originator(side) { letter } else { letter.to_ascii_lowercase() };
        self.history.push(letter);
    }

    /// Writes `letter` if `side` had no such event before; says whether it had.
    #[inline]
    pub(crate) fn write_once(&mut self, side: Side, event: Event, letter: u8) -> bool {
        let mask = if self.is_originator(side) { event as u32 } else { (event as u32) << 16 };
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
