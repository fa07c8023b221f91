//! How long a plan takes at AWS's documented call rates.
//!
//! AWS counts calls in token buckets ([`crate::calls`]), one for each action, account and Region. Waves follow one
//! another in each place, and places go on side by side, so the slowest place decides. That is the least a plan can
//! take: replies, other callers of the same buckets and the pace an executor keeps below AWS's come on top. Time is
//! counted, not measured.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::actions::Action;
use crate::calls::{Bucket, bucket_of};
use crate::ids::Place;
use crate::plan::Plan;

pub use crate::calls::{MUTATING, Rate, TAGGING};

/// What a plan costs in calls and time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Calls of all places.
    pub calls: usize,
    /// Time of the slowest place; nothing where buckets hold all of it.
    pub time: Duration,
    /// The slowest place, if any has to wait.
    pub slowest: Option<Place>,
}

/// Counts a plan's calls, with buckets full at its start.
#[must_use]
pub fn estimate(plan: &Plan) -> Estimate {
    let mut clocks: BTreeMap<&Place, Clock> = BTreeMap::new();
    let mut calls = 0;
    for wave in &plan.waves {
        let mut wanted: BTreeMap<&Place, BTreeMap<Bucket, u64>> = BTreeMap::new();
        for action in &wave.actions {
            for call in action.calls() {
                calls += 1;
                *wanted.entry(action.place()).or_default().entry(bucket_of(call)).or_default() += 1;
            }
        }
        for (place, wanted) in wanted {
            clocks.entry(place).or_default().wave(&wanted);
        }
    }
    // Of equals the first by name.
    let slowest = clocks.iter().rev().max_by_key(|(_, clock)| clock.now).filter(|(_, clock)| clock.now > 0);
    Estimate {
        calls,
        time: Duration::from_millis(slowest.map_or(0, |(_, clock)| clock.now)),
        slowest: slowest.map(|(place, _)| (*place).clone()),
    }
}

/// Calls that are left of a plan while it is carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog(BTreeMap<Place, BTreeMap<Bucket, u64>>);

impl Backlog {
    /// All calls of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let mut backlog = Self::default();
        for action in plan.actions() {
            for call in action.calls() {
                let place = backlog.0.entry(action.place().clone()).or_default();
                *place.entry(bucket_of(call)).or_default() += 1;
            }
        }
        backlog
    }

    /// Takes the calls of an action out, however it ended.
    pub fn remove(&mut self, action: &Action) {
        let Some(place) = self.0.get_mut(action.place()) else { return };
        for call in action.calls() {
            if let Some(left) = place.get_mut(&bucket_of(call)) {
                *left = left.saturating_sub(1);
            }
        }
    }

    /// The least time that a place still needs: what its busiest bucket, full by now, does not hold.
    #[must_use]
    pub fn least(&self, place: &Place) -> Duration {
        let wait = |(bucket, left): (&Bucket, &u64)| {
            let beyond = left.saturating_sub(u64::from(bucket.rate.burst));
            Duration::from_millis((beyond * 1000).div_ceil(u64::from(bucket.rate.per_second)))
        };
        self.0.get(place).into_iter().flatten().map(wait).max().unwrap_or_default()
    }
}

/// The buckets of one place, with time in milliseconds and tokens in thousandths, so that nothing is rounded on the way.
#[derive(Default)]
struct Clock {
    now: u64,
    /// Tokens and when they were counted.
    buckets: BTreeMap<Bucket, (u64, u64)>,
}

impl Clock {
    fn wave(&mut self, wanted: &BTreeMap<Bucket, u64>) {
        let start = self.now;
        for (bucket, count) in wanted {
            let Rate { burst, per_second } = bucket.rate;
            let (burst, per_second) = (u64::from(burst) * 1000, u64::from(per_second));
            let (tokens, counted) = self.buckets.get(bucket).copied().unwrap_or((burst, start));
            let tokens = burst.min(tokens + (start - counted) * per_second);
            let need = count * 1000;
            // A token per second is a thousandth per millisecond.
            let wait = need.saturating_sub(tokens).div_ceil(per_second);
            let left = (tokens + wait * per_second).saturating_sub(need).min(burst);
            self.buckets.insert(*bucket, (left, start + wait));
            self.now = self.now.max(start + wait);
        }
    }
}

#[cfg(test)]
mod tests;
