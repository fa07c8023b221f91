//! Load balancers: whether what is sent to them arrives anywhere.
//!
//! AWS makes a session to a load balancer without a listener, or in whose zones nobody receives, and then nothing arrives and
//! nothing says so. <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-targets.html>

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::check::preflight::Scene;
use crate::finding::{Finding, FindingKind, Sources};
use crate::ids::{AccountId, InstanceId, InterfaceId, Label, MemberKey, VpcId, ZoneName};
use crate::inventory::Interface;
use crate::problem::Path;
use crate::spec::DestinationKind;
use crate::zones::{Zone, Zones};

/// VXLAN's port, the only one AWS mirrors to (RFC 7348 section 5).
const VXLAN_PORT: u16 = 4789;

/// What was seen of one Network Load Balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BalancerFacts {
    /// Protocol and port of each listener, as AWS writes the protocol: `UDP`, `TCP_UDP`, `TCP`, ...
    pub listeners: Vec<(String, u16)>,
    /// Zones in which it has a node.
    pub zones: BTreeSet<ZoneName>,
    /// Whether nodes send to receivers of all zones: the load balancer's attribute, or that of the groups behind the listener.
    pub is_cross_zone: bool,
    /// Everything registered behind the UDP listener on 4789.
    pub receivers: Vec<ReceiverFacts>,
}

/// One registered receiver. Groups register instances or addresses; whoever knows an address's interface says that too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverFacts {
    /// Its instance: as registered, or that of the interface with the registered address.
    pub instance: Option<InstanceId>,
    /// The interface with the registered address, where it was seen.
    pub interface: Option<InterfaceId>,
    /// The registered address, primary or not; none of receivers that are registered as instances.
    pub address: Option<IpAddr>,
    /// Its zone, where it is known.
    pub zone: Option<ZoneName>,
    /// Whether its health check passes.
    pub is_healthy: bool,
}

impl BalancerFacts {
    fn listens(&self) -> bool {
        let takes = |(protocol, port): &(String, u16)| {
            *port == VXLAN_PORT && matches!(protocol.as_str(), "UDP" | "TCP_UDP")
        };
        self.listeners.iter().any(takes)
    }

    /// Whether packets of sources in a zone reach somebody healthy; `None` where that cannot be told. `account` is
    /// the load balancer's.
    fn serves(&self, account: &AccountId, zone: Zone<'_>, zones: &Zones) -> Option<bool> {
        if self.is_cross_zone {
            return Some(true);
        }
        if !zones.is_among(zone, account, &self.zones)? {
            return Some(false);
        }
        if self.receivers.iter().any(|one| one.zone.is_none()) {
            return None;
        }
        let healthy = self.receivers.iter().filter(|one| one.is_healthy);
        zones.is_among(zone, account, healthy.filter_map(|one| one.zone.as_ref()))
    }
}

/// Sources that receive what is mirrored, behind a load balancer: what reaches them would be mirrored to them again.
/// Unhealthy ones count too, since they get well, and since AWS sends to all of them while none is healthy.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html>
pub(super) fn look_at_loops(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    for (label, balancer) in &scene.answers.balancers {
        let Some(balancer) = balancer else { continue };
        let registered = Registered::of(balancer, scene.answers.paths.target_vpcs.get(label));
        if registered.is_empty() {
            continue;
        }
        let mut mirrored: BTreeMap<String, Vec<MemberKey>> = BTreeMap::new();
        let seen = registered.seen(scene);
        for (key, session) in &scene.expansion.sessions {
            let interface = seen.get(&key.interface).copied();
            if let Some(receiver) = registered.receiver(key, session.instance.as_ref(), interface) {
                mirrored.entry(receiver).or_default().push(key.clone());
            }
        }
        let attribute = match scene.spec.targets.get(label).and_then(|target| target.kind) {
            Some(DestinationKind::GatewayLoadBalancerEndpoint) => "gateway_load_balancer_endpoint_id",
            _ => "network_load_balancer_arn",
        };
        findings.extend(mirrored.into_iter().map(|(receiver, sources)| {
            let kind = FindingKind::ReceiverMirrored {
                target: label.clone(),
                receiver,
                sources: Sources::of(sources),
            };
            Finding::at(Path::root().attr("targets").key(label.as_str()).attr(attribute), kind)
        }));
    }
}

