//! Everything that can be told of a plan before anything is created, from what was seen.
//!
//! Findings of an expansion come from the members alone; these need an observation: what others use of a quota, who
//! receives, which way packets take. Without an observation a question is not asked, so no finding here is a guess. Nothing here
//! changes a plan.

mod balancers;
mod crossing;
mod receivers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::check::PathKind;
use crate::duration::Estimate;
use crate::expand::{Expansion, Facts};
use crate::filter::IpVersion;
use crate::finding::{Finding, FindingKind, Sources};
use crate::given::Given;
use crate::ids::{AccountId, InstanceId, Label, MemberKey, Place, Region, VpcId, ZoneName};
use crate::inventory::{Destination, PlaceInventory};
use crate::ownership::FLEET_TAG;
use crate::problem::Path;
use crate::quota;
use crate::selection::Member;
use crate::spec::{DestinationKind, FleetSpec, TargetSpec};

/// From this part of a quota on a person is told: a tenth is left, which a fleet of 9,000 fills in weeks and an interface target
/// with its next source.
const NEAR_PERCENT: usize = 90;
/// The largest MTU of a VPC, and what instances have unless somebody lowered it: AWS's API tells no interface's, so
/// it is assumed where nobody wrote one, and findings say so.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html>
const JUMBO_MTU: u16 = 9001;

pub use balancers::{BalancerFacts, ReceiverFacts};
pub use receivers::InterfaceFacts;

/// What a preflight looks at.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What is wanted.
    pub spec: &'a FleetSpec,
    /// Where targets live by default.
    pub home: &'a Place,
    /// Who shall be mirrored.
    pub members: &'a BTreeMap<MemberKey, Member>,
    /// What was decided.
    pub expansion: &'a Expansion,
    /// What was seen; places that are absent are not judged.
    pub places: &'a BTreeMap<Place, PlaceInventory>,
    /// What was seen of receivers.
    pub facts: &'a Facts,
    /// What AWS answered to questions beside the observation.
    pub answers: &'a Answers,
}

/// What AWS answered to questions that only a preflight asks. What was not asked is absent and not judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Which ways packets take.
    pub paths: Paths,
    /// The Network Load Balancers of targets; `None` where there is no such load balancer.
    pub balancers: BTreeMap<Label, Option<BalancerFacts>>,
    /// The interfaces of targets; `None` where there is no such interface in the target's place.
    pub interfaces: BTreeMap<Label, Option<InterfaceFacts>>,
    /// Writes of the plan that AWS refuses for want of permission.
    pub refusals: Vec<Refusal>,
    /// How long the plan takes at least.
    pub estimate: Option<Estimate>,
}

/// A write that AWS refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where.
    pub place: Place,
    /// As in a policy: `ec2:CreateTrafficMirrorSession`.
    pub action: String,
    /// AWS's words.
    pub message: String,
}

/// Which ways packets take, as far as someone knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// The VPCs of destinations. A source there needs no way between VPCs; for others the target's own
    /// [`path`](crate::spec::TargetSpec::path) says which they take. Where absent nothing is assumed of any source.
    pub target_vpcs: BTreeMap<Label, VpcId>,
    /// The instances of interface targets, which [`Facts`](crate::expand::Facts) know only once something sends to them.
    pub target_instances: BTreeMap<Label, InstanceId>,
    /// The zones of interface targets, as the target's account calls them.
    pub target_zones: BTreeMap<Label, ZoneName>,
    /// Targets that can be reached over IPv6 alone. The others are judged by what IPv4 leaves room for, which is more.
    pub over_ipv6: BTreeSet<Label>,
}

/// How much of one limit is used once the plan is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headroom {
    /// `sessions`, `targets`, `filters`, `rules` or `sources`.
    pub what: &'static str,
    /// The place, filter or target it holds for.
    pub of: String,
    /// Everybody's, this plan's included.
    pub used: usize,
    /// AWS's limit.
    pub limit: usize,
}

