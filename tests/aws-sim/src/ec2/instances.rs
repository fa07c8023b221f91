//! DescribeInstances. Instances launched by one entry of a world are one reservation, which a page may give in part.

use std::collections::{BTreeMap, HashMap};

use super::{Context, Reply, Row, cut, interfaces, one, passing, select_network};
use crate::error::ApiError;
use crate::page::CLASSIC;
use crate::query::Params;
use crate::state::{Instance, Interface, Space};
use crate::xml::{Element, tag_set};

const FILTERS: [&str; 23] = [
    "architecture",
    "availability-zone",
    "image-id",
    "instance-id",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "instance.group-id",
    "network-interface.availability-zone",
    "network-interface.group-id",
    "network-interface.mac-address",
    "network-interface.network-interface-id",
    "network-interface.owner-id",
    "network-interface.private-ip-address",
    "network-interface.requester-managed",
    "network-interface.status",
    "network-interface.subnet-id",
    "network-interface.vpc-id",
    "owner-id",
    "private-ip-address",
    "reservation-id",
    "subnet-id",
    "vpc-id",
];

pub(super) fn not_found(id: &str) -> ApiError {
    if !crate::id::is_one("i", id) {
        return ApiError::new("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\""));
    }
    ApiError::new("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
}

pub(super) fn describe(context: &mut Context<'_>, mut params: Params) -> Reply {
    if crate::page::Page::is_asked(&params) && params.has_members("InstanceId") {
        let message = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(ApiError::combination(message));
    }
    let query = context.query(&mut params, "InstanceId", &FILTERS, CLASSIC)?;
    context.ready(params)?;
    let foreign = std::mem::take(&mut context.foreign);
    let (space, account) = (context.space(), context.account());
    let attached = Attached::of(space);
    let rows = select_network(&query, &space.instances, &foreign, not_found)?;
    let rows = passing(
        rows,
        &query.filters,
        |instance| &instance.tags,
        |id, instance, name| field(space, &attached, account, id, instance, name),
    );
    let (page, next) = cut(&query, rows, foreign);
    let (mut reservations, mut others) = (BTreeMap::new(), Vec::new());
    for row in page {
        match row {
            Row::Own(id, instance) => {
                let shape = shape(space, &attached, account, &id, instance);
                reservations.entry(&instance.reservation).or_insert_with(Vec::new).push(shape);
            }
            Row::Foreign(xml) => others.push(Element::raw_item(xml)),
        }
    }
    let own = reservations.into_iter().map(|(id, instances)| {
        Element::new("item")
            .field("reservationId", id)
            .field("ownerId", account)
            .list("groupSet", [])
            .list("instancesSet", instances)
    });
    Ok(Element::new("reply").list("reservationSet", own.chain(others)).maybe("nextToken", next))
}

fn state_code(state: &str) -> u32 {
    match state {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        _ => 80,
    }
}

/// Interfaces by the instance that holds them, in device order: looked up once per call, not once per instance.
struct Attached<'a>(HashMap<&'a str, Vec<(&'a String, &'a Interface)>>);

impl<'a> Attached<'a> {
    fn of(space: &'a Space) -> Self {
        let mut attached: HashMap<&str, Vec<(&String, &Interface)>> = HashMap::new();
        for (id, interface) in &space.interfaces {
            let holder = interface.attachment.as_ref().and_then(|attachment| attachment.instance.as_deref());
            if let Some(holder) = holder {
                attached.entry(holder).or_default().push((id, interface));
            }
        }
        for interfaces in attached.values_mut() {
            interfaces.sort_by_key(|(_, interface)| {
                interface.attachment.as_ref().map(|attachment| attachment.device_index)
            });
        }
        Self(attached)
    }

    fn to(&self, instance: &str) -> &[(&'a String, &'a Interface)] {
        self.0.get(instance).map_or(&[], Vec::as_slice)
    }
}

