//! VNIs that were freed and must not mean another interface yet.
//!
//! Whoever applies keeps a [`Resting`] beside its state, tells it after each apply which VNIs were in use before and are now, and
//! gives [`Resting::vnis`] to the next plan. Time comes in as an argument, so that a plan that is computed twice is one plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::Vni;

/// How long a VNI rests: a collector's records and whatever looks them up by VNI are a day old at most before they carry names
/// of their own.
pub const REST: Duration = Duration::from_secs(24 * 60 * 60);

/// Most VNIs that rest; then those that rest longest wake early. It bounds what is kept beside the state to some 50
/// KB, and of the
/// 16.7 million VNIs a new session takes one of so few by accident almost never.
pub const MOST_RESTING: usize = 2_000;

/// Freed VNIs with the time in seconds since 1970 at which they were freed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resting(BTreeMap<u32, u64>);

impl Resting {
    /// Lays down what is no longer in use, wakes what is in use again or has rested enough.
    pub fn settle(&mut self, before: &BTreeSet<Vni>, after: &BTreeSet<Vni>, now: u64) {
        for vni in before.difference(after) {
            self.0.insert(vni.get(), now);
        }
        for vni in after {
            self.0.remove(&vni.get());
        }
        self.wake(now);
        while self.0.len() > MOST_RESTING {
            let longest = self.0.iter().min_by_key(|(vni, freed)| (**freed, **vni)).map(|(vni, _)| *vni);
            let Some(longest) = longest else { break };
            self.0.remove(&longest);
        }
    }

    /// Wakes what has rested enough.
    pub fn wake(&mut self, now: u64) {
        // A clock that was set back must not let a VNI rest for ever.
        self.0.retain(|_, freed| *freed <= now && now - *freed < REST.as_secs());
    }

    /// What rests.
    #[must_use]
    pub fn vnis(&self) -> BTreeSet<u32> {
        self.0.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vnis(numbers: impl IntoIterator<Item = i64>) -> BTreeSet<Vni> {
        numbers.into_iter().map(|number| number.try_into().unwrap()).collect()
    }

    #[test]
    fn a_freed_vni_rests_for_a_day_unless_it_is_used_again() {
        let mut resting = Resting::default();
        resting.settle(&vnis(1..=4), &vnis([2]), 1000);
        assert_eq!(resting.vnis(), [1, 3, 4].into());
        resting.settle(&vnis([2]), &vnis([2, 3]), 2000);
        assert_eq!(resting.vnis(), [1, 4].into());
        resting.wake(1000 + REST.as_secs() - 1);
        assert_eq!(resting.vnis(), [1, 4].into());
        resting.wake(1000 + REST.as_secs());
        assert_eq!(resting, Resting::default());
        // What was freed in a future that a clock no longer knows wakes.
        resting.settle(&vnis([9]), &vnis([]), 5000);
        resting.wake(4000);
        assert_eq!(resting, Resting::default());
    }

    #[test]
    fn of_too_many_those_that_rested_longest_wake_and_memory_survives_json() {
        let mut resting = Resting::default();
        resting.settle(&vnis(1..=10), &vnis([]), 100);
        let many = i64::try_from(MOST_RESTING).unwrap();
        resting.settle(&vnis(11..=many), &vnis([]), 200);
        assert_eq!(resting.vnis().len(), MOST_RESTING);
        resting.settle(&vnis(many + 1..=many + 10), &vnis([]), 300);
        assert_eq!(resting.vnis().len(), MOST_RESTING);
        assert_eq!(resting.vnis().first(), Some(&11));
        let json = serde_json::to_string(&resting).unwrap();
        assert!(json.len() < 50_000);
        assert_eq!(serde_json::from_str::<Resting>(&json).unwrap(), resting);
    }
}
