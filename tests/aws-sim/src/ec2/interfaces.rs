//! DescribeNetworkInterfaces and the shapes of an interface.

use std::collections::BTreeMap;

use super::{Context, Reply, one, page_of, passing, select_network};
use crate::ec2::instances::time;
use crate::error::ApiError;
use crate::page::CLASSIC;
use crate::query::Params;
use crate::state::{Interface, Place, Space};
use crate::tag::Tags;
use crate::xml::{Element, tag_set};

const FILTERS: [&str; 26] = [
    "addresses.primary",
    "addresses.private-ip-address",
    "attachment.attachment-id",
    "attachment.delete-on-termination",
    "attachment.device-index",
    "attachment.instance-id",
    "attachment.instance-owner-id",
    "attachment.status",
    "availability-zone",
    "description",
    "group-id",
    "group-name",
    "interface-type",
    "ipv6-addresses.ipv6-address",
    "mac-address",
    "network-interface-id",
    "owner-id",
    "private-dns-name",
    "private-ip-address",
    "requester-id",
    "requester-managed",
    "source-dest-check",
    "status",
    "subnet-id",
    "vpc-id",
    "operator.managed",
];

pub(super) fn not_found(id: &str) -> ApiError {
    if !crate::id::is_one("eni", id) {
        return ApiError::new("InvalidNetworkInterfaceId.Malformed", format!("Invalid id: \"{id}\""));
    }
    let message = format!("The networkInterface ID '{id}' does not exist");
    ApiError::new("InvalidNetworkInterfaceID.NotFound", message)
}

pub(super) fn describe(context: &mut Context<'_>, mut params: Params) -> Reply {
    if crate::page::Page::is_asked(&params) && params.has_members("NetworkInterfaceId") {
        let message = "The parameter networkInterfaceIds cannot be used with the parameter maxResults";
        return Err(ApiError::combination(message));
    }
    let mut query = context.query(&mut params, "NetworkInterfaceId", &FILTERS, CLASSIC)?;
    context.ready(params)?;
    let foreign = std::mem::take(&mut context.foreign);
    let (space, account) = (context.space(), context.account());
    // The owner of a shared subnet sees what participants put into it (user guide, "Share your VPC subnets").
    let theirs: BTreeMap<String, (&Place, Interface)> = context
        .state
        .interfaces_of_participants(&context.place)
        .into_iter()
        .map(|(id, (place, found))| (id.clone(), (place, Interface { tags: Tags::new(), ..found.clone() })))
        .collect();
    let (asked, own): (Vec<String>, Vec<String>) =
        std::mem::take(&mut query.ids).into_iter().partition(|id| theirs.contains_key(id));
    let (has_asked, has_own) = (!asked.is_empty(), !own.is_empty());
    query.ids = own;
    let mut rows = match (has_asked, has_own) {
        (true, false) => Vec::new(),
        _ => select_network(&query, &space.interfaces, &foreign, not_found)?,
    };
    let is_asked = |id: &String| if has_asked || has_own { asked.contains(id) } else { true };
    rows.extend(theirs.iter().filter(|(id, _)| is_asked(id)).map(|(id, (_, found))| (id.clone(), found)));
    let holder = |id: &str| match theirs.get(id) {
        Some((place, _)) => (&context.state.spaces[*place], place.0.as_str()),
        None => (space, account),
    };
    let rows = passing(
        rows,
        &query.filters,
        |interface| &interface.tags,
        |id, interface, name| field(holder(id).0, holder(id).1, id, interface, name),
    );
    Ok(page_of(&query, "networkInterfaceSet", rows, foreign, |id, interface| {
        full(holder(id).0, holder(id).1, id, interface)
    }))
}

fn status(interface: &Interface) -> &'static str {
    if interface.attachment.is_some() { "in-use" } else { "available" }
}

