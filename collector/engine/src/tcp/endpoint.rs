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
    /// By number; the last is repeated so that three bits always name one.
    const ALL: [Self; 8] = [
        Self::Inactive,
        Self::SynSent,
        Self::SynAckSent,
        Self::Partial,
        Self::Established,
        Self::Closed,
        Self::Reset,
        Self::Reset,
    ];

    pub(crate) const fn is_handshake(self) -> bool {
        matches!(self, Self::Inactive | Self::SynSent | Self::SynAckSent)
    }
}

/// A jump this far in a SYN or RST is taken for nonsense rather than for a mebibyte of lost data.
pub(crate) const LARGE_JUMP: i64 = 1 << 20;

/// The widest window there can be (RFC 7323 section 2.3). What lies further behind than this was received, or
/// nobody saw that it was.
pub(super) const MAX_WINDOW: i64 = 1 << 30;

/// One end of a connection, in 40 bytes.
///
/// Only the last position sent is kept whole; the others are within 2^31 of it and keep their low half.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoint {
    /// One past the last position sent.
    sent: i64,
    acknowledged: u32,
    contiguous: u32,
    fin: u32,
    /// The first sequence number: that of its SYN, or what it would have been.
    pub(crate) start: u32,
    /// Segments that brought nothing that was not sent before, those out of order left out.
    pub(crate) retransmits: u32,
    /// Low halves of the positions of the last control segments in the history, to tell repetitions from news. The
    /// FIN's is one before `fin`.
    pub(crate) history_syn: u16,
    pub(crate) history_rst: u16,
    pub(crate) zero_windows: u16,
    pub(crate) gaps: u16,
    /// Segments that filled a hole at once: overtaken on the way.
    pub(crate) out_of_order: u16,
    /// Three bits each.
    states: u8,
    facts: u8,
}

/// Facts of one bit about an end.
#[derive(Clone, Copy)]
pub(crate) enum Fact {
    HasFin = 1,
    /// Its close has been taken note of.
    DidClose = 2,
    /// All its data has been seen after its close.
    DidEnd = 4,
    /// More than its SYN was acknowledged.
    HasAcks = 8,
    /// A SYN or a reset brought data, which Zeek takes for sent again.
    HasOddData = 0x10,
    /// Data was sent again with the first FIN, which Zeek takes for news.
    HasFinAgain = 0x20,
}

/// The position with this low half that is nearest to `anchor`.
#[inline]
pub(super) const fn near(anchor: i64, low: u32) -> i64 {
    anchor + low.wrapping_sub(anchor as u32) as i32 as i64
}

impl Endpoint {
    #[inline]
    pub(crate) const fn is(&self, fact: Fact) -> bool {
        self.facts & fact as u8 != 0
    }

    #[inline]
    pub(crate) const fn note(&mut self, fact: Fact) {
        self.facts |= fact as u8;
    }

    #[inline]
    pub(crate) const fn state(&self) -> State {
        State::ALL[(self.states & 7) as usize]
    }

    const fn previous(&self) -> State {
        State::ALL[(self.states >> 4 & 7) as usize]
    }

    /// Whether it was in `state` before the one it is in.
    pub(crate) fn was(&self, state: State) -> bool {
        self.previous() == state
    }

    pub(crate) fn enter(&mut self, state: State) {
        if self.state() != state {
            self.states = (self.states & 7) << 4 | state as u8;
        }
    }

    /// One past the last position sent.
    #[inline]
    pub(crate) const fn sent(&self) -> i64 {
        self.sent
    }

    #[inline]
    fn set_sent(&mut self, sent: i64) {
        let (acknowledged, contiguous) = (self.acknowledged(), self.contiguous());
        self.sent = sent;
        let floor = sent - MAX_WINDOW;
        if self.is(Fact::HasAcks) && acknowledged < floor {
            self.acknowledged = floor as u32;
        }
        if contiguous < floor {
            self.contiguous = floor as u32;
        }
    }

    /// The highest acknowledgement of it.
    #[inline]
    pub(crate) const fn acknowledged(&self) -> i64 {
        if self.is(Fact::HasAcks) { near(self.sent, self.acknowledged) } else { self.acknowledged as i64 }
    }

    #[inline]
    fn set_acknowledged(&mut self, position: i64) {
        self.acknowledged = position as u32;
        if position > 1 {
            self.note(Fact::HasAcks);
        }
    }

    /// Up to here its data was received without a hole (or a hole was given up). The first byte is 1.
    #[inline]
    pub(crate) const fn contiguous(&self) -> i64 {
        near(self.sent, self.contiguous)
    }

    #[inline]
    pub(crate) const fn set_contiguous(&mut self, position: i64) {
        self.contiguous = position as u32;
    }

    /// One past its FIN, seen from a position not far from it.
    pub(crate) const fn fin_near(&self, position: i64) -> i64 {
        near(position, self.fin)
    }

    pub(crate) fn set_fin(&mut self, position: i64) {
        self.note(Fact::HasFin);
        self.fin = position as u32;
    }

    /// The position of the last FIN in the history.
    pub(crate) const fn history_fin(&self) -> u32 {
        self.fin.wrapping_sub(1)
    }