impl Headroom {
    /// What is left, in percent, rounded down.
    #[must_use]
    pub fn percent_left(&self) -> usize {
        self.limit.saturating_sub(self.used) * 100 / self.limit.max(1)
    }

    fn is_near(&self) -> bool {
        self.limit > 0 && self.used <= self.limit && self.used * 100 >= self.limit * NEAR_PERCENT
    }
}

/// What a preflight found.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preflight {
    /// Errors first; those of the expansion are not repeated.
    pub findings: Vec<Finding>,
    /// Every limit, by kind and object.
    pub headroom: Vec<Headroom>,
}

/// Looks at everything.
pub fn preflight(scene: &Scene<'_>) -> Preflight {
    let mut result = Preflight::default();
    // Where sessions leave with the last member, the expansion has told how many.
    let leaves = !scene.expansion.removed.is_empty();
    if scene.members.is_empty() && scene.expansion.kept.is_empty() && !leaves {
        result.findings.push(Finding::at(Path::root().attr("members"), FindingKind::NothingSelected));
    }
    count_places(scene, &mut result);
    count_rules(scene, &mut result);
    count_sources(scene, &mut result);
    receivers::look(scene, &mut result.findings);
    look_at_receivers(scene, &mut result);
    look_at_fleets(scene, &mut result);
    look_at_paths(scene, &mut result);
    balancers::look(scene, &mut result.findings);
    balancers::look_at_loops(scene, &mut result.findings);
    crossing::look(scene, &mut result.findings);
    look_at_permissions(scene, &mut result);
    look_at_time(scene, &mut result);
    result.findings.sort_by_key(Finding::severity);
    result
}

/// What of a place's objects counts against its own quota and stays: not the fleet's, which the plan counts, nor another
/// account's, which are only seen here.
struct Others {
    sessions: usize,
    targets: usize,
    filters: usize,
}

impl Others {
    fn of(scene: &Scene<'_>, place: &Place) -> Self {
        let is_ours = |tags: &crate::inventory::Tags| {
            tags.get(FLEET_TAG).is_some_and(|name| name == scene.spec.name.as_str())
        };
        let adopted: BTreeSet<_> = scene.expansion.adopted.values().map(|one| &one.session).collect();
        let Some(seen) = scene.places.get(place) else { return Self { sessions: 0, targets: 0, filters: 0 } };
        let sessions = seen
            .sessions
            .iter()
            .filter(|one| one.owner == place.account && !is_ours(&one.tags) && !adopted.contains(&one.id));
        let targets = seen.targets.iter().filter(|one| one.owner == place.account && !is_ours(&one.tags));
        let filters = seen.filters.iter().filter(|one| !is_ours(&one.tags));
        Self { sessions: sessions.count(), targets: targets.count(), filters: filters.count() }
    }
}

fn count_places(scene: &Scene<'_>, result: &mut Preflight) {
    let plan = scene.expansion;
    let mut ours: BTreeMap<&Place, [usize; 3]> = BTreeMap::new();
    for key in plan.sessions.keys().chain(plan.kept.keys()) {
        ours.entry(&key.place).or_default()[0] += 1;
    }
    for key in plan.targets.keys() {
        ours.entry(&key.place).or_default()[1] += 1;
    }
    for key in plan.filters.keys() {
        ours.entry(&key.place).or_default()[2] += 1;
    }
    for (place, [sessions, targets, filters]) in ours {
        let others = Others::of(scene, place);
        let counts = [
            ("sessions", sessions, others.sessions, quota::SESSIONS_PER_PLACE, "members"),
            ("targets", targets, others.targets, quota::TARGETS_PER_PLACE, "targets"),
            ("filters", filters, others.filters, quota::FILTERS_PER_PLACE, "filters"),
        ];
        for (what, ours, others, limit, attribute) in counts {
            let used = ours + others;
            let headroom = Headroom { what, of: place.to_string(), used, limit };
            let at = Path::root().attr(attribute);
            let place = place.clone();
            // Where the fleet alone is too large the expansion has said so.
            if used > limit && ours <= limit {
                let kind = FindingKind::QuotaExceeded { what, place, wanted: used, limit };
                result.findings.push(Finding::at(at, kind));
            } else if headroom.is_near() {
                let kind = FindingKind::QuotaNear { what, place, used, limit };
                result.findings.push(Finding::at(at, kind));
            }
            result.headroom.push(headroom);
        }
    }
}