/// Values of one interface for a filter; also serves DescribeInstances' `network-interface.` filters.
pub(super) fn field(
    space: &Space,
    account: &str,
    id: &str,
    interface: &Interface,
    name: &str,
) -> Vec<String> {
    let subnet = space.subnets.get(&interface.subnet);
    let attachment = interface.attachment.as_ref();
    match name {
        "addresses.primary" => one(interface.private_ip.as_ref().map(|_| true)),
        "addresses.private-ip-address" | "private-ip-address" => one(interface.private_ip.as_ref()),
        "attachment.attachment-id" => one(attachment.map(|attachment| &attachment.id)),
        "attachment.delete-on-termination" => {
            one(attachment.map(|attachment| attachment.delete_on_termination))
        }
        "attachment.device-index" => one(attachment.map(|attachment| attachment.device_index)),
        "attachment.instance-id" => one(attachment.and_then(|attachment| attachment.instance.as_ref())),
        "attachment.instance-owner-id" => one(attachment.map(|attachment| &attachment.owner)),
        "attachment.status" => one(attachment.map(|_| "attached")),
        "availability-zone" => one(subnet.map(|subnet| &subnet.zone)),
        "description" => one(Some(&interface.description)),
        "group-id" => interface.groups.clone(),
        "group-name" => interface
            .groups
            .iter()
            .filter_map(|id| space.security_groups.get(id).map(|group| group.name.clone()))
            .collect(),
        "interface-type" => one(Some(&interface.kind)),
        "ipv6-addresses.ipv6-address" => one(interface.ipv6.as_ref()),
        "mac-address" => one(Some(&interface.mac)),
        "network-interface-id" => one(Some(id)),
        "operator.managed" => one(Some(false)),
        "owner-id" => one(Some(account)),
        "private-dns-name" => one(private_dns_name(interface)),
        "requester-id" => one(interface.requester_id.as_ref()),
        "requester-managed" => one(Some(interface.requester_managed)),
        "source-dest-check" => one(Some(true)),
        "status" => one(Some(status(interface))),
        "subnet-id" => one(Some(&interface.subnet)),
        "vpc-id" => one(subnet.map(|subnet| &subnet.vpc)),
        _ => Vec::new(),
    }
}

fn private_dns_name(interface: &Interface) -> Option<String> {
    interface.private_ip.as_ref().map(|ip| format!("ip-{}.ec2.internal", ip.replace('.', "-")))
}

/// `groupSet` members of an interface.
pub(super) fn groups(space: &Space, interface: &Interface) -> Vec<Element> {
    interface
        .groups
        .iter()
        .map(|id| {
            let name = space.security_groups.get(id).map_or("", |group| group.name.as_str());
            Element::new("item").field("groupId", id).field("groupName", name)
        })
        .collect()
}

fn addresses(interface: &Interface) -> Vec<Element> {
    let address = |ip| {
        Element::new("item")
            .field("privateIpAddress", ip)
            .maybe("privateDnsName", private_dns_name(interface))
            .field("primary", true)
    };
    interface.private_ip.as_ref().map(address).into_iter().collect()
}

fn ipv6_addresses(interface: &Interface) -> Vec<Element> {
    interface.ipv6.iter().map(|ip| Element::new("item").field("ipv6Address", ip)).collect()
}

/// What DescribeInstances and DescribeNetworkInterfaces say alike.
fn shared(space: &Space, account: &str, id: &str, interface: &Interface) -> Element {
    Element::new("item")
        .field("networkInterfaceId", id)
        .field("subnetId", &interface.subnet)
        .maybe("vpcId", space.subnets.get(&interface.subnet).map(|subnet| &subnet.vpc))
        .field("description", &interface.description)
        .field("ownerId", account)
        .field("status", status(interface))
        .field("macAddress", &interface.mac)
        .maybe("privateIpAddress", interface.private_ip.as_ref())
        .maybe("privateDnsName", private_dns_name(interface))
        .field("sourceDestCheck", true)
        .list("groupSet", groups(space, interface))
        .list("privateIpAddressesSet", addresses(interface))
        .list("ipv6AddressesSet", ipv6_addresses(interface))
        .field("interfaceType", &interface.kind)
}

/// The interface as DescribeInstances gives it.
pub(super) fn summary(space: &Space, account: &str, id: &str, interface: &Interface) -> Element {
    let attachment = interface.attachment.as_ref().map(|attachment| {
        Element::new("attachment")
            .field("attachmentId", &attachment.id)
            .field("deviceIndex", attachment.device_index)
            .field("status", "attached")
            .field("attachTime", time(attachment.since))
            .field("deleteOnTermination", attachment.delete_on_termination)
            .field("networkCardIndex", 0)
    });
    let item = shared(space, account, id, interface);
    match attachment {
        Some(attachment) => item.child(attachment),
        None => item,
    }
}

fn full(space: &Space, account: &str, id: &str, interface: &Interface) -> Element {
    let subnet = space.subnets.get(&interface.subnet);
    let item = shared(space, account, id, interface)
        .maybe("availabilityZone", subnet.map(|subnet| &subnet.zone))
        .maybe("requesterId", interface.requester_id.as_ref())
        .field("requesterManaged", interface.requester_managed);
    let item = match &interface.attachment {
        Some(attachment) => item.child(
            Element::new("attachment")
                .field("attachmentId", &attachment.id)
                .maybe("instanceId", attachment.instance.as_ref())
                .field("instanceOwnerId", &attachment.owner)
                .field("deviceIndex", attachment.device_index)
                .field("status", "attached")
                .field("attachTime", time(attachment.since))
                .field("deleteOnTermination", attachment.delete_on_termination)
                .field("networkCardIndex", 0),
        ),
        None => item,
    };
    item.child(tag_set(&interface.tags))
}
