//! What a person wants of a fleet, already valid.
//!
//! The same specification serves Terraform, continuous sync and CI, so [`parse`] is the only validator. It knows nothing of what
//! exists; what depends on a world is found by [`crate::expand`].

mod parse;
mod parse_filter;
mod parse_networks;
mod raw;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::check::PathKind;
use crate::filter::{Compiled, Intent, IpVersion};
use crate::given::Given;
use crate::ids::{
    AccountId, FleetName, Label, PacketLength, Place, Region, SessionNumber, Vni, VpcId, ZoneName,
};
use crate::inventory::{Destination, Tags};
use crate::quota::{
    SOURCES_PER_INTERFACE_TARGET, SOURCES_PER_LARGE_INTERFACE_TARGET, sources_of_interface_target,
};

pub use parse::{DEFAULT_MAX_REMOVALS, DEFAULT_NUMBER, parse};
pub use raw::{RawFilter, RawFilterRule, RawFleet, RawSafety, RawSession, RawTarget, RawVniRange};

/// A fleet. Parts that Terraform cannot know before the apply are [`Given::Unknown`]; everything that decides *which* sessions
/// exist is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetSpec {
    /// Its name: the value of the ownership tag.
    pub name: FleetName,
    /// Where it sends. Not empty.
    pub targets: BTreeMap<Label, TargetSpec>,
    /// What it mirrors. Not empty.
    pub filters: BTreeMap<Label, FilterSpec>,
    /// Settings of sessions.
    pub session: SessionSpec,
    /// What a plan may not do unasked.
    pub safety: Safety,
    /// A person's tags; never `Absent`.
    pub tags: Given<Tags>,
}

impl FleetSpec {
    /// The filter of members whose rule names none: the only one, else the one called `default`.
    #[must_use]
    pub fn default_filter(&self) -> Option<&Label> {
        match self.filters.len() {
            1 => self.filters.keys().next(),
            _ => self.filters.keys().find(|label| label.as_str() == DEFAULT_FILTER),
        }
    }

    /// The whole specification, normalised, for another program that works on the same fleet.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("every key is text")
    }

    /// The specification that [`to_json`](Self::to_json) wrote. Ids and ranges are checked, and that rules fit AWS's
    /// budget is taken on trust: text that a person wrote goes through [`parse`].
    ///
    /// # Errors
    /// Text that is no specification, with the place.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// The label of the filter that members get whose rule names none, where there are several.
pub const DEFAULT_FILTER: &str = "default";

/// The kinds of destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DestinationKind {
    /// A Gateway Load Balancer endpoint.
    GatewayLoadBalancerEndpoint,
    /// A network interface.
    Interface,
    /// A Network Load Balancer.
    NetworkLoadBalancer,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSpec {
    /// Where it sends; unknown where it is made in the same apply.
    pub destination: Given<Destination>,
    /// Which kind that is; `None` only where it cannot be known yet.
    pub kind: Option<DestinationKind>,
    /// Zones it serves first, by the names that the target's account has for them or by their ids; empty is every zone alike.
    pub zones: Vec<ZoneName>,
    /// VPCs whose sources it takes; empty is every VPC. Left out of JSON where empty, so that a description of before
    /// reads the same.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub vpcs: BTreeSet<VpcId>,
    /// Most sources it takes, if a person said so.
    pub max_sessions: Option<u32>,
    /// Its Region; `None` is the fleet's home. AWS mirrors within a Region only, so it takes sources of that Region alone.
    pub region: Option<Region>,
    /// The account of a Gateway Load Balancer endpoint; `None` is the fleet's home.
    pub account: Option<AccountId>,
    /// The MTU of an interface target's interface, if a person said so: AWS's API does not tell it.
    pub mtu: Option<u16>,
    /// How packets of sources in other VPCs get there, if a person said so: one of [`PathKind::BETWEEN_VPCS`].
    pub path: Option<PathKind>,
}

