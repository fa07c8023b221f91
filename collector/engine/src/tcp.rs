//! A TCP connection as an observer between the ends sees it.
//!
//! RFC 9293's states are those of one end that knows its own intentions; an observer sees flags of both and
//! may have missed any packet. The states, and what moves them, are Zeek's (`TCP_INACTIVE` ... `TCP_RESET`),
//! because `conn_state` and `history` are defined by them. It holds no payload and knows no timers: whoever
//! drives it asks for `idle_timeout` and looks at `TcpFlow::closes`.

use core::num::NonZeroU32;
use core::time::Duration;

use enigma_wire::{Tcp, tcp_flags::*};

use crate::{
    Timeouts, Timestamp,
    conn::{Conn, Event},
    key::Side,
    ports,
    slab::{self, Recycled, Slot},
};

mod endpoint;
mod holes;

use endpoint::Fact;
pub(crate) use endpoint::{Endpoint, State};
pub(crate) use holes::{Beyond, Holes};

/// How far the handshake was timed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, PartialOrd)]
enum Timing {
    #[default]
    None,
    /// The SYN was seen at that time.
    Syn,
    /// And its answer.
    Answered,
    /// And the answer to that: the time is the handshake's.
    Done,
    /// It cannot be told: an answer was not seen, or not which SYN it was for.
    Missed,
}

/// A segment that fills a hole this soon after the one before it, from the same end, was overtaken rather than
/// sent again: tshark's `tcp.ooo_threshold` default for connections without a known round trip.
const OVERTAKEN: Duration = Duration::from_millis(3);

/// Both ends of a connection, in 112 bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct TcpFlow {
    ends: [Endpoint; 2],
    /// One behind the place that has what arrived beyond holes, both directions; only while there is some.
    holes: Option<NonZeroU32>,
    /// Payload bytes that were acknowledged but not seen.
    pub(crate) missed_bytes: u64,
    /// When it is over: milliseconds since its beginning. Links free places while there is no connection.
    closing: Option<NonZeroU32>,
    /// Microseconds: of the SYN since the beginning, then of the whole handshake.
    handshake: u32,
    timing: Timing,
    /// Sides of which a packet was seen.
    first_seen: [bool; 2],
    /// The high side sent the latest segment.
    was_high: bool,
    /// Begun in the middle: the first sequence numbers are guesses.
    is_partial: bool,
    /// A close waits for data still outstanding.
    close_deferred: bool,
    /// A SYN began it that may stay without answer.
    is_attempt: bool,
    /// A handshake was seen to its end.
    is_established: bool,
}

impl Recycled for TcpFlow {
    fn free(next: Slot) -> Self {
        // The end of the list has no successor: it becomes no number at all.
        Self { closing: NonZeroU32::new(next.wrapping_add(1)), ..Self::default() }
    }

    fn next_free(&self) -> Slot {
        self.closing.map_or(slab::NONE, |next| next.get() - 1)
    }
}

impl TcpFlow {
    pub(crate) fn end(&self, side: Side) -> &Endpoint {
        &self.ends[side as usize]
    }

    /// Whether something has arrived beyond a hole.
    #[inline]
    pub(crate) const fn has_holes(&self) -> bool {
        self.holes.is_some()
    }

    /// The place of what has arrived beyond holes, which is the caller's from now on.
    pub(crate) fn take_holes(&mut self) -> Option<Slot> {
        self.holes.take().map(|place| place.get() - 1)
    }

    pub(crate) fn set_holes(&mut self, place: Slot) {
        self.holes = NonZeroU32::new(place.wrapping_add(1));
    }

    /// Payload bytes `side` sent, from sequence numbers and acknowledgements.
    pub(crate) fn bytes(&self, side: Side) -> u64 {
        self.end(side).size(self.end(side.other()).state())
    }

