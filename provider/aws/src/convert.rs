//! SDK types to ours and back. Nothing else converts.
//!
//! An object that cannot be expressed in our types (no id, a number outside AWS's documented range) is left out of the answer
//! with a warning in the log that names it, and the rest is kept: one odd object of a stranger must not blind a whole
//! fleet. Fields that do not decide anything are taken leniently instead (see each function).

use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_ec2::types as sdk;
use enigma_fleet::ids::{PacketLength, Place, RuleNumber, SessionNumber};
use enigma_fleet::inventory::{
    Attachment, Destination, Direction, FilterRule, Instance, Interface, MirrorFilter, MirrorSession,
    MirrorTarget, ObservedRule, PortRange, RuleAction, Subnet, Tags,
};
use ipnet::IpNet;
use thiserror::Error;
use tracing::warn;

/// Why one object of a reply cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("its {field} is {}: {why}", found.as_deref().unwrap_or("missing"))]
pub(crate) struct Unreadable {
    field: &'static str,
    found: Option<String>,
    why: String,
}

/// The readable objects of one page, in order; the others are warned about.
pub(crate) fn keep<S, T>(
    place: &Place,
    kind: &'static str,
    page: &[S],
    id: fn(&S) -> Option<&str>,
    convert: impl Fn(&S) -> Result<T, Unreadable>,
) -> Vec<T> {
    page.iter()
        .filter_map(|object| {
            convert(object)
                .inspect_err(|why| {
                    warn!(%place, kind, id = id(object).unwrap_or("without id"), %why, "left out an object that AWS reported");
                })
                .ok()
        })
        .collect()
}

fn need<T: FromStr<Err: Display>>(field: &'static str, found: Option<&str>) -> Result<T, Unreadable> {
    let unreadable = |why: String| Unreadable { field, found: found.map(str::to_owned), why };
    found
        .ok_or_else(|| unreadable("AWS always reports it".to_owned()))?
        .parse()
        .map_err(|e: T::Err| unreadable(e.to_string()))
}

fn number<T: TryFrom<i64, Error: Display>>(field: &'static str, found: Option<i32>) -> Result<T, Unreadable> {
    let unreadable = |why: String| Unreadable { field, found: found.map(|n| n.to_string()), why };
    let found = found.ok_or_else(|| unreadable("AWS always reports it".to_owned()))?;
    T::try_from(i64::from(found)).map_err(|e| unreadable(e.to_string()))
}

fn tags(tags: &[sdk::Tag]) -> Tags {
    tags.iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())))
        .collect()
}

/// Service-managed attachments name no instance of the caller's, so an id that is not one is "none".
pub(crate) fn interface(place: &Place, from: &sdk::NetworkInterface) -> Result<Interface, Unreadable> {
    Ok(Interface {
        place: place.clone(),
        id: need("id", from.network_interface_id())?,
        owner: need("owner", from.owner_id())?,
        kind: from.interface_type().map_or("interface", |kind| kind.as_str()).to_owned(),
        is_requester_managed: from.requester_managed().unwrap_or(false),
        requester: from.requester_id().map(str::to_owned),
        description: from.description().unwrap_or_default().to_owned(),
        vpc: need("VPC", from.vpc_id())?,
        subnet: need("subnet", from.subnet_id())?,
        zone: need("availability zone", from.availability_zone())?,
        ipv4: from.private_ip_address().and_then(|a| a.parse().ok()),
        secondary_ipv4: from
            .private_ip_addresses()
            .iter()
            .filter(|one| one.primary() == Some(false))
            .filter_map(|one| one.private_ip_address()?.parse().ok())
            .collect(),
        ipv6: from.ipv6_addresses().iter().filter_map(|a| a.ipv6_address()?.parse().ok()).collect(),
        attachment: from.attachment().map(attachment),
        tags: tags(from.tag_set()),
    })
}

fn attachment(from: &sdk::NetworkInterfaceAttachment) -> Attachment {
    Attachment {
        instance: from.instance_id().and_then(|id| id.parse().ok()),
        device_index: from.device_index().and_then(|i| u32::try_from(i).ok()).unwrap_or(0),
        status: from.status().map_or("", |status| status.as_str()).to_owned(),
    }
}

