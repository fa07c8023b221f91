//! When the next datagram is due: at once, at a rate, or as the capture has it. Always measured from the beginning, so
//! that errors of sleeping do not add up.

use std::thread;
use std::time::{Duration, Instant};

use super::stop::Stop;

/// Sleeping is only worth it beyond the timer's own error; nearer than that datagrams go a little early, in small
/// bunches, as from a real interface.
const WORTH_SLEEPING: Duration = Duration::from_millis(1);

/// A gap of the capture may last hours; whoever says stop waits for this long at most.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// The clock of one `send`.
pub(super) struct Pace {
    kind: Kind,
    began: Instant,
    sent: u64,
    /// Time of the first frame of this round.
    first: Option<i64>,
}

#[derive(Clone, Copy)]
enum Kind {
    AtOnce,
    Rate(u32),
    Realtime,
}

impl Pace {
    pub(super) fn new(rate: Option<u32>, realtime: bool) -> Self {
        let kind = match (rate, realtime) {
            (Some(rate), _) => Kind::Rate(rate),
            (None, true) => Kind::Realtime,
            (None, false) => Kind::AtOnce,
        };
        Self { kind, began: Instant::now(), sent: 0, first: None }
    }

    /// A new round of the same capture.
    pub(super) fn begin(&mut self) {
        if matches!(self.kind, Kind::Realtime) {
            self.began = Instant::now();
            self.first = None;
        }
    }

    /// Waits until a frame captured at `at` (nanoseconds) may go; `false` if somebody said stop meanwhile.
    pub(super) fn wait(&mut self, at: i64, stop: &Stop) -> bool {
        let due = due(self.kind, self.sent, at, *self.first.get_or_insert(at));
        self.sent += 1;
        let Some(due) = due else { return true };
        loop {
            let ahead = due.saturating_sub(self.began.elapsed());
            if ahead < WORTH_SLEEPING {
                return true;
            }
            if stop.is_set() {
                return false;
            }
            thread::sleep(ahead.min(LONGEST_SLEEP));
        }
    }
}

/// Time from the beginning to the datagram after `sent` others; `None` is at once. A capture whose time runs
/// backwards waits for nothing.
fn due(kind: Kind, sent: u64, at: i64, first: i64) -> Option<Duration> {
    match kind {
        Kind::AtOnce => None,
        Kind::Rate(rate) => Some(Duration::from_nanos(sent.saturating_mul(1_000_000_000) / u64::from(rate))),
        Kind::Realtime => u64::try_from(at.saturating_sub(first)).ok().map(Duration::from_nanos),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_times() {
        assert_eq!(due(Kind::AtOnce, 7, 5, 0), None);
        assert_eq!(due(Kind::Rate(1000), 0, 5, 0), Some(Duration::ZERO));
        assert_eq!(due(Kind::Rate(1000), 2500, 5, 0), Some(Duration::from_millis(2500)));
        assert_eq!(due(Kind::Rate(3), u64::MAX, 0, 0), Some(Duration::from_nanos(u64::MAX / 3)));
        assert_eq!(due(Kind::Realtime, 9, 1_500, 500), Some(Duration::from_nanos(1_000)));
        assert_eq!(due(Kind::Realtime, 9, 500, 1_500), None);
        assert_eq!(due(Kind::Realtime, 9, i64::MAX, i64::MIN), Some(Duration::from_nanos(i64::MAX as u64)));
    }
}