    /// From the SYN to the answer to its answer: the round trip between the ends, as tshark's
    /// `tcp.analysis.initial_rtt`. `None` when one of the three was not seen.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        (self.timing == Timing::Done).then(|| Duration::from_micros(u64::from(self.handshake)))
    }

    /// Takes the time of the handshake's packets.
    #[inline]
    fn time_handshake(&mut self, conn: &Conn, is_originator: bool, flags: u8, at: Timestamp) {
        let since = || u32::try_from(at.since(conn.first).as_micros()).unwrap_or(u32::MAX);
        match (self.timing, flags & (SYN | ACK | RST)) {
            // The latest SYN is the one that is answered, by an answer behind it (Karn's rule, RFC 6298 section 3).
            (_, SYN) if is_originator => {
                (self.timing, self.handshake) = (Timing::Syn, since());
            }
            (Timing::Syn, flags) if !is_originator && flags == SYN | ACK => self.timing = Timing::Answered,
            (Timing::Answered, ACK) if is_originator => {
                (self.timing, self.handshake) = (Timing::Done, since().saturating_sub(self.handshake));
            }
            (Timing::Syn, ACK) if is_originator => self.timing = Timing::Missed,
            _ => {}
        }
    }

    /// Whether `segment` begins a new connection under an old key (RFC 9293 section 3.6.1 allows it after a
    /// close; ports are also reused after loss of either end's state).
    pub(crate) fn is_reused_by(&self, conn: &Conn, segment: &Tcp) -> bool {
        if segment.flags & SYN == 0 {
            return false;
        }
        let originator = conn.originator();
        let beginner = if segment.flags & ACK == 0 {
            originator
        } else if self.end(originator).state() == State::Inactive {
            originator.other()
        } else {
            return false;
        };
        if self.ends.iter().any(|end| end.is(Fact::DidClose)) {
            return true;
        }
        let (beginner, responder) = (self.end(beginner), self.end(originator.other()));
        let is_retry = segment.sequence == beginner.start;
        // SYN and SYN-ACK arrived in the wrong order: the SYN-ACK was taken for the beginning.
        let is_reversed = segment.flags & ACK == 0
            && beginner.state() == State::SynAckSent
            && responder.state() == State::Inactive
            && segment.sequence == responder.start;
        !is_retry && !is_reversed
    }

    /// Silence after which this connection is taken for dead.
    pub(crate) fn idle_timeout(&self, timeouts: &Timeouts, responder_port: u16) -> Duration {
        let [a, b] = &self.ends;
        if self.is_established && ports::is_interactive(responder_port) {
            timeouts.tcp_interactive
        } else if a.state().is_handshake() && b.state().is_handshake() {
            timeouts.tcp_opening
        } else if (a.is(Fact::DidClose) || b.is(Fact::DidClose))
            && (a.state() == State::Reset || b.state() == State::Reset)
        {
            timeouts.tcp_closed
        } else {
            timeouts.tcp_idle
        }
    }

    /// Whether the beginner's SYN is still without any answer.
    pub(crate) fn is_unanswered(&self, conn: &Conn) -> bool {
        self.is_attempt
            && matches!(self.end(conn.originator()).state(), State::SynSent | State::SynAckSent)
            && self.end(conn.originator().other()).state() == State::Inactive
    }

    /// Takes one segment that `side` sent. `closed` is how long a finished connection lingers, `beyond` what has arrived
    /// beyond holes so far.
    #[inline]
    pub(crate) fn segment(
        &mut self,
        conn: &mut Conn,
        side: Side,
        tcp: &Tcp,
        at: Timestamp,
        closed: Duration,
        beyond: &mut Beyond,
    ) {
        let (me, flags, len) = (side as usize, tcp.flags, tcp.payload_len);
        let other = side.other();
        let was_originator = conn.is_originator(side);
        self.note_partial(was_originator, side, flags);
        if self.timing < Timing::Done {
            self.time_handshake(conn, was_originator, flags, at);
        }
        let is_close_behind = self.was_high == (side == Side::High) && at.since(conn.last) <= OVERTAKEN;
        self.was_high = side == Side::High;

        // SYN and FIN take a number each; data in a reset is not part of the stream.
        let data = if flags & RST == 0 { len } else { 0 };
        let segment_len = data + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        let past = tcp.sequence.wrapping_add(segment_len);
        let end = &mut self.ends[me];
        let is_beginning = end.begin(flags, tcp.sequence, past);
        let relative = end.relative(tcp.sequence);
        self.write_history(conn, side, flags, relative, len);

        // A closed window is of interest unless the sender is being shut anyway.
        let peer_closed = self.ends[other as usize].state() == State::Closed;
        let end = &mut self.ends[me];
        if tcp.window == 0 && flags & RST == 0 && !peer_closed && end.state() != State::Reset {
            end.zero_windows = end.zero_windows.saturating_add(1);
            conn.write_scaled(side, b'W', u32::from(end.zero_windows));
        }
        if !self.ends.iter().all(|end| end.is(Fact::DidClose)) {
            conn.touch(at);
        }
        let end = &mut self.ends[me];
        if flags & FIN != 0 {
            end.set_fin(relative.saturating_add(i64::from(segment_len)));
        }
        let acknowledged =
            if flags & ACK != 0 { self.acknowledge(other, flags, tcp.acknowledgement) } else { 0 };
        let end = &mut self.ends[me];
        let start = relative + i64::from(flags & SYN != 0);
        let is_again = data > 0 && !is_beginning && start + i64::from(data) <= end.sent();
        let is_zeeks = end.advance(flags, past, len);
        if is_again || is_zeeks {
            self.note_again(conn, side, start, (is_again, is_zeeks), is_close_behind);
        }
        let do_close = self.update_state(conn, side, was_originator, tcp);
        if flags & ACK != 0 {
            self.trim(conn, other, acknowledged, beyond);
            self.check_end_of_data(conn, other, closed, beyond);
        }
        self.first_seen[me] = true;
        if len > 0 && flags & RST == 0 && relative >= 0 {
            let start = relative + i64::from(flags & SYN != 0);
            self.receive(side, start, start + i64::from(len), beyond);
        }
        self.check_end_of_data(conn, side, closed, beyond);
        if do_close {
            self.close(conn, side, closed, beyond);
        }
    }

    /// Counts data that was sent before, or left out by those before it and overtaken. Zeek's `T` counts both, and what
    /// comes with a SYN or in a reset.
    #[cold]
    fn note_again(
        &mut self,
        conn: &mut Conn,
        side: Side,
        start: i64,
        (is_again, is_zeeks): (bool, bool),
        is_close_behind: bool,
    ) {
        let end = &mut self.ends[side as usize];
        let was_odd = end.is(Fact::HasOddData);
        match (is_again, is_zeeks) {
            (true, _) if is_close_behind && start >= end.contiguous() => {
                end.out_of_order = end.out_of_order.saturating_add(1);
            }
            (true, _) => end.retransmits = end.retransmits.saturating_add(1),
            (false, _) => end.note(Fact::HasOddData),
        }
        if !is_zeeks {
            end.note(Fact::HasFinAgain);
        } else if is_again || !was_odd {
            conn.write_scaled(side, b'T', end.repeats());
        }
    }

    fn note_partial(&mut self, is_originator: bool, side: Side, flags: u8) {
        if self.first_seen[side as usize] {
            return;
        }
        if is_originator {
            self.is_partial = flags & SYN == 0 || flags & ACK != 0;
        } else if !self.is_partial {
            self.is_partial = flags & SYN == 0;
        }
    }

    fn write_history(&mut self, conn: &mut Conn, side: Side, flags: u8, relative: i64, len: u32) {
        let control = flags & (SYN | FIN | RST);
        let number = relative as u32;
        let (event, letter, last) = match control {
            0 if len > 0 => return self.write_traffic(conn, side, Event::Data, b'D'),
            0 if flags & ACK != 0 => return self.write_traffic(conn, side, Event::Ack, b'A'),
            0 => return,
            SYN => {
                let letter = if flags & ACK != 0 { b'H' } else { b'S' };
                (Event::Syn, letter, &mut self.ends[side as usize].history_syn)
            }
            // The number of a FIN is at the end of the data it may carry. The end keeps that of the last.
            FIN => {
                let number = number.wrapping_add(len);
                let last = self.ends[side as usize].history_fin();
                if conn.write_once(side, Event::Fin, b'F') && number != last {
                    conn.write(side, b'F');
                }
                return;
            }
            RST => (Event::Rst, b'R', &mut self.ends[side as usize].history_rst),
            _ if flags & FIN != 0 && flags & RST != 0 => {
                conn.write_once(side, Event::FinRst, b'I');
                return;
            }
            _ => {
                conn.write_once(side, Event::MultiFlag, b'Q');
                return;
            }
        };
        // Half of the number is enough to tell that it moved.
        if conn.write_once(side, event, letter) && number as u16 != *last {
            conn.write(side, letter);
        }
        *last = number as u16;
    }

    #[inline]
    fn write_traffic(&mut self, conn: &mut Conn, side: Side, event: Event, letter: u8) {
        // It began with a SYN-ACK. That may be a scan by SYN-ACKs, whose sender is the originator, but those
        // are answered by resets: productive traffic shows that the SYN before it was missed.
        if conn.letters.is_only(b'H') {
            conn.flip();
            self.is_partial = false;
            conn.letters.replace(b"^h");
            self.first_seen[conn.originator() as usize] = true;
        }
        conn.write_once(side, event, letter);
    }

    /// Takes an acknowledgement of what `peer` sent; returns its position, or zero if it has none.
    #[inline]
    fn acknowledge(&mut self, peer: Side, flags: u8, number: u32) -> i64 {
        let end = &mut self.ends[peer as usize];
        if end.state() == State::Inactive {
            // Nothing seen from there: number as if a SYN had been.
            end.start_before(number);
            return 1;
        }
        end.acknowledge(flags, number)
    }

    /// Applies the flags to the sender's state; says whether this may close its side.
    #[inline]
    fn update_state(&mut self, conn: &mut Conn, side: Side, was_originator: bool, tcp: &Tcp) -> bool {
        let flags = tcp.flags;
        let (me, other) = (side as usize, side.other() as usize);
        match self.ends[me].state() {
            State::Inactive => self.update_inactive(conn, side, was_originator, tcp),
            State::SynSent | State::SynAckSent => {
                if flags & FIN != 0 {
                    self.ends[me].enter(State::Closed);
                }
                if flags & RST != 0 {
                    self.ends[me].enter(State::Reset);
                }
                flags & (FIN | RST) != 0
            }
            State::Established | State::Partial => {
                if flags & (SYN | FIN | RST) == 0 {
                    return false;
                }
                if flags & SYN != 0
                    && flags & ACK == 0
                    && self.ends[me].state() == State::Partial
                    && self.ends[other].state() == State::Inactive
                {
                    self.ends[me].enter(State::SynSent);
                }
                if flags & FIN != 0 && flags & RST == 0 {
                    self.ends[me].enter(State::Closed);
                    let peer = &mut self.ends[other];
                    // FIN, then RST, answered by FIN: an impatient but normal end.
                    if peer.state() == State::Reset && peer.was(State::Closed) {
                        peer.enter(State::Closed);
                    }
                }
                if flags & RST != 0 {
                    self.ends[me].enter(State::Reset);
                }
                flags & (FIN | RST) != 0
            }
            State::Closed => {
                // Both sent FIN: the end has been seen, a reset behind it changes nothing.
                if flags & RST != 0 && self.ends[other].state() != State::Closed {
                    self.ends[me].enter(State::Reset);
                    return !self.ends[me].is(Fact::DidClose);
                }
                false
            }
            State::Reset => false,
        }
    }

    fn update_inactive(&mut self, conn: &mut Conn, side: Side, was_originator: bool, tcp: &Tcp) -> bool {
        let flags = tcp.flags;
        let (me, other) = (side as usize, side.other() as usize);
        if flags & SYN != 0 {
            if was_originator {
                let state = if flags & ACK != 0 { State::SynAckSent } else { State::SynSent };
                self.ends[me].enter(state);
                self.is_attempt = true;
            } else {
                if flags & ACK == 0
                    && self.ends[other].state() == State::SynAckSent
                    && tcp.sequence == self.ends[me].start
                {
                    // SYN and SYN-ACK in the wrong order: this is the beginning.
                    conn.flip();
                    self.is_partial = false;
                    self.ends[other].enter(State::Established);
                    self.first_seen[conn.originator() as usize] = true;
                }
                if self.ends[other].state() == State::SynSent {
                    self.ends[other].enter(State::Established);
                }
                self.ends[me].enter(State::Established);
                self.is_established |= self.ends[other].state() != State::Partial;
            }
        }
        if flags & FIN != 0 {
            self.ends[me].enter(State::Closed);
        }
        if flags & RST != 0 {
            self.ends[me].enter(State::Reset);
        }
        if self.ends[me].state() == State::Inactive {
            let peer = self.ends[other].state();
            if !was_originator
                && tcp.payload_len == 0
                && self.ends[conn.originator() as usize].state() == State::SynSent
            {
                // Some stacks acknowledge a SYN before they answer it.
            } else if flags & ACK != 0 && peer == State::Established {
                // The SYN was missed, its answer and this were not.
                self.ends[me].enter(State::Established);
                self.is_partial = false;
                self.first_seen[me] = true;
            } else {
                self.ends[me].enter(State::Partial);
            }
        }
        flags & (FIN | RST) != 0
    }
}

mod close;

#[cfg(test)]
mod tests;
