//! How long a plan takes at AWS's documented call rates.
//!
//! AWS counts calls in token buckets, one for each action, account and Region. Waves follow one another in each place, and places go
//! on side by side, so the slowest place decides. That is the least a plan can take: replies, other callers of the same
//! buckets and the pace an executor keeps below AWS's come on top. Time is counted, not measured.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::actions::Action;
use crate::ids::Place;
use crate::plan::Plan;

/// AWS's buckets: calls at once, and calls a second after that.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls at once after a rest.
    pub burst: u32,
    /// Calls a second in the long run.
    pub per_second: u32,
}

/// Every call that changes something and has no entry of its own, which is so of all of traffic mirroring.
pub const MUTATING: Rate = Rate { burst: 50, per_second: 5 };
/// `CreateTags` and `DeleteTags`, each.
pub const TAGGING: Rate = Rate { burst: 100, per_second: 10 };

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
        let mut wanted: BTreeMap<&Place, BTreeMap<&'static str, u64>> = BTreeMap::new();
        for action in &wave.actions {
            for call in calls_of(action) {
                calls += 1;
                *wanted.entry(action.place()).or_default().entry(call).or_default() += 1;
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

/// The API calls that an action comes to.
fn calls_of(action: &Action) -> impl Iterator<Item = &'static str> {
    let (first, second) = match action {
        Action::CreateTarget { .. } => (Some("CreateTrafficMirrorTarget"), None),
        Action::CreateFilter { .. } => (Some("CreateTrafficMirrorFilter"), None),
        Action::SetAmazonDns { .. } => (Some("ModifyTrafficMirrorFilterNetworkServices"), None),
        Action::CreateRule { .. } => (Some("CreateTrafficMirrorFilterRule"), None),
        Action::ModifyRule { .. } => (Some("ModifyTrafficMirrorFilterRule"), None),
        Action::DeleteRule { .. } => (Some("DeleteTrafficMirrorFilterRule"), None),
        Action::CreateSession { .. } => (Some("CreateTrafficMirrorSession"), None),
        Action::ModifySession { .. } => (Some("ModifyTrafficMirrorSession"), None),
        Action::DeleteSession { .. } => (Some("DeleteTrafficMirrorSession"), None),
        Action::DeleteFilter { .. } => (Some("DeleteTrafficMirrorFilter"), None),
        Action::DeleteTarget { .. } => (Some("DeleteTrafficMirrorTarget"), None),
        Action::CreateShare { .. } => (Some("CreateResourceShare"), None),
        Action::ModifyShare { allows_external, set, remove, .. } => {
            let tags = if !set.is_empty() {
                Some("TagResource")
            } else if remove.is_empty() {
                None
            } else {
                Some("UntagResource")
            };
            (allows_external.map(|_| "UpdateResourceShare"), tags)
        }
        Action::AddToShare { .. } => (Some("AssociateResourceShare"), None),
        Action::JoinShare { .. } => (Some("AcceptResourceShareInvitation"), None),
        Action::RemoveFromShare { .. } => (Some("DisassociateResourceShare"), None),
        Action::DeleteShare { .. } => (Some("DeleteResourceShare"), None),
        Action::Retag { set, remove, .. } => {
            ((!set.is_empty()).then_some("CreateTags"), (!remove.is_empty()).then_some("DeleteTags"))
        }
    };
    first.into_iter().chain(second)
}

/// The buckets of one place, with time in milliseconds and tokens in thousandths, so that nothing is rounded on the way.
#[derive(Default)]
struct Clock {
    now: u64,
    /// Tokens and when they were counted.
    buckets: BTreeMap<&'static str, (u64, u64)>,
}

impl Clock {
    fn wave(&mut self, wanted: &BTreeMap<&'static str, u64>) {
        let start = self.now;
        for (call, count) in wanted {
            let rate = if matches!(*call, "CreateTags" | "DeleteTags") { TAGGING } else { MUTATING };
            let (burst, per_second) = (u64::from(rate.burst) * 1000, u64::from(rate.per_second));
            let (tokens, counted) = self.buckets.get(call).copied().unwrap_or((burst, start));
            let tokens = burst.min(tokens + (start - counted) * per_second);
            let need = count * 1000;
            // A token per second is a thousandth per millisecond.
            let wait = need.saturating_sub(tokens).div_ceil(per_second);
            let left = (tokens + wait * per_second).saturating_sub(need).min(burst);
            self.buckets.insert(call, (left, start + wait));
            self.now = self.now.max(start + wait);
        }
    }
}

#[cfg(test)]
mod tests;
