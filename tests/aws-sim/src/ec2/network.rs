//! DescribeVpcs, DescribeSubnets and DescribeSecurityGroups.

use super::{Context, Reply, one, page_of, passing, select_network};
use crate::error::ApiError;
use crate::page::CLASSIC;
use crate::query::Params;
use crate::state::{SecurityGroup, Subnet, Vpc};
use crate::xml::{Element, tag_set};

const VPC_FILTERS: [&str; 8] = [
    "cidr",
    "cidr-block-association.cidr-block",
    "dhcp-options-id",
    "is-default",
    "isDefault",
    "owner-id",
    "state",
    "vpc-id",
];
const SUBNET_FILTERS: [&str; 10] = [
    "availability-zone",
    "availabilityZone",
    "cidr-block",
    "default-for-az",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-native",
    "owner-id",
    "state",
    "subnet-id",
    "vpc-id",
];
const GROUP_FILTERS: [&str; 5] = ["description", "group-id", "group-name", "owner-id", "vpc-id"];

/// AWS's only state of a VPC or subnet that has settled.
const AVAILABLE: &str = "available";

pub(super) fn vpc_not_found(id: &str) -> ApiError {
    ApiError::new("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist"))
}

pub(super) fn subnet_not_found(id: &str) -> ApiError {
    ApiError::new("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"))
}