fn field(
    space: &Space,
    attached: &Attached<'_>,
    account: &str,
    id: &str,
    instance: &Instance,
    name: &str,
) -> Vec<String> {
    let subnet = space.subnets.get(&instance.subnet);
    let is_gone = instance.state == "terminated";
    if let Some(rest) = name.strip_prefix("network-interface.") {
        return attached
            .to(id)
            .iter()
            .flat_map(|(id, interface)| interfaces::field(space, account, id, interface, rest))
            .collect();
    }
    match name {
        "architecture" => one(Some(architecture(&instance.kind))),
        "availability-zone" => one(subnet.map(|subnet| &subnet.zone)),
        "image-id" => one(Some(&instance.image)),
        "instance-id" => one(Some(id)),
        "instance-state-code" => one(Some(state_code(&instance.state))),
        "instance-state-name" => one(Some(&instance.state)),
        "instance-type" => one(Some(&instance.kind)),
        "instance.group-id" => {
            attached.to(id).first().map(|(_, first)| first.groups.clone()).unwrap_or_default()
        }
        "owner-id" => one(Some(account)),
        "private-ip-address" => one(attached.to(id).first().and_then(|(_, first)| first.private_ip.as_ref())),
        "reservation-id" => one(Some(&instance.reservation)),
        "subnet-id" if !is_gone => one(Some(&instance.subnet)),
        "vpc-id" if !is_gone => one(subnet.map(|subnet| &subnet.vpc)),
        _ => Vec::new(),
    }
}

fn architecture(kind: &str) -> &'static str {
    // Graviton families carry a g behind the generation's digit; a1 was the first.
    let family = kind.split('.').next().unwrap_or(kind);
    let after = family
        .trim_start_matches(|c: char| c.is_ascii_alphabetic())
        .trim_start_matches(|c: char| c.is_ascii_digit());
    if after.starts_with('g') || family == "a1" { "arm64" } else { "x86_64" }
}

fn shape(space: &Space, attached: &Attached<'_>, account: &str, id: &str, instance: &Instance) -> Element {
    let subnet = space.subnets.get(&instance.subnet);
    let interfaces = attached.to(id);
    let primary = interfaces.first().map(|(_, interface)| *interface);
    let code = state_code(&instance.state);
    let is_gone = instance.state == "terminated";
    let item = Element::new("item")
        .field("instanceId", id)
        .field("imageId", &instance.image)
        .child(Element::new("instanceState").field("code", code).field("name", &instance.state))
        .field("privateDnsName", primary.and_then(dns_name).unwrap_or_default())
        .field("dnsName", "")
        .field("amiLaunchIndex", 0)
        .list("productCodes", [])
        .field("instanceType", &instance.kind)
        .field("launchTime", time(instance.launched))
        .child(
            Element::new("placement")
                .maybe("availabilityZone", subnet.map(|subnet| &subnet.zone))
                .field("groupName", "")
                .field("tenancy", "default"),
        )
        .child(Element::new("monitoring").field("state", "disabled"));
    let item = match (is_gone, subnet) {
        (false, Some(subnet)) => item.field("subnetId", &instance.subnet).field("vpcId", &subnet.vpc),
        _ => item,
    };
    item.maybe("privateIpAddress", primary.and_then(|primary| primary.private_ip.as_ref()))
        .field("sourceDestCheck", true)
        .list("groupSet", primary.map(|primary| interfaces::groups(space, primary)).unwrap_or_default())
        .field("architecture", architecture(&instance.kind))
        .field("rootDeviceType", "ebs")
        .field("rootDeviceName", "/dev/xvda")
        .list("blockDeviceMapping", [])
        .field("virtualizationType", "hvm")
        .field("clientToken", "")
        .child(tag_set(&instance.tags))
        .field("hypervisor", "xen")
        .list(
            "networkInterfaceSet",
            interfaces.iter().map(|(id, interface)| interfaces::summary(space, account, id, interface)),
        )
        .field("ebsOptimized", false)
}

fn dns_name(interface: &Interface) -> Option<String> {
    interface.private_ip.as_ref().map(|ip| format!("ip-{}.ec2.internal", ip.replace('.', "-")))
}

/// Times in replies: UTC with milliseconds, as EC2 writes them.
pub(crate) fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}
