//! Load balancers with their listeners and target groups, and auto scaling groups.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::build::{Names, look_up, place, problem, space};
use super::{World, WorldError};
use crate::balancing::{Listener, LoadBalancer, Registered, TargetGroup};
use crate::scaling::ScalingGroup;
use crate::state::{Place, State};

/// A load balancer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadBalancerEntry {
    /// Name.
    pub name: String,
    /// ARN; derived from the name when absent.
    pub arn: Option<String>,
    /// `network` (when empty), `application` or `gateway`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Owner.
    pub account: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Subnets, one in each of its zones.
    pub subnets: Vec<String>,
    /// Whether it sends across zones; off when absent, as on AWS for network load balancers.
    pub cross_zone: bool,
    /// What it listens on.
    pub listeners: Vec<ListenerEntry>,
}

/// A listener of a load balancer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerEntry {
    /// `UDP`, `TCP`, `TCP_UDP`, `TLS`, `HTTP`, `HTTPS`, `GENEVE`.
    pub protocol: String,
    /// Port.
    pub port: u16,
    /// Name of the target group it forwards to.
    pub target_group: String,
}

/// A target group, in the account and Region of its VPC.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetGroupEntry {
    /// Name.
    pub name: String,
    /// Name of its VPC.
    pub vpc: String,
    /// Protocol; `UDP` when empty.
    pub protocol: String,
    /// Port; 4789 when absent.
    pub port: Option<u16>,
    /// `instance` (when empty) or `ip`.
    pub target_type: String,
    /// Cross-zone setting of its own; that of the load balancer when absent.
    pub cross_zone: Option<bool>,
    /// Registered targets.
    pub targets: Vec<RegisteredEntry>,
}

/// A registered target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegisteredEntry {
    /// Name or id of an instance, or an IP address.
    pub target: String,
    /// Port; that of the group when absent.
    pub port: Option<u16>,
    /// Zone of an IP address; the instance's own otherwise.
    pub zone: Option<String>,
    /// `healthy` (when empty), `unhealthy`, `initial`, `draining`, `unavailable`.
    pub health: String,
}

/// An auto scaling group: a name for instances of the world.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScalingGroupEntry {
    /// Name.
    pub name: String,
    /// Owner.
    pub account: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Instances by name or id; wildcards allowed.
    pub instances: Vec<String>,
}

const PROTOCOLS: [&str; 7] = ["GENEVE", "HTTP", "HTTPS", "TCP", "TCP_UDP", "TLS", "UDP"];

/// States a world may give to a target.
pub(crate) fn is_health(state: &str) -> bool {
    matches!(state, "healthy" | "unhealthy" | "initial" | "draining" | "unavailable")
}

fn tail(prefix: &str, seed: &str) -> String {
    crate::id::derive(prefix, seed).replace(&format!("{prefix}-"), "")[..16].to_owned()
}

fn arn(state: &State, place: &Place, resource: &str) -> String {
    format!("arn:{}:elasticloadbalancing:{}:{}:{resource}", state.partition, place.1, place.0)
}

fn group_arn(state: &State, place: &Place, name: &str) -> String {
    arn(state, place, &format!("targetgroup/{name}/{}", tail("tg", name)))
}

pub(super) fn add_target_group(
    state: &mut State,
    names: &Names,
    entry: &TargetGroupEntry,
) -> Result<(), WorldError> {
    let me = ("target group", entry.name.as_str());
    let (place, vpc) = look_up(&names.vpcs, "vpc", &entry.vpc, me)?.clone();
    let or =
        |given: &str, default: &str| if given.is_empty() { default.to_owned() } else { given.to_owned() };
    let protocol = or(&entry.protocol, "UDP");
    if !PROTOCOLS.contains(&protocol.as_str()) {
        return Err(problem(me.0, me.1, format!("`protocol` is one of {}", PROTOCOLS.join(", "))));
    }
    let target_type = or(&entry.target_type, "instance");
    if !matches!(target_type.as_str(), "instance" | "ip") {
        return Err(problem(me.0, me.1, "`target_type` is instance or ip"));
    }
    let port = entry.port.unwrap_or(4789);
    let mut targets = Vec::new();
    for target in &entry.targets {
        let health = or(&target.health, "healthy");
        if !is_health(&health) {
            let text = "`health` is healthy, unhealthy, initial, draining or unavailable";
            return Err(problem(me.0, &target.target, text));
        }
        let zone = target.zone.clone().map(|zone| zone_of(&place, zone));
        let (id, zone) = match target_type.as_str() {
            "ip" => (target.target.clone(), zone),
            _ => {
                let found = instances(state, &place, &target.target).into_iter().next();
                let found = found.ok_or_else(|| {
                    problem(me.0, me.1, format!("there is no instance \"{}\" in its account", target.target))
                })?;
                let space = space(state, &place);
                let subnet =
                    space.instances.get(&found).and_then(|instance| space.subnets.get(&instance.subnet));
                let own = subnet.map(|subnet| subnet.zone.clone());
                (found, own)
            }
        };
        targets.push(Registered { id, port: target.port.unwrap_or(port), zone, health });
    }
    let cross_zone = match entry.cross_zone {
        Some(flag) => flag.to_string(),
        None => "use_load_balancer_configuration".to_owned(),
    };
    let arn = group_arn(state, &place, &entry.name);
    let group =
        TargetGroup { name: entry.name.clone(), protocol, port, vpc, target_type, cross_zone, targets };
    if space(state, &place).target_groups.insert(arn, group).is_some() {
        return Err(problem(me.0, me.1, "is listed twice"));
    }
    Ok(())
}