pub(crate) fn instance(from: &sdk::Instance) -> Result<Instance, Unreadable> {
    Ok(Instance {
        id: need("id", from.instance_id())?,
        instance_type: from.instance_type().map_or("", |t| t.as_str()).to_owned(),
        state: from.state().and_then(|s| s.name()).map_or("", |name| name.as_str()).to_owned(),
        tags: tags(from.tags()),
    })
}

pub(crate) fn subnet(from: &sdk::Subnet) -> Result<Subnet, Unreadable> {
    Ok(Subnet {
        id: need("id", from.subnet_id())?,
        owner: need("owner", from.owner_id())?,
        vpc: need("VPC", from.vpc_id())?,
        zone: need("availability zone", from.availability_zone())?,
        // Of zones whose id has a form that nobody has seen yet, the name is all there is.
        zone_id: from.availability_zone_id().and_then(|id| id.parse().ok()),
        is_ipv6_only: from.ipv6_native().unwrap_or(false),
        tags: tags(from.tags()),
    })
}

pub(crate) fn target(from: &sdk::TrafficMirrorTarget) -> Result<MirrorTarget, Unreadable> {
    let destination = match (
        from.network_interface_id(),
        from.network_load_balancer_arn(),
        from.gateway_load_balancer_endpoint_id(),
    ) {
        (Some(_), ..) => Destination::Interface(need("network interface", from.network_interface_id())?),
        (_, Some(arn), _) => Destination::NetworkLoadBalancer(arn.to_owned()),
        (.., Some(endpoint)) => Destination::GatewayLoadBalancerEndpoint(endpoint.to_owned()),
        (None, None, None) => {
            let kind = from.r#type().map_or("unknown", |t| t.as_str());
            return Err(Unreadable {
                field: "destination",
                found: None,
                why: format!("its type is {kind}, which this version does not know"),
            });
        }
    };
    Ok(MirrorTarget {
        id: need("id", from.traffic_mirror_target_id())?,
        owner: need("owner", from.owner_id())?,
        destination,
        description: from.description().unwrap_or_default().to_owned(),
        tags: tags(from.tags()),
    })
}

/// Rules that cannot be read are left out of the filter, with a warning, like any other object.
pub(crate) fn filter(place: &Place, from: &sdk::TrafficMirrorFilter) -> Result<MirrorFilter, Unreadable> {
    let read = |rules: &[sdk::TrafficMirrorFilterRule], direction| {
        keep(place, "filter rule", rules, |r| r.traffic_mirror_filter_rule_id(), |r| rule(direction, r))
    };
    let mut rules = read(from.ingress_filter_rules(), Direction::Ingress);
    rules.extend(read(from.egress_filter_rules(), Direction::Egress));
    Ok(MirrorFilter {
        id: need("id", from.traffic_mirror_filter_id())?,
        description: from.description().unwrap_or_default().to_owned(),
        amazon_dns: from.network_services().contains(&sdk::TrafficMirrorNetworkService::AmazonDns),
        rules,
        tags: tags(from.tags()),
    })
}

/// The list a rule came in says its direction; networks lose their host bits, which decide nothing.
fn rule(direction: Direction, from: &sdk::TrafficMirrorFilterRule) -> Result<ObservedRule, Unreadable> {
    let action = match from.rule_action() {
        Some(sdk::TrafficMirrorRuleAction::Accept) => RuleAction::Accept,
        Some(sdk::TrafficMirrorRuleAction::Reject) => RuleAction::Reject,
        other => {
            return Err(Unreadable {
                field: "action",
                found: other.map(|a| a.as_str().to_owned()),
                why: "neither accept nor reject".to_owned(),
            });
        }
    };
    Ok(ObservedRule {
        id: need("id", from.traffic_mirror_filter_rule_id())?,
        rule: FilterRule {
            direction,
            number: number::<RuleNumber>("rule number", from.rule_number())?,
            action,
            protocol: from.protocol().map(|p| number("protocol", Some(p))).transpose()?.map(|Protocol(p)| p),
            source: need::<IpNet>("source network", from.source_cidr_block())?.trunc(),
            destination: need::<IpNet>("destination network", from.destination_cidr_block())?.trunc(),
            source_ports: from.source_port_range().map(ports).transpose()?,
            destination_ports: from.destination_port_range().map(ports).transpose()?,
            description: from.description().unwrap_or_default().to_owned(),
        },
        tags: tags(from.tags()),
    })
}

/// An IANA protocol number.
struct Protocol(u8);

