//! What is wrong with a destination, from what was read of it: pure.
//!
//! AWS's rules: <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-targets.html>.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::ids::{Place, ZoneName};
use enigma_fleet::inventory::{Destination, Instance, Interface, MirrorSession, MirrorTarget};
use enigma_fleet::quota::sources_of_interface_target;
use enigma_reconcile::ports::{Balancer, Group, Receiver};
use enigma_tfplugin::Dynamic;

use crate::member::text;

/// VXLAN's port, which AWS does not let anyone choose.
/// <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-packet-formats.html>
const PORT: u16 = 4789;

/// What was read.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) targets: Vec<MirrorTarget>,
    pub(super) sessions: Vec<MirrorSession>,
    pub(super) balancer: Option<Balancer>,
    pub(super) interface: Option<Interfaced>,
}

/// An interface with its instance, where that was seen.
pub(super) struct Interfaced {
    pub(super) interface: Interface,
    pub(super) instance: Option<Instance>,
}

/// The computed attributes.
pub(super) fn judge(
    destination: &Destination,
    home: &Place,
    place: &Place,
    seen: &Seen,
) -> BTreeMap<&'static str, Dynamic> {
    let target_ids: BTreeSet<_> = seen
        .targets
        .iter()
        .filter(|target| target.destination == *destination)
        .map(|target| &target.id)
        .collect();
    let sources: BTreeSet<_> = seen
        .sessions
        .iter()
        .filter(|session| target_ids.contains(&session.target))
        .map(|session| (&session.owner, &session.interface))
        .collect();
    let mut told = BTreeMap::from([
        ("target_ids", Dynamic::list(target_ids.iter().map(|id| id.as_str()))),
        ("source_count", count(sources.len())),
    ]);
    let mut problems = Vec::new();
    match destination {
        Destination::GatewayLoadBalancerEndpoint(_) => {}
        _ if place.account != home.account => problems.push(format!(
            "It belongs to account {}, and targets for it can be made by that account alone: let the provider's own credentials be of that \
             account.",
            place.account
        )),
        Destination::NetworkLoadBalancer(arn) => balancer(arn, place, seen, &mut told, &mut problems),
        Destination::Interface(id) => match &seen.interface {
            None => {
                told.insert("exists", false.into());
                problems.push(format!("There is no network interface {id} in {place}."));
            }
            Some(found) => interface(found, sources.len(), seen, &mut told, &mut problems),
        },
    }
    if !matches!(destination, Destination::GatewayLoadBalancerEndpoint(_)) {
        told.insert("ready", problems.is_empty().into());
    }
    told.insert("problems", Dynamic::list(problems));
    told
}

