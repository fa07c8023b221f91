//! Reads: every page, [`PAGE`] objects each, never one call per object.
//!
//! A call costs one token of a bucket of 100 that refills at 20 per second and is shared with every other tool in the account
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>, so pages are as large as AWS allows. Dropping one
//! of these futures loses nothing.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{self as sdk, Filter};
use enigma_fleet::ids::{InterfaceId, TargetId};
use enigma_fleet::inventory::{Instance, Interface, MirrorFilter, MirrorSession, MirrorTarget, Subnet};
use enigma_reconcile::ports::{AwsError, InterfaceScope, MirrorScope};

use super::Ec2Place;
use crate::convert::{self, keep};
use crate::errors::translate;

/// `MaxResults` of every read: the most that all of these calls accept (5 to 1000).
const PAGE: i32 = 1000;
/// Values of one filter in one call; more are refused with `FilterLimitExceeded`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
const FILTER_VALUES: usize = 200;

/// Collects all pages of one call. `$convert` takes one page's list and gives our objects.
macro_rules! all_pages {
    ($self:ident, $operation:literal, $call:expr, $items:ident, $each:expr) => {{
        let mut pages = $call.into_paginator().page_size(PAGE).send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| translate(Some(&$self.place), $operation, &e))?;
            #[allow(clippy::redundant_closure_call, reason = "the closure is the macro's argument")]
            all.extend($each(page.$items()));
        }
        Ok(all)
    }};
}

impl Ec2Place {
    pub(super) async fn read_interfaces(&self, scope: &InterfaceScope) -> Result<Vec<Interface>, AwsError> {
        match scope {
            InterfaceScope::All => Ok(self.interface_pages(None, usize::MAX).await?.0),
            InterfaceScope::Ids(ids) => self.interfaces_by_id(ids.iter().collect()).await,
        }
    }

    /// By filter, because an unknown id fails a call that names ids but only matches nothing in a filter. A filter takes 200 ids
    /// where a page holds 1,000 interfaces, so for many ids reading everything is usually cheaper, and for few ids in
    /// a huge account it is not. How much there is is unknown, so: read everything for as many pages as the filters
    /// would need, then give up and filter for what is still missing. That is never more than twice the calls of the
    /// better way.
    async fn interfaces_by_id(&self, ids: BTreeSet<&InterfaceId>) -> Result<Vec<Interface>, AwsError> {
        let filtered_calls = ids.len().div_ceil(FILTER_VALUES);
        let (mut found, is_complete) = if filtered_calls > 1 {
            self.interface_pages(None, filtered_calls).await?
        } else {
            (Vec::new(), false)
        };
        found.retain(|interface| ids.contains(&interface.id));
        if is_complete {
            return Ok(found);
        }
        let seen: BTreeSet<InterfaceId> = found.iter().map(|interface| interface.id.clone()).collect();
        let missing: Vec<&InterfaceId> = ids.into_iter().filter(|id| !seen.contains(*id)).collect();
        for chunk in missing.chunks(FILTER_VALUES) {
            let filter = Filter::builder()
                .name("network-interface-id")
                .set_values(Some(chunk.iter().map(ToString::to_string).collect()))
                .build();
            found.extend(self.interface_pages(Some(filter), usize::MAX).await?.0);
        }
        Ok(found)
    }

    /// At most `limit` pages, and whether those were all.
    async fn interface_pages(
        &self,
        filter: Option<Filter>,
        limit: usize,
    ) -> Result<(Vec<Interface>, bool), AwsError> {
        let call = self.reads.describe_network_interfaces().set_filters(filter.map(|f| vec![f]));
        let mut pages = call.into_paginator().page_size(PAGE).send();
        let mut all = Vec::new();
        for _ in 0..limit {
            let Some(page) = pages.next().await else {
                return Ok((all, true));
            };
            let page = page.map_err(|e| translate(Some(&self.place), "DescribeNetworkInterfaces", &e))?;
            all.extend(keep(
                &self.place,
                "network interface",
                page.network_interfaces(),
                |i| i.network_interface_id(),
                |i| convert::interface(&self.place, i),
            ));
            if page.next_token().is_none_or(str::is_empty) {
                return Ok((all, true));
            }
        }
        Ok((all, false))
    }

    pub(super) async fn read_instances(&self) -> Result<Vec<Instance>, AwsError> {
        all_pages!(
            self,
            "DescribeInstances",
            self.reads.describe_instances(),
            reservations,
            |page: &[sdk::Reservation]| {
                page.iter()
                    .flat_map(|r| {
                        keep(&self.place, "instance", r.instances(), |i| i.instance_id(), convert::instance)
                    })
                    .collect::<Vec<_>>()
            }
        )
    }

