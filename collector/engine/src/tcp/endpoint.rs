//! One end of a connection: its state and its place in sequence space.
//!
//! Positions are 64-bit and relative to the first number (the SYN's is 0, the first byte's 1), so that nothing
//! wraps; a number from a header is placed next to the last known position.

use enigma_wire::tcp_flags::*;

/// What an observer knows of one end. Zeek's states.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum State {
    /// Nothing seen from it.
    #[default]
    Inactive,
    /// It sent a SYN.
    SynSent,
    /// It began with a SYN-ACK: the SYN before was not seen, or this is a scan.
    SynAckSent,
    /// It sent something, but no SYN was seen.
    Partial,
    /// Its SYN was answered, or it answered one.
    Established,
    /// It sent FIN.
    Closed,
    /// It sent RST.
    Reset,
}

impl State {
    pub(crate) const fn is_handshake(self) -> bool {
        matches!(self, Self::Inactive | Self::SynSent | Self::SynAckSent)
    }
}

/// A jump this far in a SYN or RST is taken for nonsense rather than for a mebibyte of lost data.
pub(crate) const LARGE_JUMP: i64 = 1 << 20;

/// One end of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoint {
    /// One past the last position sent.
    pub(crate) sent: i64,
    /// The highest acknowledgement of it.
    pub(crate) acknowledged: i64,
    /// Up to here its data was received without a hole (or a hole was given up). The first byte is 1.
    pub(crate) contiguous: i64,
    /// One past its FIN, when `has_fin`.
    pub(crate) fin: i64,
    /// The first sequence number: that of its SYN, or what it would have been.
    pub(crate) start: u32,
    /// Positions of the last control segments in the history, to tell repetitions from news.
    pub(crate) history_syn: u32,
    pub(crate) history_fin: u32,
    pub(crate) history_rst: u32,
    pub(crate) retransmits: u16,
    pub(crate) zero_windows: u16,
    pub(crate) gaps: u16,
    pub(crate) state: State,
    pub(crate) previous: State,
    pub(crate) has_fin: bool,
    /// Its close has been taken note of.
    pub(crate) did_close: bool,
    /// All its data has been seen after its close.
    pub(crate) did_end: bool,
}

impl Endpoint {
    pub(crate) fn enter(&mut self, state: State) {
        if self.state != state {
            self.previous = self.state;
            self.state = state;
        }
    }

    /// Fixes the first number when `sequence` is the first seen of this end, or a SYN that replaces it.
    #[inline]
    pub(crate) fn begin(&mut self, flags: u8, sequence: u32, past: u32) {
        let is_syn = flags & SYN != 0;
        let restart = match self.state {
            State::Established | State::Partial | State::Closed if !is_syn => return,
            State::Inactive if !is_syn => {
                // As if a SYN had been there, so that the first byte is at 1.
                self.start_before(sequence);
                self.sent = 1;
                self.contiguous = self.contiguous.max(1);
                return;
            }
            State::Inactive | State::Established | State::Partial => is_syn,
            State::SynSent | State::SynAckSent => is_syn && sequence != self.start,
            // The reset that set the numbers may have been forged: a SYN knows better.
            State::Reset => is_syn && self.previous == State::Inactive,
            State::Closed => false,
        };
        if restart {
            self.start = sequence;
            self.acknowledged = 0;
            self.sent = i64::from(past.wrapping_sub(sequence));
            self.contiguous = self.contiguous.max(1);
        }
    }

    /// Numbers this end as if `sequence` were its first byte.
    pub(crate) fn start_before(&mut self, sequence: u32) {
        self.start = sequence.wrapping_sub(1);
        (self.acknowledged, self.sent) = (0, 0);
        self.contiguous = self.contiguous.max(1);
    }

    /// The sequence number of its first byte.
    pub(crate) fn first_byte(&self) -> u32 {
        self.number(1)
    }

    fn number(&self, position: i64) -> u32 {
        self.start.wrapping_add(position as u32)
    }

    pub(crate) fn acknowledged_number(&self) -> u32 {
        self.number(self.acknowledged)
    }

    /// The position of `sequence`, near the last one sent; negative before the first.
    #[inline]
    pub(crate) fn relative(&self, sequence: u32) -> i64 {
        self.sent + i64::from(sequence.wrapping_sub(self.number(self.sent)) as i32)
    }

    /// Moves the last position to `past`, if that is believable; says whether data was sent again.
    #[inline]
    pub(crate) fn advance(&mut self, flags: u8, past: u32, len: u32) -> bool {
        let ahead = i64::from(past.wrapping_sub(self.number(self.sent)) as i32);
        if flags & (SYN | RST) != 0 && ahead.abs() > LARGE_JUMP {
            return false;
        }
        if flags & FIN != 0 && self.sent == 1 {
            // Only the SYN and this FIN were seen: whatever lies between was sent, up to 4 GiB of it.
            self.sent += i64::from(past.wrapping_sub(self.number(self.sent)));
            return false;
        }
        if self.state == State::Reset {
            return false;
        }
        if ahead > 0 {
            self.sent += ahead;
            return false;
        }
        len > 0
    }

    /// Nothing it sent was acknowledged, but perhaps its SYN.
    pub(crate) fn is_unacknowledged(&self) -> bool {
        self.acknowledged <= 1
    }

    /// Payload bytes it sent, counting those only acknowledged.
    pub(crate) fn size(&self, peer: State) -> u64 {
        let aborted =
            self.previous == State::SynSent && self.state == State::Reset && peer == State::Inactive;
        if aborted && !self.is_unacknowledged() {
            // A half-open connection was found and reset: these numbers are of the one before.
            return 0;
        }
        let mut size = self.sent.max(self.acknowledged).max(0) as u64;
        // SYN and FIN are numbered but are not payload.
        size = size.saturating_sub(1);
        if self.has_fin { size.saturating_sub(1) } else { size }
    }

    /// The handshake was seen, and if it closed it was from there.
    pub(crate) fn is_clean(&self) -> bool {
        self.state == State::Established
            || (self.state == State::Closed && self.previous == State::Established)
    }
}