/// A zone given by its letter or in full.
fn zone_of(place: &Place, zone: String) -> String {
    if zone.len() == 1 { format!("{}{zone}", place.1) } else { zone }
}

/// Instances of a place by id or name pattern, in id order.
fn instances(state: &mut State, place: &Place, wanted: &str) -> Vec<String> {
    let is_it = |id: &String, instance: &crate::state::Instance| {
        id == wanted || instance.tags.get("Name").is_some_and(|name| crate::filter::matches(wanted, name))
    };
    let all = &space(state, place).instances;
    all.iter().filter(|(id, instance)| is_it(id, instance)).map(|(id, _)| id.clone()).collect()
}

pub(super) fn add_load_balancer(
    world: &World,
    state: &mut State,
    names: &Names,
    entry: &LoadBalancerEntry,
    now: Timestamp,
) -> Result<(), WorldError> {
    let me = ("load balancer", entry.name.as_str());
    let place = place(world, state, me, &entry.account, &entry.region)?;
    let (kind, short) = match entry.kind.as_str() {
        "" | "network" => ("network", "net"),
        "application" => ("application", "app"),
        "gateway" => ("gateway", "gwy"),
        _ => return Err(problem(me.0, me.1, "`type` is network, application or gateway")),
    };
    let derived = || {
        let tail = tail("lb", &entry.name);
        arn(state, &place, &format!("loadbalancer/{short}/{}/{tail}", entry.name))
    };
    let own = entry.arn.clone().unwrap_or_else(derived);
    let mut balancer = LoadBalancer {
        name: entry.name.clone(),
        cross_zone: entry.cross_zone || kind == "application",
        ..LoadBalancer::bare(&own, kind, now)
    };
    for name in &entry.subnets {
        add_zone(state, names, &place, &mut balancer, name, me)?;
    }
    for listener in &entry.listeners {
        let group = group_arn(state, &place, &listener.target_group);
        if !PROTOCOLS.contains(&listener.protocol.as_str()) {
            return Err(problem(
                me.0,
                me.1,
                format!("a listener's `protocol` is one of {}", PROTOCOLS.join(", ")),
            ));
        }
        if !space(state, &place).target_groups.contains_key(&group) {
            let text = format!("there is no target group \"{}\" in its account", listener.target_group);
            return Err(problem(me.0, me.1, text));
        }
        let id = tail("listener", &format!("{own}/{}/{}", listener.protocol, listener.port));
        let listener_arn = format!("{}/{id}", own.replace(":loadbalancer/", ":listener/"));
        let (protocol, port) = (listener.protocol.clone(), listener.port);
        balancer.listeners.insert(listener_arn, Listener { protocol, port, group });
    }
    space(state, &place).load_balancers.insert(own, balancer);
    Ok(())
}

/// Puts a balancer into the zone of a subnet.
pub(crate) fn add_zone(
    state: &mut State,
    names: &Names,
    place: &Place,
    balancer: &mut LoadBalancer,
    subnet: &str,
    entry: (&str, &str),
) -> Result<(), WorldError> {
    let (_, id) = look_up(&names.subnets, "subnet", subnet, entry)?;
    let Some(found) = space(state, place).subnets.get(id) else {
        let text = format!("subnet \"{subnet}\" is in another account or Region");
        return Err(problem(entry.0, entry.1, text));
    };
    balancer.vpc = Some(found.vpc.clone());
    balancer.zones.insert(found.zone.clone(), id.clone());
    Ok(())
}

pub(super) fn add_scaling_group(
    world: &World,
    state: &mut State,
    entry: &ScalingGroupEntry,
    now: Timestamp,
) -> Result<(), WorldError> {
    let me = ("auto scaling group", entry.name.as_str());
    let place = place(world, state, me, &entry.account, &entry.region)?;
    let mut members = Vec::new();
    for wanted in &entry.instances {
        let found = instances(state, &place, wanted);
        if found.is_empty() {
            return Err(problem(me.0, me.1, format!("there is no instance \"{wanted}\" in its account")));
        }
        members.extend(found);
    }
    let group = ScalingGroup { instances: members, created: now };
    space(state, &place).scaling_groups.insert(entry.name.clone(), group);
    Ok(())
}
