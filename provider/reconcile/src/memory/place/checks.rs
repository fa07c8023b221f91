//! What AWS refuses, as functions from the world and a request.
//!
//! Sources: the API reference of each `CreateTrafficMirror*` action, the quota page and "Traffic mirroring considerations"
//! <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-network-limitations.html>. Where AWS's behaviour is
//! not documented the stricter reading is taken, and said.

use std::collections::BTreeSet;

use enigma_fleet::actions::Resource;
use enigma_fleet::eligibility::Eligibility;
use enigma_fleet::ids::{FilterId, FilterRuleId, InterfaceId, PacketLength, SessionId};
use enigma_fleet::inventory::{Destination, FilterRule, MirrorSession, Tags};

use super::super::refusal::Refusal;
use super::super::sharing::View;
use super::super::world::{PlaceState, Quotas};
use crate::ports::ErrorKind;

/// Longest key and value of a tag. <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>
const TAG_KEY: usize = 128;
const TAG_VALUE: usize = 256;
/// Packet length of sessions to a load balancer, by default and at most.
const LOAD_BALANCER_LENGTH: i64 = 8500;
/// Smallest packet length where IPv6 is mirrored.
const IPV6_LENGTH: u16 = 55;

pub(in crate::memory) fn tags(quotas: &Quotas, tags: &Tags) -> Result<(), Refusal> {
    for (key, value) in tags {
        let length = |text: &str| text.chars().count();
        if key.is_empty() || length(key) > TAG_KEY || length(value) > TAG_VALUE {
            return Err(Refusal::invalid(format!("tag {key:?} is too long")));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Refusal::invalid(format!("tag {key:?} is reserved")));
        }
    }
    if tags.len() > quotas.tags {
        return Err(Refusal::quota("TagLimitExceeded", quotas.tags));
    }
    Ok(())
}

pub(super) fn tags_of<'a>(state: &'a mut PlaceState, resource: &Resource) -> Result<&'a mut Tags, Refusal> {
    match resource {
        Resource::Target(id) => {
            state.targets.get_mut(id).map(|t| &mut t.tags).ok_or_else(|| Refusal::no_target(id.as_str()))
        }
        Resource::Filter(id) => {
            state.filters.get_mut(id).map(|f| &mut f.tags).ok_or_else(|| Refusal::no_filter(id.as_str()))
        }
        Resource::FilterRule(id) => {
            state.rules.get_mut(id).map(|(_, r)| &mut r.tags).ok_or_else(|| Refusal::no_rule(id.as_str()))
        }
        Resource::Session(id) => {
            state.sessions.get_mut(id).map(|s| &mut s.tags).ok_or_else(|| Refusal::no_session(id.as_str()))
        }
    }
}

pub(super) fn destination(state: &PlaceState, destination: &Destination) -> Result<(), Refusal> {
    let refuse =
        |message: String| Err(Refusal::new(ErrorKind::Invalid, "InvalidTrafficMirrorTarget", message));
    match destination {
        Destination::Interface(id) => {
            let Some(interface) = state.interfaces.get(id) else {
                return Err(Refusal::new(
                    ErrorKind::InterfaceNotFound,
                    "InvalidTrafficMirrorTarget",
                    format!("The interface ID '{id}' does not exist"),
                ));
            };
            if interface.kind != "interface" || interface.is_requester_managed {
                return refuse(format!("'{id}' cannot be a traffic mirror target"));
            }
            let in_use = |by: String| {
                Err(Refusal::new(
                    ErrorKind::InUse,
                    "InvalidNetworkInterface.InUse",
                    format!("'{id}' is in use by {by}"),
                ))
            };
            if let Some(session) = state.sessions.values().find(|session| session.interface == *id) {
                return in_use(format!("session '{}'", session.id));
            }
            match targets_on(state, id).next() {
                Some(target) => in_use(format!("another target, '{}'", target.id)),
                None => Ok(()),
            }
        }
        Destination::NetworkLoadBalancer(arn) if !state.load_balancers.contains_key(arn) => {
            refuse(format!("the load balancer '{arn}' does not exist"))
        }
        Destination::GatewayLoadBalancerEndpoint(id) if !state.gateway_endpoints.contains(id) => {
            Err(Refusal::new(
                ErrorKind::NotFound,
                "InvalidVpcEndpointId.NotFound",
                format!("the endpoint '{id}' does not exist"),
            ))
        }
        _ => Ok(()),
    }
}

