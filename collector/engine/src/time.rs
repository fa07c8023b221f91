//! Points in time and spans, as nanoseconds. The engine never asks what time it is; it is told.

use core::time::Duration;

/// Nanoseconds since 1970-01-01 00:00 UTC. Covers the years 1678 to 2262; captures with stranger clocks
/// saturate.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first instant that can be represented.
    pub const MIN: Self = Self(i64::MIN);

    /// The last instant that can be represented.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the epoch and nanoseconds beyond, as capture files write them.
    pub const fn from_parts(seconds: i64, nanos: u32) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos as i64))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The span since `earlier`; zero if that is later.
    pub const fn since(self, earlier: Self) -> Duration {
        let nanos = self.0.saturating_sub(earlier.0);
        Duration::from_nanos(if nanos > 0 { nanos as u64 } else { 0 })
    }

    /// The instant `span` later, at most the last that can be represented.
    pub const fn after(self, span: Duration) -> Self {
        let nanos = span.as_nanos();
        // More than i64 holds is 292 years: saturate.
        let nanos = if nanos > i64::MAX as u128 { i64::MAX } else { nanos as i64 };
        Self(self.0.saturating_add(nanos))
    }
}
