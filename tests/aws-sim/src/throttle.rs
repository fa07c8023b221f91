//! Token buckets, per account and Region: on EC2 one for each action, on the other services one for all of their reads and
//! one for the rest.
//!
//! Sizes and refill rates are AWS's where it publishes them, otherwise a choice (see WORLD.md). Off unless switched on,
//! so that tests of other things run at full speed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::fault::is_read;
use crate::permission::covers;
use crate::service::Service;

/// How calls are throttled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Throttle {
    /// Whether buckets are kept at all.
    pub enabled: bool,
    /// Seconds of AWS's time that pass in one second here: 10 refills ten times as fast.
    pub time_scale: f64,
    /// Action pattern (`Create*`, `ram:*`) -> bucket that replaces AWS's; the first pattern in alphabetical order wins.
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

// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
const NON_MUTATING: Bucket = Bucket { size: 100.0, refill: 20.0 };
const UNFILTERED: Bucket = Bucket { size: 50.0, refill: 10.0 };
const MUTATING: Bucket = Bucket { size: 50.0, refill: 5.0 };
const TAGGING: Bucket = Bucket { size: 100.0, refill: 10.0 };
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html>
const BALANCING: Bucket = Bucket { size: 40.0, refill: 10.0 };
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>, "STS request quotas".
const STS: Bucket = Bucket { size: 600.0, refill: 600.0 };
/// Services that publish no figure: slow enough that a caller without patience is refused.
const UNPUBLISHED: Bucket = Bucket { size: 10.0, refill: 5.0 };

/// Describe calls that draw on the smaller bucket when neither filtered nor paged.
const COSTLY_UNFILTERED: [&str; 3] =
    ["DescribeInstances", "DescribeNetworkInterfaces", "DescribeSecurityGroups"];

/// Levels of all buckets in use: account, Region and name of the bucket -> tokens then.
#[derive(Debug, Default)]
pub(crate) struct Levels(BTreeMap<(String, String, String), (f64, Timestamp)>);

impl Levels {
    /// Takes one token or refuses as the service does. `narrowed`: the call had a filter or asked for pages.
    pub(crate) fn take(
        &mut self,
        throttle: &Throttle,
        (account, region): (&str, &str),
        (service, action): (&str, &str),
        narrowed: bool,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        // What only an upstream can answer is throttled there, if at all.
        if !throttle.enabled || Service::of(service) == Service::Other {
            return Ok(());
        }
        let (name, bucket) = throttle.bucket(service, action, narrowed);
        let key = (account.to_owned(), region.to_owned(), name);
        let (level, then) = self.0.entry(key).or_insert((bucket.size, now));
        let seconds = now.duration_since(*then).as_secs_f64().max(0.0) * throttle.time_scale;
        *level = (*level + seconds * bucket.refill).min(bucket.size);
        *then = now;
        if *level < 1.0 {
            return Err(Service::of(service).throttled());
        }
        *level -= 1.0;
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Throttle {
    /// The bucket a call draws on, with its name: calls of one name share it.
    fn bucket(&self, service: &str, action: &str, narrowed: bool) -> (String, Bucket) {
        let own = format!("{service}:{action}");
        if let Some((_, bucket)) = self.buckets.iter().find(|(pattern, _)| covers(pattern, service, action)) {
            return (own, *bucket);
        }
        let shared = format!("{service}:{}", if is_read(action) { "reads" } else { "writes" });
        match (Service::of(service), action) {
            (Service::Ec2, "CreateTags" | "DeleteTags") => (own, TAGGING),
            (Service::Ec2, _) if !narrowed && COSTLY_UNFILTERED.contains(&action) => {
                (format!("{own} of everything"), UNFILTERED)
            }
            (Service::Ec2, _) if action.starts_with("Describe") => (own, NON_MUTATING),
            (Service::Ec2, _) => (own, MUTATING),
            (Service::Balancing, _) => (shared, BALANCING),
            // One quota for AssumeRole, GetCallerIdentity and the others together.
            (Service::Sts, _) => (service.to_owned(), STS),
            _ => (shared, UNPUBLISHED),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Bucket, Levels, Throttle};

    fn burst(levels: &mut Levels, (service, action): (&str, &str), at: i64, narrowed: bool) -> usize {
        let throttle = Throttle { enabled: true, ..Throttle::default() };
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(at);
        let mut take = || levels.take(&throttle, ("1", "r"), (service, action), narrowed, now).is_ok();
        (0..1000).take_while(|_| take()).count()
    }

    #[test]
    fn buckets_have_awss_sizes_and_rates() {
        let mut levels = Levels::default();
        let mut ec2 =
            |action: &str, at: i64, narrowed: bool| burst(&mut levels, ("ec2", action), at, narrowed);
        assert_eq!(ec2("CreateTrafficMirrorSession", 0, true), 50);
        assert_eq!(ec2("CreateTrafficMirrorSession", 2, true), 10);
        assert_eq!(ec2("CreateTrafficMirrorTarget", 2, true), 50);
        assert_eq!(ec2("DescribeNetworkInterfaces", 2, true), 100);
        assert_eq!(ec2("DescribeNetworkInterfaces", 2, false), 50);
        assert_eq!(ec2("CreateTags", 2, false), 100);
        assert_eq!(ec2("CreateTrafficMirrorSession", 1000, true), 50);
    }

    #[test]
    fn actions_of_other_services_share_their_buckets() {
        let mut levels = Levels::default();
        let mut calls =
            |service: &str, action: &str, at: i64| burst(&mut levels, (service, action), at, true);
        assert_eq!(calls("elasticloadbalancing", "DescribeListeners", 0), 40);
        assert_eq!(calls("elasticloadbalancing", "DescribeTargetHealth", 0), 0);
        assert_eq!(calls("elasticloadbalancing", "DescribeTargetHealth", 2), 20);
        assert_eq!(calls("sts", "AssumeRole", 0), 600);
        assert_eq!(calls("sts", "GetCallerIdentity", 0), 0);
        assert_eq!(calls("ram", "GetResourceShares", 0), 10);
        assert_eq!(calls("ram", "ListResources", 0), 0);
        assert_eq!(calls("ram", "CreateResourceShare", 0), 10);
        assert_eq!(calls("organizations", "ListAccountsForParent", 0), 10);
        assert_eq!(calls("organizations", "ListAccountsForParent", 1), 5);
    }

    #[test]
    fn each_service_refuses_in_its_own_words() {
        let nothing = Bucket { size: 0.0, refill: 0.0 };
        let throttle =
            Throttle { enabled: true, buckets: [("*".to_owned(), nothing)].into(), ..Throttle::default() };
        for (service, code) in [
            ("ec2", "RequestLimitExceeded"),
            ("elasticloadbalancing", "ThrottlingException"),
            ("organizations", "TooManyRequestsException"),
            ("ram", "ThrottlingException"),
            ("sts", "Throttling"),
        ] {
            let refused =
                Levels::default().take(&throttle, ("1", "r"), (service, "X"), true, Timestamp::UNIX_EPOCH);
            assert_eq!(refused.unwrap_err().code, code);
        }
    }
}
