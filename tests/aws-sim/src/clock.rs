//! The simulator's clock: real time plus an offset that tests move, or a standing clock that only they move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// A clock shared by everything in one simulator; clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    /// `None`: real time. `Some`: a clock that stands still between [`advance`](Self::advance) calls.
    start: Option<Timestamp>,
    /// Nanoseconds added by `advance`: an `i64` holds 292 years of them.
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// Real time, which can still be moved ahead.
    pub fn real() -> Self {
        Self { start: None, offset: Arc::default() }
    }

    /// A clock that begins at `start` and moves only by [`advance`](Self::advance).
    pub fn standing(start: Timestamp) -> Self {
        Self { start: Some(start), offset: Arc::default() }
    }

    /// The time as calls see it.
    pub fn now(&self) -> Timestamp {
        let offset = Duration::from_nanos(self.offset.load(Ordering::Relaxed).unsigned_abs());
        self.start.unwrap_or_else(Timestamp::now).saturating_add(offset).unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock ahead: token buckets refill, credentials expire, stale views settle.
    pub fn advance(&self, by: Duration) {
        let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.offset.fetch_add(nanos, Ordering::Relaxed);
    }
}