/// A filter's budget was kept when it was compiled, and a full one works, so this is told as a number and not as a finding.
fn count_rules(scene: &Scene<'_>, result: &mut Preflight) {
    for (label, filter) in &scene.spec.filters {
        let Given::Known(rules) = &filter.rules else { continue };
        result.headroom.push(Headroom {
            what: "rules",
            of: label.to_string(),
            used: rules.compiled.rules.len(),
            limit: quota::RULES_PER_FILTER,
        });
    }
}

fn count_sources(scene: &Scene<'_>, result: &mut Preflight) {
    let plan = scene.expansion;
    let mut sources: BTreeMap<&Label, BTreeSet<&MemberKey>> = BTreeMap::new();
    for (key, session) in &plan.sessions {
        sources.entry(&session.target.label).or_default().insert(key);
    }
    for (key, session) in &plan.kept {
        if let Some(label) = &session.target {
            sources.entry(label).or_default().insert(key);
        }
    }
    let full: BTreeSet<&Label> = plan
        .findings
        .iter()
        .filter_map(|finding| match &finding.kind {
            FindingKind::TargetsFull { targets, .. } => Some(targets),
            _ => None,
        })
        .flatten()
        .collect();
    for (key, target) in &plan.targets {
        let Some(limit) = target.capacity else { continue };
        let mut all = sources.remove(&key.label).unwrap_or_default();
        all.extend(scene.facts.strange_sources(&key.label, &plan.adopted));
        let headroom = Headroom { what: "sources", of: key.label.to_string(), used: all.len(), limit };
        // Where some found no room, that has been said.
        if headroom.is_near() && !full.contains(&key.label) {
            let (target, used) = (key.label.clone(), headroom.used);
            let at = Path::root().attr("targets").key(target.as_str());
            result.findings.push(Finding::at(at, FindingKind::TargetNearlyFull { target, used, limit }));
        }
        result.headroom.push(headroom);
    }
}

/// Other instances in a receiver's subnet are sources like any; its own other interfaces are not.
fn look_at_receivers(scene: &Scene<'_>, result: &mut Preflight) {
    let mut receivers: BTreeMap<&InstanceId, &Label> = BTreeMap::new();
    for (label, target) in &scene.spec.targets {
        let Given::Known(Destination::Interface(id)) = &target.destination else { continue };
        let seen = scene.places.get(&target.place(scene.home)).into_iter().flat_map(|seen| &seen.interfaces);
        let interface = seen.into_iter().find(|interface| interface.id == *id);
        let attached = interface.and_then(|interface| interface.attachment.as_ref()?.instance.as_ref());
        let known = scene.facts.targets.get(label).and_then(|facts| facts.instance.as_ref());
        let asked = scene.answers.paths.target_instances.get(label);
        receivers.extend(attached.or(known).or(asked).map(|instance| (instance, label)));
    }
    let mut mirrored: BTreeMap<(&Label, &InstanceId), Vec<MemberKey>> = BTreeMap::new();
    for (key, session) in &scene.expansion.sessions {
        let Some(instance) = &session.instance else { continue };
        if let Some(label) = receivers.get(instance) {
            mirrored.entry((label, instance)).or_default().push(key.clone());
        }
    }
    result.findings.extend(mirrored.into_iter().map(|((target, instance), sources)| {
        let kind = FindingKind::CollectorMirrored {
            target: target.clone(),
            instance: instance.clone(),
            sources: Sources::of(sources),
        };
        Finding::at(Path::root().attr("targets").key(target.as_str()).attr("network_interface_id"), kind)
    }));
}

