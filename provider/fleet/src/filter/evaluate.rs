//! What a rule set, or a list of intents, does with one packet.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::filter::intent::{Intent, IpVersion, Ports};
use crate::inventory::{Direction, FilterRule, PortRange, RuleAction};

/// The parts of a packet that filters look at. Both addresses are of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Relative to the mirrored interface.
    pub direction: Direction,
    /// IANA protocol number.
    pub protocol: u8,
    /// Sender.
    pub source: IpAddr,
    /// Receiver.
    pub destination: IpAddr,
    /// Source and destination port; `None` where the protocol has none.
    pub ports: Option<(u16, u16)>,
}

/// Whether AWS mirrors the packet: ascending numbers of its direction, first match decides, no match is no.
/// <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-filters.html>
#[must_use]
pub fn evaluate(rules: &[FilterRule], packet: &Packet) -> bool {
    rules
        .iter()
        .filter(|rule| rule.direction == packet.direction && rule_matches(rule, packet))
        .min_by_key(|rule| rule.number)
        .is_some_and(|rule| rule.action == RuleAction::Accept)
}

fn rule_matches(rule: &FilterRule, packet: &Packet) -> bool {
    let port_in = |range: Option<PortRange>, port: Option<u16>| {
        range.is_none_or(|range| port.is_some_and(|port| (range.from..=range.to).contains(&port)))
    };
    rule.protocol.is_none_or(|protocol| protocol == packet.protocol)
        && rule.source.contains(&packet.source)
        && rule.destination.contains(&packet.destination)
        && port_in(rule.source_ports, packet.ports.map(|ports| ports.0))
        && port_in(rule.destination_ports, packet.ports.map(|ports| ports.1))
}

/// Whether a person who wrote these intents wants the packet mirrored. Deliberately written without the compiler's steps.
#[must_use]
pub fn intends(intents: &[Intent], versions: &[IpVersion], packet: &Packet) -> bool {
    let version = if packet.source.is_ipv4() { IpVersion::Ipv4 } else { IpVersion::Ipv6 };
    versions.contains(&version)
        && intents
            .iter()
            .find(|intent| intent_matches(intent, version, packet))
            .is_some_and(|intent| intent.action == RuleAction::Accept)
}

fn intent_matches(intent: &Intent, version: IpVersion, packet: &Packet) -> bool {
    let is_ingress = packet.direction == Direction::Ingress;
    let (local, remote) =
        if is_ingress { (packet.destination, packet.source) } else { (packet.source, packet.destination) };
    let within =
        |nets: &[IpNet], address: IpAddr| nets.is_empty() || nets.iter().any(|net| net.contains(&address));
    let among =
        |ranges: &[PortRange], port: u16| ranges.iter().any(|range| range.from <= port && port <= range.to);
    let ports = match (&intent.ports, packet.ports) {
        (Ports::Any, _) => true,
        (_, None) => false,
        (Ports::Either(ranges), Some((source, destination))) => {
            among(ranges, source) || among(ranges, destination)
        }
        (Ports::Sides { local, remote }, Some((source, destination))) => {
            let (own, other) = if is_ingress { (destination, source) } else { (source, destination) };
            (local.is_empty() || among(local, own)) && (remote.is_empty() || among(remote, other))
        }
    };
    intent.directions.includes(packet.direction)
        && intent.speaks_of(version)
        && intent.protocol.is_none_or(|protocol| protocol == packet.protocol)
        && within(&intent.local, local)
        && within(&intent.remote, remote)
        && ports
}