fn targets_on<'a>(
    state: &'a PlaceState,
    interface: &InterfaceId,
) -> impl Iterator<Item = &'a enigma_fleet::inventory::MirrorTarget> {
    let destination = Destination::Interface(interface.clone());
    state.targets.values().filter(move |target| target.destination == destination)
}

/// An interface that is to be mirrored.
pub(super) fn source(state: &PlaceState, id: &InterfaceId) -> Result<(), Refusal> {
    let unsupported = |why: &str| {
        let message = format!("{id} {why}");
        Err(Refusal::new(ErrorKind::SourceUnsupported, "NetworkInterfaceNotSupported", message))
    };
    let Some(interface) = state.interfaces.get(id) else {
        return Err(Refusal::new(
            ErrorKind::InterfaceNotFound,
            "InvalidNetworkInterfaceID.NotFound",
            format!("The networkInterface ID '{id}' does not exist"),
        ));
    };
    if let Some(target) = targets_on(state, id).next() {
        return Err(Refusal::new(
            ErrorKind::SourceUnsupported,
            "InvalidNetworkInterface.InUse",
            format!("'{id}' is in use by target '{}'", target.id),
        ));
    }
    if interface.kind != "interface" {
        return unsupported("is not of type interface");
    }
    if state.subnets.get(&interface.subnet).is_some_and(|subnet| subnet.is_ipv6_only) {
        return unsupported("is in an IPv6-only subnet");
    }
    if interface.is_requester_managed {
        // The only requester-managed interfaces that the guide allows.
        return match interface.requester.as_deref() {
            Some("amazon-rds" | "amazon-elasticache") => Ok(()),
            _ => unsupported("is managed by a service whose interfaces cannot be mirrored"),
        };
    }
    let instance = interface.attachment.as_ref().and_then(|a| state.instances.get(a.instance.as_ref()?));
    match instance {
        // Whether a session can be created on a stopped instance is not documented; refusing is the stricter reading.
        Some(i) if Eligibility::default().supports(&i.instance_type) && i.state == "running" => Ok(()),
        _ => unsupported("must be attached to a supported instance"),
    }
}

/// What must hold of a session as a whole, new (`own` is `None`) or changed, whoever owns its target. Sessions to a load balancer
/// come back with 8500 where no length was asked for.
pub(in crate::memory) fn session(
    view: &View<'_>,
    quotas: &Quotas,
    own: Option<&SessionId>,
    session: MirrorSession,
) -> Result<MirrorSession, Refusal> {
    let target =
        view.any_target(&session.target).ok_or_else(|| Refusal::no_target(session.target.as_str()))?;
    if view.here(|state| !state.filters.contains_key(&session.filter)) {
        return Err(Refusal::no_filter(session.filter.as_str()));
    }
    let is_other = |other: &&MirrorSession| own != Some(&other.id);
    let is_near = |other: &&MirrorSession| other.interface == session.interface && is_other(other);
    let on_interface: Vec<_> = view.here(|state| state.sessions.values().filter(is_near).collect());
    if let Some(other) = on_interface.iter().find(|other| other.number == session.number) {
        // Seen in the field: the message says "already being used".
        return Err(Refusal::new(
            ErrorKind::AlreadyExists,
            "InvalidParameterValue",
            format!("session number {} is already being used by '{}'", session.number, other.id),
        ));
    }
    let is_balancer = matches!(target.destination, Destination::NetworkLoadBalancer(_));
    if let Some(length) = session.packet_length {
        if is_balancer && i64::from(length) > LOAD_BALANCER_LENGTH {
            return Err(Refusal::invalid(format!("packet length {length} is too large for a load balancer")));
        }
        let mirrors_ipv6 = view.here(|state| {
            state.rules.values().any(|(of, rule)| *of == session.filter && rule.rule.source.addr().is_ipv6())
        });
        if mirrors_ipv6 && length.get() < IPV6_LENGTH {
            return Err(Refusal::invalid(format!("packet length {length} is too small for IPv6")));
        }
    }
    if matches!(target.destination, Destination::Interface(_)) {
        let sources: BTreeSet<&InterfaceId> = view
            .senders_to(&session.target)
            .filter(is_other)
            .map(|other| &other.interface)
            .chain([&session.interface])
            .collect();
        if sources.len() > quotas.sources_per_interface_target {
            let code = "TrafficMirrorSourcesPerTargetLimitExceeded";
            return Err(Refusal::quota(code, quotas.sources_per_interface_target));
        }
    }
    let default = if is_balancer { PacketLength::try_from(LOAD_BALANCER_LENGTH).ok() } else { None };
    Ok(MirrorSession { packet_length: session.packet_length.or(default), ..session })
}