fn look_at_fleets(scene: &Scene<'_>, result: &mut Preflight) {
    let mut fleets: BTreeMap<&str, Vec<MemberKey>> = BTreeMap::new();
    for key in scene.expansion.sessions.keys() {
        let Some(member) = scene.members.get(key) else { continue };
        let others: BTreeSet<&str> = member
            .held
            .iter()
            .filter_map(|held| held.fleet.as_deref())
            .filter(|fleet| *fleet != scene.spec.name.as_str())
            .collect();
        for fleet in others {
            fleets.entry(fleet).or_default().push(key.clone());
        }
    }
    result.findings.extend(fleets.into_iter().map(|(fleet, sources)| {
        let kind =
            FindingKind::SourcesOfAnotherFleet { fleet: fleet.to_owned(), sources: Sources::of(sources) };
        Finding::at(Path::root().attr("members"), kind)
    }));
}

/// An account with the actions it refuses.
type Cause<'a> = (&'a AccountId, BTreeSet<&'a str>);

/// One finding for each account and set of refused actions, however many Regions have it.
fn look_at_permissions(scene: &Scene<'_>, result: &mut Preflight) {
    let mut refused: BTreeMap<&Place, (BTreeSet<&str>, &str)> = BTreeMap::new();
    for refusal in &scene.answers.refusals {
        let entry = refused.entry(&refusal.place).or_insert_with(|| (BTreeSet::new(), &refusal.message));
        entry.0.insert(&refusal.action);
    }
    let mut causes: BTreeMap<Cause<'_>, (Vec<Region>, &str)> = BTreeMap::new();
    for (place, (actions, message)) in refused {
        let cause = causes.entry((&place.account, actions)).or_insert_with(|| (Vec::new(), message));
        cause.0.push(place.region.clone());
    }
    result.findings.extend(causes.into_iter().map(|((account, actions), (regions, message))| {
        let at = Path::root().attr(asked_for_by(&actions));
        let kind = FindingKind::PermissionMissing {
            account: account.clone(),
            regions,
            actions: actions.into_iter().map(str::to_owned).collect(),
            message: message.to_owned(),
        };
        Finding::at(at, kind)
    }));
}

/// The argument for which a plan needs these actions. An account comes with its members, so that whatever is refused
/// for their sessions can be had by leaving them out too.
fn asked_for_by(actions: &BTreeSet<&str>) -> &'static str {
    let all = |part: &str| actions.iter().all(|action| action.contains(part));
    if all("TrafficMirrorTarget") || all("ResourceShare") {
        "targets"
    } else if all("TrafficMirrorFilter") {
        "filters"
    } else {
        "members"
    }
}

/// From this time on a person is told: half of the 20 minutes after which Terraform's resources usually give up.
const LONG: Duration = Duration::from_secs(10 * 60);

fn look_at_time(scene: &Scene<'_>, result: &mut Preflight) {
    let Some(estimate) = &scene.answers.estimate else { return };
    if let (true, Some(place)) = (estimate.time >= LONG, &estimate.slowest) {
        let minutes = estimate.time.as_secs().div_ceil(60);
        let kind = FindingKind::TakesLong { calls: estimate.calls, minutes, slowest: place.clone() };
        result.findings.push(Finding::at(Path::root().attr("timeouts"), kind));
    }
}

/// Which way packets of a source take. Routes are not looked at: what no VPC and no person tells stays unknown. Mirroring crosses
/// VPCs by peering, a transit gateway or a Gateway Load Balancer endpoint.
/// <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-connection.html>
fn path_between(source: &VpcId, target: &TargetSpec, target_vpc: Option<&VpcId>) -> Option<PathKind> {
    if target.kind == Some(DestinationKind::GatewayLoadBalancerEndpoint) {
        return Some(PathKind::GatewayLoadBalancerEndpoint);
    }
    if target_vpc? == source { Some(PathKind::SameVpc) } else { target.path }
}

/// The IP version of mirrored packets around what they carry.
fn outer(scene: &Scene<'_>, target: &Label) -> IpVersion {
    if scene.answers.paths.over_ipv6.contains(target) { IpVersion::Ipv6 } else { IpVersion::Ipv4 }
}