    /// Takes an acknowledgement; returns its position, or zero if it has none.
    #[inline]
    pub(crate) fn acknowledge(&mut self, flags: u8, number: u32) -> i64 {
        let acknowledged = self.acknowledged();
        let anchor = if self.is(Fact::HasAcks) { acknowledged } else { self.sent };
        let relative = near(anchor, number.wrapping_sub(self.start));
        // What is acknowledged was sent, at most a window ago, or nearly all that was sent since was missed.
        if relative < 0 || relative - self.sent > MAX_WINDOW {
            return 0;
        }
        // Acknowledgements in resets are not trusted; one of zero far ahead is broken rather than lucky.
        let is_broken = number == 0 && relative - acknowledged > LARGE_JUMP;
        if flags & RST == 0 && !is_broken && relative > acknowledged {
            self.set_acknowledged(relative);
        }
        relative
    }

    /// Fixes the first number when `sequence` is the first seen of this end, or a SYN that replaces it; says whether it
    /// was such a SYN.
    #[inline]
    pub(crate) fn begin(&mut self, flags: u8, sequence: u32, past: u32) -> bool {
        let is_syn = flags & SYN != 0;
        let restart = match self.state() {
            State::Established | State::Partial | State::Closed if !is_syn => return false,
            State::Inactive if !is_syn => {
                // As if a SYN had been there, so that the first byte is at 1.
                self.start_before(sequence);
                self.sent = 1;
                return false;
            }
            State::Inactive | State::Established | State::Partial => is_syn,
            State::SynSent | State::SynAckSent => is_syn && sequence != self.start,
            // The reset that set the numbers may have been forged: a SYN knows better.
            State::Reset => is_syn && self.was(State::Inactive),
            State::Closed => false,
        };
        if restart {
            let contiguous = self.contiguous().max(1);
            self.start = sequence;
            self.forget_acknowledgements();
            self.sent = i64::from(past.wrapping_sub(sequence));
            self.set_contiguous(contiguous);
        }
        restart
    }

    /// Numbers this end as if `sequence` were its first byte.
    pub(crate) fn start_before(&mut self, sequence: u32) {
        let contiguous = self.contiguous().max(1);
        self.start = sequence.wrapping_sub(1);
        self.forget_acknowledgements();
        self.sent = 0;
        self.set_contiguous(contiguous);
    }

    fn forget_acknowledgements(&mut self) {
        self.acknowledged = 0;
        self.facts &= !(Fact::HasAcks as u8);
    }

    /// The sequence number of its first byte.
    pub(crate) fn first_byte(&self) -> u32 {
        self.number(1)
    }

    fn number(&self, position: i64) -> u32 {
        self.start.wrapping_add(position as u32)
    }

    /// The position of `sequence`, near the last one sent; negative before the first.
    #[inline]
    pub(crate) fn relative(&self, sequence: u32) -> i64 {
        self.sent + i64::from(sequence.wrapping_sub(self.number(self.sent)) as i32)
    }

    /// Moves the last position to `past`, if that is believable; says whether Zeek takes it for data sent again.
    #[inline]
    pub(crate) fn advance(&mut self, flags: u8, past: u32, len: u32) -> bool {
        let ahead = i64::from(past.wrapping_sub(self.number(self.sent)) as i32);
        if flags & (SYN | RST) != 0 && ahead.abs() > LARGE_JUMP {
            return false;
        }
        if flags & FIN != 0 && self.sent == 1 {
            // Only the SYN and this FIN were seen: whatever lies between was sent, up to 4 GiB of it.
            self.set_sent(self.sent + i64::from(past.wrapping_sub(self.number(self.sent))));
            return false;
        }
        if self.state() == State::Reset {
            return false;
        }
        if ahead > 0 {
            self.set_sent(self.sent + ahead);
            return false;
        }
        len > 0
    }

    /// Segments that Zeek takes for sent again.
    pub(crate) fn repeats(&self) -> u32 {
        let ours = self.retransmits.saturating_add(u32::from(self.out_of_order));
        let theirs = ours.saturating_add(u32::from(self.is(Fact::HasOddData)));
        theirs.saturating_sub(u32::from(self.is(Fact::HasFinAgain)))
    }

    /// Nothing it sent was acknowledged, but perhaps its SYN.
    pub(crate) fn is_unacknowledged(&self) -> bool {
        self.acknowledged() <= 1
    }

    /// Payload bytes it sent, counting those only acknowledged.
    pub(crate) fn size(&self, peer: State) -> u64 {
        let aborted = self.was(State::SynSent) && self.state() == State::Reset && peer == State::Inactive;
        if aborted && !self.is_unacknowledged() {
            // A half-open connection was found and reset: these numbers are of the one before.
            return 0;
        }
        let mut size = self.sent.max(self.acknowledged()).max(0) as u64;
        // SYN and FIN are numbered but are not payload.
        size = size.saturating_sub(1);
        if self.is(Fact::HasFin) { size.saturating_sub(1) } else { size }
    }

    /// The handshake was seen, and if it closed it was from there.
    pub(crate) fn is_clean(&self) -> bool {
        self.state() == State::Established || (self.state() == State::Closed && self.was(State::Established))
    }
}
