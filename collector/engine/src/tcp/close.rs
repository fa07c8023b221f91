//! What happens at the end of a connection: data still outstanding, gaps, and when it is over.

use core::num::NonZeroU32;
use core::time::Duration;

use super::{
    Beyond, State, TcpFlow,
    endpoint::{Fact, MAX_WINDOW},
};
use crate::{Timestamp, conn::Conn, key::Side};

/// Unacknowledged data after which the other direction is taken for invisible (Zeek's
/// `tcp_max_initial_window`): no stack sends more into silence.
const MAX_INITIAL_WINDOW: u64 = 16_384;

impl TcpFlow {
    /// Notes that `[start, end)` arrived from `side`.
    #[inline]
    pub(super) fn receive(&mut self, side: Side, start: i64, end: i64, beyond: &mut Beyond) {
        let me = side as usize;
        let contiguous = self.ends[me].contiguous();
        if end <= contiguous {
            return;
        }
        if start <= contiguous {
            self.ends[me].set_contiguous(end);
            if beyond.is_some() {
                self.fill(me, beyond);
            }
        } else if end - contiguous <= MAX_WINDOW {
            beyond.get_or_insert_default()[me].insert(start, end);
        }
    }

    /// Lets `contiguous` run over ranges it has reached.
    fn fill(&mut self, me: usize, beyond: &mut Beyond) {
        let Some(holes) = beyond else { return };
        let end = &mut self.ends[me];
        while let Some(reached) = holes[me].take_touching(end.contiguous()) {
            end.set_contiguous(end.contiguous().max(reached));
        }
        if holes.iter().all(|side| side.is_empty()) {
            *beyond = None;
        }
    }

    /// `side`'s data up to `acknowledged` was received by the other end: what we have not seen of it we missed.
    #[inline]
    pub(super) fn trim(&mut self, conn: &mut Conn, side: Side, acknowledged: i64, beyond: &mut Beyond) {
        let me = side as usize;
        let end = &self.ends[me];
        let mut up_to = acknowledged;
        if end.is(Fact::HasFin) {
            let fin = end.fin_near(up_to);
            if up_to >= fin {
                up_to = fin - 1;
            }
        }
        if up_to <= end.contiguous() {
            return;
        }
        // The first numbers of a connection begun in the middle are guesses, off by one or two.
        if up_to <= 2 && self.is_partial {
            return;
        }
        // Elsewhere sequence numbers are not to be trusted: a gap may be a reset's invention.
        let is_clean = self.ends.iter().all(|end| end.is_clean());
        while self.ends[me].contiguous() < up_to {
            let at = self.ends[me].contiguous();
            let next = beyond.as_ref().and_then(|holes| holes[me].first_start(at));
            let until = next.map_or(up_to, |start| start.min(up_to)).max(at);
            if is_clean && until > at {
                self.missed_bytes = self.missed_bytes.saturating_add((until - at) as u64);
                let end = &mut self.ends[me];
                end.gaps = end.gaps.saturating_add(1);
                let gaps = u32::from(end.gaps);
                conn.write_scaled(side, b'G', gaps);
            }
            self.ends[me].set_contiguous(until);
            self.fill(me, beyond);
            if self.ends[me].contiguous() <= at {
                // Nothing moved it: stop rather than depend on disjoint ranges and near positions.
                break;
            }
        }
    }

    /// Data of `side` that was received but not acknowledged yet.
    fn has_unacknowledged_data(&self, side: Side, beyond: &Beyond) -> bool {
        let end = self.end(side);
        let held = beyond.as_ref().and_then(|holes| holes[side as usize].end(end.contiguous()));
        let given_up = end.is_unacknowledged() && self.bytes(side) > MAX_INITIAL_WINDOW;
        let received = if given_up { held } else { Some(held.unwrap_or(0).max(end.contiguous())) };
        received.is_some_and(|received| received > end.acknowledged().max(1))
    }

    /// Whether data of or for `side` is still on its way, so that its close must wait.
    fn is_data_pending(&self, side: Side, beyond: &Beyond) -> bool {
        let end = self.end(side);
        let (sent, contiguous) = (end.sent(), end.contiguous());
        if sent < contiguous {
            return false;
        }
        // The FIN itself takes a number, a reset does not.
        if contiguous != sent - 1 && contiguous != sent {
            return true;
        }
        end.state() != State::Reset && self.has_unacknowledged_data(side.other(), beyond)
    }

    /// After the close of `side`: once all data is there, a close that waited is done.
    #[inline]
    pub(super) fn check_end_of_data(
        &mut self,
        conn: &mut Conn,
        side: Side,
        closed: Duration,
        beyond: &Beyond,
    ) {
        let end = self.end(side);
        let is_closing = end.is(Fact::HasFin) || matches!(end.state(), State::Closed | State::Reset);
        if !is_closing || end.is(Fact::DidEnd) || self.is_data_pending(side, beyond) {
            return;
        }
        self.ends[side as usize].note(Fact::DidEnd);
        if self.close_deferred {
            self.close(conn, side, closed, beyond);
            self.close_deferred = false;
        }
    }

    /// `side` has closed. The connection is over when both have, or when nobody is left to.
    pub(super) fn close(&mut self, conn: &mut Conn, side: Side, closed: Duration, beyond: &Beyond) {
        if self.is_data_pending(side, beyond) {
            self.close_deferred = true;
            return;
        }
        self.close_deferred = false;
        let peer = self.end(side.other());
        let (peer_closed, peer_state) = (peer.is(Fact::DidClose), peer.state());
        let end = &mut self.ends[side as usize];
        if end.is(Fact::DidClose) {
            return;
        }
        end.note(Fact::DidClose);
        if end.state() == State::Reset || peer_closed || peer_state == State::Inactive {
            let millis = conn.last.after(closed).since(conn.first).as_millis();
            let closing = NonZeroU32::new(u32::try_from(millis).unwrap_or(u32::MAX).max(1));
            self.closing = self.closing.min(closing).or(closing);
        }
    }

    /// When the connection is over whatever still arrives, once both ends have closed: to the millisecond, as it is
    /// kept since the beginning. After 49 days of life that is at once.
    pub(crate) fn closes(&self, conn: &Conn) -> Option<Timestamp> {
        self.closing.map(|millis| conn.first.after(Duration::from_millis(u64::from(millis.get()))))
    }
}