/// The receivers of one load balancer, indexed.
struct Registered<'a> {
    instances: BTreeSet<&'a InstanceId>,
    interfaces: BTreeSet<&'a InterfaceId>,
    /// Addresses whose interface nobody has seen. Addresses mean something within a VPC, so without it there are none.
    addresses: BTreeSet<IpAddr>,
    vpc: Option<&'a VpcId>,
}

impl<'a> Registered<'a> {
    fn of(balancer: &'a BalancerFacts, vpc: Option<&'a VpcId>) -> Self {
        let all = || balancer.receivers.iter();
        let nameless = all().filter(|one| one.interface.is_none() && vpc.is_some());
        Self {
            instances: all().filter_map(|one| one.instance.as_ref()).collect(),
            interfaces: all().filter_map(|one| one.interface.as_ref()).collect(),
            addresses: nameless.filter_map(|one| one.address).collect(),
            vpc,
        }
    }

    fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.interfaces.is_empty() && self.addresses.is_empty()
    }

    /// Interfaces by id, if there is an address to look for.
    fn seen<'s>(&self, scene: &Scene<'s>) -> BTreeMap<&'s InterfaceId, &'s Interface> {
        let places = scene.places.values().filter(|_| !self.addresses.is_empty());
        places.flat_map(|seen| &seen.interfaces).map(|one| (&one.id, one)).collect()
    }

    /// Who of them a source is, in words.
    fn receiver(
        &self,
        key: &MemberKey,
        instance: Option<&InstanceId>,
        interface: Option<&Interface>,
    ) -> Option<String> {
        if let Some(instance) = instance.filter(|instance| self.instances.contains(instance)) {
            return Some(format!("instance {instance}"));
        }
        if self.interfaces.contains(&key.interface) {
            return Some(format!("interface {}", key.interface));
        }
        let interface = interface.filter(|interface| Some(&interface.vpc) == self.vpc)?;
        let address = interface.addresses().into_iter().find(|address| self.addresses.contains(address))?;
        Some(format!("address {address}"))
    }
}

/// The first of what is wrong with each load balancer that sessions send to: the causes hide one another.
pub(super) fn look(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let mut zones: BTreeMap<&Label, Sending<'_>> = BTreeMap::new();
    for (key, session) in &scene.expansion.sessions {
        let Some(member) = scene.members.get(key) else { continue };
        let zone = Zone { account: &key.place.account, name: &member.zone };
        zones.entry(&session.target.label).or_default().entry(zone).or_default().push(key);
    }
    for (label, balancer) in &scene.answers.balancers {
        let at = Path::root().attr("targets").key(label.as_str()).attr("network_load_balancer_arn");
        let zones = zones.remove(label).unwrap_or_default();
        findings.extend(judge(scene, label, balancer.as_ref(), &zones).map(|kind| Finding::at(at, kind)));
    }
}

/// Sources by their zone.
type Sending<'a> = BTreeMap<Zone<'a>, Vec<&'a MemberKey>>;

fn judge(
    scene: &Scene<'_>,
    label: &Label,
    balancer: Option<&BalancerFacts>,
    sources: &Sending<'_>,
) -> Option<FindingKind> {
    let target = label.clone();
    let Some(balancer) = balancer else { return Some(FindingKind::BalancerMissing { target }) };
    if !balancer.listens() {
        let listeners =
            balancer.listeners.iter().map(|(protocol, port)| format!("{protocol} {port}")).collect();
        return Some(FindingKind::BalancerWithoutListener { target, listeners });
    }
    if !balancer.receivers.iter().any(|one| one.is_healthy) {
        return Some(FindingKind::BalancerUnhealthy { target, receivers: balancer.receivers.len() });
    }
    let account = scene.spec.targets.get(label)?.place(scene.home).account;
    let known = &scene.facts.zones;
    let unserved: Vec<Zone<'_>> = sources
        .keys()
        .copied()
        .filter(|zone| balancer.serves(&account, *zone, known) == Some(false))
        .collect();
    if unserved.is_empty() {
        return None;
    }
    let keys = unserved.iter().flat_map(|zone| &sources[zone]).map(|key| (*key).clone());
    let sources = Sources::of(keys);
    // Names are those of the load balancer's account; others' would mislead who reads them there.
    let shown = |zone: &Zone<'_>| match known.id(*zone).filter(|_| *zone.account != account) {
        Some(id) => id.to_string(),
        None => zone.name.to_string(),
    };
    let zones: BTreeSet<String> = unserved.iter().map(shown).collect();
    Some(FindingKind::BalancerZonesUnserved { target, zones: zones.into_iter().collect(), sources })
}