impl TryFrom<i64> for Protocol {
    type Error = std::num::TryFromIntError;
    fn try_from(n: i64) -> Result<Self, Self::Error> {
        u8::try_from(n).map(Self)
    }
}

fn ports(from: &sdk::TrafficMirrorPortRange) -> Result<PortRange, Unreadable> {
    let port = |field, n: Option<i32>| {
        n.and_then(|n| u16::try_from(n).ok()).ok_or_else(|| Unreadable {
            field,
            found: n.map(|n| n.to_string()),
            why: "not a port".to_owned(),
        })
    };
    Ok(PortRange { from: port("first port", from.from_port())?, to: port("last port", from.to_port())? })
}

/// A packet length above the largest VPC MTU cuts nothing and is read as "whole"; one below the smallest AWS accepts is read as
/// that smallest. Both can only be a stranger's or AWS's own way to say "whole", which is not documented for ENI targets.
pub(crate) fn session(from: &sdk::TrafficMirrorSession) -> Result<MirrorSession, Unreadable> {
    Ok(MirrorSession {
        id: need("id", from.traffic_mirror_session_id())?,
        owner: need("owner", from.owner_id())?,
        interface: need("network interface", from.network_interface_id())?,
        target: need("target", from.traffic_mirror_target_id())?,
        filter: need("filter", from.traffic_mirror_filter_id())?,
        number: number::<SessionNumber>("session number", from.session_number())?,
        vni: from.virtual_network_id().and_then(|v| u32::try_from(v).ok()),
        packet_length: from.packet_length().and_then(packet_length),
        description: from.description().unwrap_or_default().to_owned(),
        tags: tags(from.tags()),
    })
}

fn packet_length(found: i32) -> Option<PacketLength> {
    if found > i32::from(PacketLength::MAX.get()) {
        return None;
    }
    Some(PacketLength::try_from(i64::from(found)).unwrap_or(PacketLength::MIN))
}

/// Tags to set with a creation; none is no parameter at all, since AWS refuses an empty specification.
pub(crate) fn tag_specification(kind: sdk::ResourceType, tags: &Tags) -> Option<Vec<sdk::TagSpecification>> {
    (!tags.is_empty()).then(|| {
        vec![sdk::TagSpecification::builder().resource_type(kind).set_tags(Some(sdk_tags(tags))).build()]
    })
}

pub(crate) fn sdk_tags(tags: &Tags) -> Vec<sdk::Tag> {
    tags.iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build()).collect()
}

/// EC2 refuses empty descriptions: empty is absent.
pub(crate) fn text(description: &str) -> Option<String> {
    (!description.is_empty()).then(|| description.to_owned())
}

pub(crate) fn sdk_direction(direction: Direction) -> sdk::TrafficDirection {
    match direction {
        Direction::Ingress => sdk::TrafficDirection::Ingress,
        Direction::Egress => sdk::TrafficDirection::Egress,
    }
}

pub(crate) fn sdk_action(action: RuleAction) -> sdk::TrafficMirrorRuleAction {
    match action {
        RuleAction::Accept => sdk::TrafficMirrorRuleAction::Accept,
        RuleAction::Reject => sdk::TrafficMirrorRuleAction::Reject,
    }
}

pub(crate) fn sdk_ports(range: Option<PortRange>) -> Option<sdk::TrafficMirrorPortRangeRequest> {
    range.map(|r| {
        sdk::TrafficMirrorPortRangeRequest::builder()
            .from_port(i32::from(r.from))
            .to_port(i32::from(r.to))
            .build()
    })
}

/// The fields that `before` had and `after` has not.
pub(crate) fn cleared(before: &FilterRule, after: &FilterRule) -> Vec<sdk::TrafficMirrorFilterRuleField> {
    use sdk::TrafficMirrorFilterRuleField as Field;
    [
        (
            Field::DestinationPortRange,
            before.destination_ports.is_some() && after.destination_ports.is_none(),
        ),
        (Field::SourcePortRange, before.source_ports.is_some() && after.source_ports.is_none()),
        (Field::Protocol, before.protocol.is_some() && after.protocol.is_none()),
        (Field::Description, !before.description.is_empty() && after.description.is_empty()),
    ]
    .into_iter()
    .filter_map(|(field, is_cleared)| is_cleared.then_some(field))
    .collect()
}

#[cfg(test)]
mod tests;