pub(super) fn group_not_found(id: &str) -> ApiError {
    ApiError::new("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
}

pub(super) fn describe_vpcs(context: &mut Context<'_>, mut params: Params) -> Reply {
    let query = context.query(&mut params, "VpcId", &VPC_FILTERS, CLASSIC)?;
    context.ready(params)?;
    let foreign = std::mem::take(&mut context.foreign);
    let (space, account) = (context.space(), context.account());
    let rows = select_network(&query, &space.vpcs, &foreign, vpc_not_found)?;
    let field = |id: &str, vpc: &Vpc, name: &str| match name {
        "cidr" | "cidr-block-association.cidr-block" => one(Some(&vpc.cidr)),
        "is-default" | "isDefault" => one(Some(vpc.is_default)),
        "owner-id" => one(Some(vpc.owner.as_deref().unwrap_or(account))),
        "state" => one(Some(AVAILABLE)),
        "vpc-id" => one(Some(id)),
        _ => Vec::new(),
    };
    let rows = passing(rows, &query.filters, |vpc| &vpc.tags, field);
    Ok(page_of(&query, "vpcSet", rows, foreign, |id, vpc| vpc_shape(account, id, vpc)))
}

fn association(kind: &str, set: &str, block: &str, state: &str, cidr: impl ToString, id: &str) -> Element {
    let cidr = cidr.to_string();
    let prefix = if kind == "subnet" { "subnet-cidr-assoc" } else { "vpc-cidr-assoc" };
    let item = Element::new("item")
        .field("associationId", crate::id::derive(prefix, &format!("{id}/{cidr}")))
        .field(block, cidr)
        .child(Element::new(state).field("state", "associated"));
    Element::new(set).child(item)
}

fn vpc_shape(account: &str, id: &str, vpc: &Vpc) -> Element {
    let item = Element::new("item")
        .field("vpcId", id)
        .field("ownerId", vpc.owner.as_deref().unwrap_or(account))
        .field("state", AVAILABLE)
        .field("cidrBlock", &vpc.cidr)
        .child(association("vpc", "cidrBlockAssociationSet", "cidrBlock", "cidrBlockState", &vpc.cidr, id));
    let item = match &vpc.ipv6_cidr {
        Some(cidr) => item.child(association(
            "vpc",
            "ipv6CidrBlockAssociationSet",
            "ipv6CidrBlock",
            "ipv6CidrBlockState",
            cidr,
            id,
        )),
        None => item,
    };
    item.field("dhcpOptionsId", "default")
        .field("instanceTenancy", "default")
        .field("isDefault", vpc.is_default)
        .child(tag_set(&vpc.tags))
}

pub(super) fn describe_subnets(context: &mut Context<'_>, mut params: Params) -> Reply {
    let query = context.query(&mut params, "SubnetId", &SUBNET_FILTERS, CLASSIC)?;
    context.ready(params)?;
    let foreign = std::mem::take(&mut context.foreign);
    let (space, account) = (context.space(), context.account());
    let rows = select_network(&query, &space.subnets, &foreign, subnet_not_found)?;
    let field = |id: &str, subnet: &Subnet, name: &str| match name {
        "availability-zone" | "availabilityZone" => one(Some(&subnet.zone)),
        "cidr-block" => one(subnet.cidr),
        "default-for-az" => one(Some(false)),
        "ipv6-cidr-block-association.ipv6-cidr-block" => one(subnet.ipv6_cidr),
        "ipv6-native" => one(Some(subnet.is_ipv6_only())),
        "owner-id" => one(Some(subnet.owner.as_deref().unwrap_or(account))),
        "state" => one(Some(AVAILABLE)),
        "subnet-id" => one(Some(id)),
        "vpc-id" => one(Some(&subnet.vpc)),
        _ => Vec::new(),
    };
    let rows = passing(rows, &query.filters, |subnet| &subnet.tags, field);
    let (partition, region) = (&context.state.partition, &context.place.1);
    let shape = |id: &str, subnet: &Subnet| {
        let owner = subnet.owner.as_deref().unwrap_or(account);
        let item = Element::new("item")
            .field("subnetId", id)
            .field("subnetArn", format!("arn:{partition}:ec2:{region}:{owner}:subnet/{id}"))
            .field("state", AVAILABLE)
            .field("ownerId", owner)
            .field("vpcId", &subnet.vpc)
            .maybe("cidrBlock", subnet.cidr)
            .field("availableIpAddressCount", free_addresses(subnet))
            .field("availabilityZone", &subnet.zone)
            .field("availabilityZoneId", super::catalog::zone_id(region, &subnet.zone));
        let item = match subnet.ipv6_cidr {
            Some(cidr) => item.child(association(
                "subnet",
                "ipv6CidrBlockAssociationSet",
                "ipv6CidrBlock",
                "ipv6CidrBlockState",
                cidr,
                id,
            )),
            None => item.list("ipv6CidrBlockAssociationSet", []),
        };
        item.field("defaultForAz", false)
            .field("mapPublicIpOnLaunch", false)
            .field("mapCustomerOwnedIpOnLaunch", false)
            .field("assignIpv6AddressOnCreation", subnet.is_ipv6_only())
            .field("ipv6Native", subnet.is_ipv6_only())
            .child(tag_set(&subnet.tags))
    };
    Ok(page_of(&query, "subnetSet", rows, foreign, shape))
}

fn free_addresses(subnet: &Subnet) -> u64 {
    let Some(cidr) = subnet.cidr else { return 0 };
    // AWS keeps the broadcast address too; the first four are below `next_host` from the start.
    (1u64 << (32 - u32::from(cidr.prefix_len()))).saturating_sub(u64::from(subnet.next_host) + 1)
}

pub(super) fn describe_security_groups(context: &mut Context<'_>, mut params: Params) -> Reply {
    let query = context.query(&mut params, "GroupId", &GROUP_FILTERS, CLASSIC)?;
    context.ready(params)?;
    let foreign = std::mem::take(&mut context.foreign);
    let (space, account) = (context.space(), context.account());
    let rows = select_network(&query, &space.security_groups, &foreign, group_not_found)?;
    let field = |id: &str, group: &SecurityGroup, name: &str| match name {
        "description" => one(Some(&group.description)),
        "group-id" => one(Some(id)),
        "group-name" => one(Some(&group.name)),
        "owner-id" => one(Some(account)),
        "vpc-id" => one(Some(&group.vpc)),
        _ => Vec::new(),
    };
    let rows = passing(rows, &query.filters, |group| &group.tags, field);
    let shape = |id: &str, group: &SecurityGroup| {
        Element::new("item")
            .field("ownerId", account)
            .field("groupId", id)
            .field("groupName", &group.name)
            .field("groupDescription", &group.description)
            .field("vpcId", &group.vpc)
            .list("ipPermissions", [])
            .list("ipPermissionsEgress", [])
            .child(tag_set(&group.tags))
    };
    Ok(page_of(&query, "securityGroupInfo", rows, foreign, shape))
}
