//! EC2's token buckets: one per action, account and Region.
//!
//! Sizes and refill rates: <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>. Off unless
//! switched on, so that tests of other things run at full speed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::filter::matches;

/// How calls are throttled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Throttle {
    /// Whether buckets are kept at all.
    pub enabled: bool,
    /// Seconds of AWS's time that pass in one second here: 10 refills ten times as fast.
    pub time_scale: f64,
    /// Action pattern -> bucket that replaces AWS's; the first pattern in alphabetical order wins.
    pub buckets: BTreeMap<String, Bucket>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { enabled: false, time_scale: 1.0, buckets: BTreeMap::new() }
    }
}

/// Size and refill rate of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Most tokens it holds, which is also what it starts with.
    pub size: f64,
    /// Tokens a second.
    pub refill: f64,
}

const NON_MUTATING: Bucket = Bucket { size: 100.0, refill: 20.0 };
const UNFILTERED: Bucket = Bucket { size: 50.0, refill: 10.0 };
const MUTATING: Bucket = Bucket { size: 50.0, refill: 5.0 };
const TAGGING: Bucket = Bucket { size: 100.0, refill: 10.0 };

/// Describe calls that draw on the smaller bucket when neither filtered nor paged.
const COSTLY_UNFILTERED: [&str; 3] =
    ["DescribeInstances", "DescribeNetworkInterfaces", "DescribeSecurityGroups"];

/// Levels of all buckets in use.
#[derive(Debug, Default)]
pub(crate) struct Levels(BTreeMap<(String, String, String, bool), (f64, Timestamp)>);

impl Levels {
    /// Takes one token; `false` means throttled. `narrowed`: the call had a filter or asked for pages.
    pub(crate) fn take(
        &mut self,
        throttle: &Throttle,
        call: (&str, &str, &str),
        narrowed: bool,
        now: Timestamp,
    ) -> bool {
        if !throttle.enabled {
            return true;
        }
        let (account, region, action) = call;
        let costly = !narrowed && COSTLY_UNFILTERED.contains(&action);
        let bucket = throttle.bucket(action, costly);
        let key = (account.to_owned(), region.to_owned(), action.to_owned(), costly);
        let (level, then) = self.0.entry(key).or_insert((bucket.size, now));
        let seconds = now.duration_since(*then).as_secs_f64().max(0.0) * throttle.time_scale;
        *level = (*level + seconds * bucket.refill).min(bucket.size);
        *then = now;
        if *level < 1.0 {
            return false;
        }
        *level -= 1.0;
        true
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Throttle {
    fn bucket(&self, action: &str, costly: bool) -> Bucket {
        if let Some((_, bucket)) = self.buckets.iter().find(|(pattern, _)| matches(pattern, action)) {
            return *bucket;
        }
        match action {
            "CreateTags" | "DeleteTags" => TAGGING,
            _ if costly => UNFILTERED,
            _ if action.starts_with("Describe") => NON_MUTATING,
            _ => MUTATING,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Levels, Throttle};

    fn burst(levels: &mut Levels, action: &str, at: i64, narrowed: bool) -> usize {
        let throttle = Throttle { enabled: true, ..Throttle::default() };
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(at);
        (0..1000).take_while(|_| levels.take(&throttle, ("1", "r", action), narrowed, now)).count()
    }

    #[test]
    fn buckets_have_awss_sizes_and_rates() {
        let mut levels = Levels::default();
        assert_eq!(burst(&mut levels, "CreateTrafficMirrorSession", 0, true), 50);
        assert_eq!(burst(&mut levels, "CreateTrafficMirrorSession", 2, true), 10);
        assert_eq!(burst(&mut levels, "CreateTrafficMirrorTarget", 2, true), 50);
        assert_eq!(burst(&mut levels, "DescribeNetworkInterfaces", 2, true), 100);
        assert_eq!(burst(&mut levels, "DescribeNetworkInterfaces", 2, false), 50);
        assert_eq!(burst(&mut levels, "CreateTags", 2, false), 100);
        assert_eq!(burst(&mut levels, "CreateTrafficMirrorSession", 1000, true), 50);
    }
}