impl TargetSpec {
    /// Most sources it takes: as written, else AWS's 10 for interfaces (the size of the target's instance, which allows 100, is
    /// not known here), else unlimited.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.capacity_on(None)
    }

    /// The same for a caller who knows the type of the instance that the target's interface is attached to.
    #[must_use]
    pub fn capacity_on(&self, instance_type: Option<&str>) -> Option<usize> {
        match (self.max_sessions, self.kind) {
            (Some(most), _) => usize::try_from(most).ok(),
            (None, Some(DestinationKind::Interface)) => {
                Some(instance_type.map_or(SOURCES_PER_INTERFACE_TARGET, sources_of_interface_target))
            }
            (None, _) => None,
        }
    }

    /// Most sources AWS lets it have, whatever a person said: that of its instance's type where the caller knows it.
    /// Where nobody does, a person who wrote more than the usual 10 knows it.
    #[must_use]
    pub fn limit_on(&self, instance_type: Option<&str>) -> Option<usize> {
        if self.kind != Some(DestinationKind::Interface) {
            return None;
        }
        let written = self.max_sessions.and_then(|most| usize::try_from(most).ok()).unwrap_or_default();
        let usual = SOURCES_PER_INTERFACE_TARGET.max(written.min(SOURCES_PER_LARGE_INTERFACE_TARGET));
        Some(instance_type.map_or(usual, sources_of_interface_target))
    }

    /// Where it is made: in the account of its destination, in its own Region if it has one.
    #[must_use]
    pub fn place(&self, home: &Place) -> Place {
        Place {
            account: self.account.clone().unwrap_or_else(|| home.account.clone()),
            region: self.region.clone().unwrap_or_else(|| home.region.clone()),
        }
    }

    /// Whether sources of a VPC of a place can send to it: they are within its reach, and a person did not keep their VPC away.
    #[must_use]
    pub fn takes(&self, home: &Place, sources: &Place, vpc: &VpcId) -> bool {
        self.reaches(home, sources) && (self.vpcs.is_empty() || self.vpcs.contains(vpc))
    }

    /// Whether AWS lets sources of a place send to it. AWS mirrors within a Region only, and a Gateway Load Balancer
    /// endpoint's target is made beside its sources instead of being shared with them.
    /// <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-connection.html>
    #[must_use]
    pub fn reaches(&self, home: &Place, sources: &Place) -> bool {
        let place = self.place(home);
        place.region == sources.region && (self.is_shareable() || place.account == sources.account)
    }

    /// Whether other accounts can use it once it is shared with them.
    #[must_use]
    pub fn is_shareable(&self) -> bool {
        self.kind != Some(DestinationKind::GatewayLoadBalancerEndpoint)
    }
}

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterSpec {
    /// Whether DNS to Amazon's resolver is mirrored; AWS leaves it out of every other rule.
    pub dns: Given<bool>,
    /// IP versions the rules speak of.
    pub versions: Vec<IpVersion>,
    /// What was wanted, and the rules it became; unknown where a part of it is.
    pub rules: Given<FilterRules>,
}

/// A filter's intents with what they compile to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterRules {
    /// What a person wrote.
    pub intents: Vec<Intent>,
    /// AWS's rules for it; within the budget.
    pub compiled: Compiled,
}

/// Settings of sessions that a rule may override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSpec {
    /// First number to try on each interface.
    pub number: SessionNumber,
    /// Truncation; `None` is AWS's default.
    pub packet_length: Option<PacketLength>,
    /// First VNI of the fleet.
    pub vni_from: Vni,
    /// Last VNI of the fleet.
    pub vni_to: Vni,
}

/// What a plan may not do unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Safety {
    /// Most sessions one plan may remove.
    pub max_removals: MaxRemovals,
    /// Whether members that cannot be mirrored are an error.
    pub on_ineligible: OnIneligible,
    /// Whether sessions that nobody's fleet owns may be taken over.
    pub adopt: Adopt,
    /// Whether targets may be shared with accounts outside the organization.
    pub share_outside_organization: bool,
}

/// Whether sessions that nobody's fleet owns may be taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adopt {
    /// None is.
    #[default]
    None,
    /// Those that send a member interface to one of the fleet's destinations.
    Matching,
}

/// Most sessions one plan may remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxRemovals {
    /// Exactly this many.
    Count(u32),
    /// This part of the live sessions, rounded down, but one at least.
    Percent(u8),
}

impl MaxRemovals {
    /// The limit for a fleet with `live` sessions. A percentage always admits one removal, since otherwise no instance of a fleet
    /// of three could ever end.
    #[must_use]
    pub fn limit(self, live: usize) -> usize {
        match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(0) => 0,
            Self::Percent(percent) => (live.saturating_mul(usize::from(percent)) / 100).max(1),
        }
    }
}

impl std::fmt::Display for MaxRemovals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// What to do with members that cannot be mirrored (no room, no slot).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnIneligible {
    /// The plan fails.
    Fail,
    /// They are listed as not mirrored.
    #[default]
    Skip,
}

#[cfg(test)]
mod tests;
