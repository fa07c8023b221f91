//! Selection rules, already valid, and what they match.

use std::collections::{BTreeMap, BTreeSet};

use crate::eligibility::Eligibility;
use crate::ids::{
    AccountId, InstanceId, InterfaceId, Label, PacketLength, Region, SessionNumber, SubnetId, VpcId, ZoneName,
};
use crate::inventory::{Instance, Interface, Tags};
use crate::selection::{Pattern, Service};

/// The tag by which auto scaling groups mark their instances.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html>
const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// Everything a selection needs besides the observation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectionSpec {
    /// Rules by name.
    pub rules: BTreeMap<Label, Rule>,
    /// Which instance types can be mirrored.
    pub eligibility: Eligibility,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Lower is tried first.
    pub priority: u32,
    /// Which interfaces of an instance.
    pub interfaces: InterfaceChoice,
    /// What it matches.
    pub selector: Selector,
    /// What it leaves to later rules.
    pub exclude: Option<Selector>,
    /// What happens to the interfaces it decides.
    pub outcome: Outcome,
}

/// What a rule does with the interfaces it decides; rules of equal priority may overlap only with equal outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not mirrored.
    Exclude,
    /// Mirrored.
    Mirror {
        /// Candidates; empty is every target of the fleet.
        targets: Vec<Label>,
        /// `None` is the fleet's default filter.
        filter: Option<Label>,
        /// `None` is the fleet's.
        number: Option<SessionNumber>,
        /// `None` is the fleet's.
        packet_length: Option<PacketLength>,
    },
}

/// Which interfaces of an instance a rule speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InterfaceChoice {
    /// Every one, those of services included.
    #[default]
    All,
    /// Those with device index 0.
    Primary,
}

/// Conditions; `None` matches everything, an empty set nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Accounts the interface was seen in.
    pub accounts: Option<BTreeSet<AccountId>>,
    /// Regions.
    pub regions: Option<BTreeSet<Region>>,
    /// VPCs.
    pub vpcs: Option<BTreeSet<VpcId>>,
    /// Subnets.
    pub subnets: Option<BTreeSet<SubnetId>>,
    /// Zones.
    pub zones: Option<BTreeSet<ZoneName>>,
    /// Instances.
    pub instances: Option<BTreeSet<InstanceId>>,
    /// Auto scaling groups.
    pub groups: Option<Vec<Pattern>>,
    /// Interfaces.
    pub interfaces: Option<BTreeSet<InterfaceId>>,
    /// Instance types.
    pub instance_types: Option<Vec<Pattern>>,
    /// AWS interface types, verbatim.
    pub interface_types: Option<BTreeSet<String>>,
    /// Services that manage the interface.
    pub services: Option<BTreeSet<Service>>,
    /// Instance tags.
    pub tags: BTreeMap<String, Vec<Pattern>>,
    /// Interface tags.
    pub interface_tags: BTreeMap<String, Vec<Pattern>>,
}

impl Selector {
    /// Whether all conditions hold. Conditions on an instance never hold for an interface without a known one.
    #[must_use]
    pub fn matches(&self, interface: &Interface, instance: Option<&Instance>) -> bool {
        let instance_id =
            || interface.attachment.as_ref().and_then(|attachment| attachment.instance.as_ref());
        let instance_tags = instance.map(|instance| &instance.tags);
        member(self.accounts.as_ref(), Some(&interface.place.account))
            && member(self.regions.as_ref(), Some(&interface.place.region))
            && member(self.vpcs.as_ref(), Some(&interface.vpc))
            && member(self.subnets.as_ref(), Some(&interface.subnet))
            && member(self.zones.as_ref(), Some(&interface.zone))
            && member(self.interfaces.as_ref(), Some(&interface.id))
            && member(self.interface_types.as_ref(), Some(&interface.kind))
            && member(self.services.as_ref(), Service::of(interface).as_ref())
            && member(self.instances.as_ref(), instance_id())
            && any(self.instance_types.as_ref(), instance.map(|instance| &instance.instance_type))
            && any(self.groups.as_ref(), instance_tags.and_then(|tags| tags.get(GROUP_TAG)))
            && tagged(&self.tags, instance_tags)
            && tagged(&self.interface_tags, Some(&interface.tags))
    }
}

impl Rule {
    /// Whether the rule decides about the interface, if no earlier rule does.
    #[must_use]
    pub fn matches(&self, interface: &Interface, instance: Option<&Instance>) -> bool {
        let is_primary =
            || interface.attachment.as_ref().is_some_and(|attachment| attachment.device_index == 0);
        (self.interfaces == InterfaceChoice::All || is_primary())
            && self.selector.matches(interface, instance)
            && !self.exclude.as_ref().is_some_and(|exclude| exclude.matches(interface, instance))
    }
}

fn member<T: Ord>(accepted: Option<&BTreeSet<T>>, found: Option<&T>) -> bool {
    accepted.is_none_or(|accepted| found.is_some_and(|found| accepted.contains(found)))
}

fn any(accepted: Option<&Vec<Pattern>>, found: Option<&String>) -> bool {
    accepted.is_none_or(|accepted| {
        found.is_some_and(|found| accepted.iter().any(|pattern| pattern.matches(found)))
    })
}

fn tagged(wanted: &BTreeMap<String, Vec<Pattern>>, found: Option<&Tags>) -> bool {
    wanted.iter().all(|(key, accepted)| {
        found
            .and_then(|tags| tags.get(key))
            .is_some_and(|value| accepted.iter().any(|pattern| pattern.matches(value)))
    })
}