fn balancer(
    arn: &str,
    place: &Place,
    seen: &Seen,
    told: &mut BTreeMap<&'static str, Dynamic>,
    problems: &mut Vec<String>,
) {
    let Some(balancer) = &seen.balancer else {
        told.insert("exists", false.into());
        problems.push(format!("There is no load balancer {arn} in {place}."));
        return;
    };
    let listeners: Vec<_> = balancer.listeners.iter().filter(|listener| listener.takes_udp(PORT)).collect();
    let groups: Vec<&Group> = listeners
        .iter()
        .flat_map(|listener| &listener.groups)
        .filter_map(|arn| balancer.groups.get(arn))
        .collect();
    let receivers: Vec<&Receiver> = groups.iter().flat_map(|group| &group.receivers).collect();
    let healthy: Vec<&Receiver> =
        receivers.iter().copied().filter(|receiver| receiver.is_healthy()).collect();
    let is_cross_zone = match groups.iter().find_map(|group| group.is_cross_zone) {
        Some(of_group) => of_group,
        None => balancer.is_cross_zone,
    };
    let mut by_zone: BTreeMap<&ZoneName, usize> = BTreeMap::new();
    for zone in healthy.iter().filter_map(|receiver| receiver.zone.as_ref()) {
        *by_zone.entry(zone).or_default() += 1;
    }
    told.extend([
        ("exists", true.into()),
        ("vpc_id", text(balancer.vpc.as_ref().map(|vpc| vpc.as_str()))),
        ("availability_zones", Dynamic::list(balancer.zones.keys().map(ZoneName::as_str))),
        ("cross_zone", is_cross_zone.into()),
        ("listener", (!listeners.is_empty()).into()),
        ("receiver_count", count(receivers.len())),
        ("healthy_count", count(healthy.len())),
        ("healthy_by_zone", Dynamic::map(by_zone.iter().map(|(zone, n)| (zone.to_string(), count(*n))))),
    ]);
    if balancer.kind != "network" {
        problems.push(format!(
            "It is a load balancer of type {}; mirror targets take Network Load Balancers alone.",
            balancer.kind
        ));
        return;
    }
    if balancer.state != "active" {
        problems.push(format!("The load balancer is {}, not active.", balancer.state));
    }
    if listeners.is_empty() {
        problems.push(format!(
            "The load balancer has no UDP listener on port {PORT}, so it drops mirrored packets without a word. Add one with a UDP target group."
        ));
        return;
    }
    if receivers.is_empty() {
        problems.push(format!("Nothing is registered behind the UDP listener on port {PORT}: register collectors with its target group."));
        return;
    }
    if healthy.is_empty() {
        problems.push(format!(
            "None of the {} receivers is healthy. A load balancer then sends to all of them: look at the collectors and their health checks.",
            receivers.len()
        ));
        return;
    }
    let is_zone_known = healthy.iter().all(|receiver| receiver.zone.is_some());
    let idle: Vec<&str> =
        balancer.zones.keys().filter(|zone| !by_zone.contains_key(zone)).map(ZoneName::as_str).collect();
    if !is_cross_zone && is_zone_known && !idle.is_empty() {
        problems.push(format!(
            "Mirrored packets that reach its node in {} are lost: no healthy receiver is there, and cross-zone load balancing is off. Turn it \
             on, or put a collector in each zone.",
            idle.join(", ")
        ));
    }
}

fn interface(
    found: &Interfaced,
    sources: usize,
    seen: &Seen,
    told: &mut BTreeMap<&'static str, Dynamic>,
    problems: &mut Vec<String>,
) {
    let Interfaced { interface, instance } = found;
    let kind = instance.as_ref().map(|instance| instance.instance_type.as_str());
    let capacity =
        kind.map_or(enigma_fleet::quota::SOURCES_PER_INTERFACE_TARGET, sources_of_interface_target);
    let attached = interface.attachment.as_ref().and_then(|attachment| attachment.instance.as_ref());
    told.extend([
        ("exists", true.into()),
        ("vpc_id", interface.vpc.as_str().into()),
        ("availability_zones", Dynamic::list([interface.zone.as_str()])),
        ("instance_id", text(attached.map(|id| id.as_str()))),
        ("instance_type", text(kind)),
        ("capacity", count(capacity)),
    ]);
    if interface.attachment.is_none() {
        problems
            .push("The interface is attached to nothing, so nobody receives what is sent to it.".to_owned());
    }
    if let Some(instance) = instance.as_ref().filter(|instance| instance.state != "running") {
        problems.push(format!("Its instance {} is {}.", instance.id, instance.state));
    }
    if let Some(session) = seen.sessions.iter().find(|session| session.interface == interface.id) {
        problems.push(format!(
            "The interface is mirrored itself, by session {}; AWS refuses an interface that is both source and target.",
            session.id
        ));
    }
    if sources >= capacity {
        problems.push(format!("All of its {capacity} sources are taken. Use a larger instance, another target or a load balancer."));
    }
}

fn count(n: usize) -> Dynamic {
    Dynamic::from(i64::try_from(n).unwrap_or(i64::MAX))
}