/// What must hold of a rule by itself.
pub(super) fn rule(rule: &FilterRule) -> Result<(), Refusal> {
    if rule.source.addr().is_ipv4() != rule.destination.addr().is_ipv4() {
        return Err(Refusal::invalid("both networks must be of one address family"));
    }
    if rule.source.trunc() != rule.source || rule.destination.trunc() != rule.destination {
        return Err(Refusal::invalid("a network has host bits"));
    }
    let ranges = [rule.source_ports, rule.destination_ports];
    if ranges.iter().flatten().any(|range| range.from > range.to) {
        return Err(Refusal::invalid("a port range ends before it begins"));
    }
    if ranges.iter().any(Option::is_some) && !matches!(rule.protocol, Some(6 | 17)) {
        return Err(Refusal::invalid("ports are for TCP and UDP only"));
    }
    Ok(())
}

/// One number once per direction and filter.
pub(super) fn rule_number(
    state: &PlaceState,
    filter: &FilterId,
    own: Option<&FilterRuleId>,
    rule: &FilterRule,
) -> Result<(), Refusal> {
    let taken = state.rules.iter().any(|(id, (of, other))| {
        own != Some(id)
            && of == filter
            && other.rule.direction == rule.direction
            && other.rule.number == rule.number
    });
    if taken {
        let message = format!("rule number {} exists already", rule.number);
        return Err(Refusal::new(ErrorKind::AlreadyExists, "TrafficMirrorFilterRuleAlreadyExists", message));
    }
    Ok(())
}

/// What `ModifyTrafficMirrorFilterRule` makes of a rule: given fields replace, fields that `before` had and `after` lacks are
/// removed, and all others stay as they are in AWS, whatever the caller believes.
pub(super) fn modified(actual: &FilterRule, before: &FilterRule, after: &FilterRule) -> FilterRule {
    fn field<T: Clone>(actual: &Option<T>, before: &Option<T>, after: &Option<T>) -> Option<T> {
        match (before, after) {
            (_, Some(given)) => Some(given.clone()),
            (Some(_), None) => None,
            (None, None) => actual.clone(),
        }
    }
    let text = |s: &String| Some(s.clone()).filter(|s| !s.is_empty());
    FilterRule {
        protocol: field(&actual.protocol, &before.protocol, &after.protocol),
        source_ports: field(&actual.source_ports, &before.source_ports, &after.source_ports),
        destination_ports: field(
            &actual.destination_ports,
            &before.destination_ports,
            &after.destination_ports,
        ),
        description: field(&text(&actual.description), &text(&before.description), &text(&after.description))
            .unwrap_or_default(),
        ..after.clone()
    }
}