/// Sources whose packets the way does not carry. Of the others some may be cut at its end.
fn look_at_paths(scene: &Scene<'_>, result: &mut Preflight) {
    let mut over: BTreeMap<(&Label, PathKind, u16), Vec<MemberKey>> = BTreeMap::new();
    for (key, session) in &scene.expansion.sessions {
        let (label, Some(member)) = (&session.target.label, scene.members.get(key)) else { continue };
        let Some(target) = scene.spec.targets.get(label) else { continue };
        let target_vpc = scene.answers.paths.target_vpcs.get(label);
        let Some(kind) = path_between(&member.vpc, target, target_vpc) else { continue };
        let Some(limit) = kind.limits(outer(scene, label)).packet_length else { continue };
        let default = match target.kind {
            Some(DestinationKind::NetworkLoadBalancer) => quota::NLB_PACKET_LENGTH,
            // Whole packets, which are as long as the source's MTU lets them be.
            _ => JUMBO_MTU,
        };
        if session.packet_length.map_or(default, |length| length.get()) > limit {
            over.entry((label, kind, limit)).or_default().push(key.clone());
        }
    }
    look_at_interfaces(scene, &over.values().flatten().cloned().collect(), result);
    result.findings.extend(over.into_iter().map(|((target, path, limit), sources)| {
        // What a person wrote: the length if there is one, else what makes the way short.
        let at = match (scene.spec.session.packet_length, path) {
            (Some(_), _) => Path::root().attr("session").attr("packet_length"),
            (None, PathKind::GatewayLoadBalancerEndpoint) => {
                Path::root().attr("targets").key(target.as_str()).attr("gateway_load_balancer_endpoint_id")
            }
            (None, _) => Path::root().attr("targets").key(target.as_str()).attr("path"),
        };
        let (target, sources) = (target.clone(), Sources::of(sources));
        let kind = FindingKind::PacketLengthOverPath { target, path, limit, sources };
        Finding::at(at, kind)
    }));
}

/// Interface targets whose interface cannot take what their sources send. AWS cuts such packets; of load balancers it
/// says something else. <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-network-limitations.html>
fn look_at_interfaces(scene: &Scene<'_>, told: &BTreeSet<MemberKey>, result: &mut Preflight) {
    let mut cut: BTreeMap<(&Label, u16, bool), Vec<MemberKey>> = BTreeMap::new();
    for (key, session) in &scene.expansion.sessions {
        let label = &session.target.label;
        let Some(target) = scene.spec.targets.get(label) else { continue };
        if target.kind != Some(DestinationKind::Interface) || told.contains(key) {
            continue;
        }
        let target_mtu = target.mtu.unwrap_or(JUMBO_MTU);
        let limit = target_mtu.saturating_sub(PathKind::SameVpc.limits(outer(scene, label)).added);
        // Whole packets are as long as the source's MTU lets them be, which AWS does not tell.
        if session.packet_length.map_or(JUMBO_MTU, |length| length.get()) > limit {
            cut.entry((label, limit, session.packet_length.is_some())).or_default().push(key.clone());
        }
    }
    result.findings.extend(cut.into_iter().map(|((label, limit, has_length), sources)| {
        let mtu = scene.spec.targets.get(label).and_then(|target| target.mtu);
        let at = Path::root().attr("targets").key(label.as_str());
        let at = match (has_length && scene.spec.session.packet_length.is_some(), mtu) {
            (true, _) => Path::root().attr("session").attr("packet_length"),
            (false, Some(_)) => at.attr("mtu"),
            (false, None) => at.attr("network_interface_id"),
        };
        let kind = FindingKind::TruncatedByTarget {
            target: label.clone(),
            mtu: mtu.unwrap_or(JUMBO_MTU),
            limit,
            has_length,
            sources: Sources::of(sources),
        };
        Finding::at(at, kind)
    }));
}

#[cfg(test)]
mod tests;