    pub(super) async fn read_subnets(&self) -> Result<Vec<Subnet>, AwsError> {
        all_pages!(
            self,
            "DescribeSubnets",
            self.reads.describe_subnets(),
            subnets,
            |page: &[sdk::Subnet]| { keep(&self.place, "subnet", page, |s| s.subnet_id(), convert::subnet) }
        )
    }

    pub(super) async fn read_targets(&self, scope: &MirrorScope) -> Result<Vec<MirrorTarget>, AwsError> {
        let call = self.reads.describe_traffic_mirror_targets().set_filters(tag_filter(scope));
        all_pages!(
            self,
            "DescribeTrafficMirrorTargets",
            call,
            traffic_mirror_targets,
            |page: &[sdk::TrafficMirrorTarget]| {
                keep(
                    &self.place,
                    "traffic mirror target",
                    page,
                    |t| t.traffic_mirror_target_id(),
                    convert::target,
                )
            }
        )
    }

    pub(super) async fn read_visible(
        &self,
        ids: &BTreeSet<TargetId>,
    ) -> Result<BTreeSet<TargetId>, AwsError> {
        let mut seen = BTreeSet::new();
        let all: Vec<&TargetId> = ids.iter().collect();
        for chunk in all.chunks(FILTER_VALUES) {
            let values = chunk.iter().map(ToString::to_string).collect();
            let filter = Filter::builder().name("traffic-mirror-target-id").set_values(Some(values)).build();
            let call = self.reads.describe_traffic_mirror_targets().filters(filter);
            let found: Result<Vec<Option<TargetId>>, AwsError> = all_pages!(
                self,
                "DescribeTrafficMirrorTargets",
                call,
                traffic_mirror_targets,
                |page: &[sdk::TrafficMirrorTarget]| {
                    page.iter()
                        .map(|target| target.traffic_mirror_target_id()?.parse().ok())
                        .collect::<Vec<_>>()
                }
            );
            seen.extend(found?.into_iter().flatten());
        }
        Ok(seen)
    }

    pub(super) async fn read_filters(&self, scope: &MirrorScope) -> Result<Vec<MirrorFilter>, AwsError> {
        let call = self.reads.describe_traffic_mirror_filters().set_filters(tag_filter(scope));
        all_pages!(
            self,
            "DescribeTrafficMirrorFilters",
            call,
            traffic_mirror_filters,
            |page: &[sdk::TrafficMirrorFilter]| {
                keep(
                    &self.place,
                    "traffic mirror filter",
                    page,
                    |f| f.traffic_mirror_filter_id(),
                    |f| convert::filter(&self.place, f),
                )
            }
        )
    }

    pub(super) async fn read_sessions(&self, scope: &MirrorScope) -> Result<Vec<MirrorSession>, AwsError> {
        let call = self.reads.describe_traffic_mirror_sessions().set_filters(tag_filter(scope));
        all_pages!(
            self,
            "DescribeTrafficMirrorSessions",
            call,
            traffic_mirror_sessions,
            |page: &[sdk::TrafficMirrorSession]| {
                keep(
                    &self.place,
                    "traffic mirror session",
                    page,
                    |s| s.traffic_mirror_session_id(),
                    convert::session,
                )
            }
        )
    }
}

/// `tag:KEY` is not among the documented filters of the mirroring reads, but AWS's own sample tools use it and every EC2 object
/// with tags answers it. `*`, `?` and `\` are wildcards in filter values, so they are escaped.
fn tag_filter(scope: &MirrorScope) -> Option<Vec<Filter>> {
    match scope {
        MirrorScope::All => None,
        MirrorScope::HasTag { key } => {
            Some(vec![Filter::builder().name("tag-key").values(literal(key)).build()])
        }
        MirrorScope::Tagged { key, value } => {
            Some(vec![Filter::builder().name(format!("tag:{key}")).values(literal(value)).build()])
        }
    }
}

fn literal(value: &str) -> String {
    value.chars().fold(String::with_capacity(value.len()), |mut text, c| {
        if matches!(c, '*' | '?' | '\\') {
            text.push('\\');
        }
        text.push(c);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_values_with_wildcards_match_only_themselves() {
        assert_eq!(literal("prod"), "prod");
        assert_eq!(literal(r"a*b?c\d"), r"a\*b\?c\\d");
    }
}
