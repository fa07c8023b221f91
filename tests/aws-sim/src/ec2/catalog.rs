//! What AWS says about itself: Regions, zones, instance types, account attributes. As much of it as discovery and
//! hashicorp/aws ask for.

use super::{Context, Reply, one, page_of};
use crate::error::ApiError;
use crate::filter::Filters;
use crate::page::CLASSIC;
use crate::query::Params;
use crate::tag::Tags;
use crate::xml::Element;

pub(super) fn describe_regions(context: &mut Context<'_>, mut params: Params) -> Reply {
    let filters = Filters::read(&mut params, &["endpoint", "opt-in-status", "region-name"])?;
    let names = params.list("RegionName")?;
    params.flag("AllRegions")?;
    context.ready(params)?;
    let regions = &context.state.regions;
    if let Some(unknown) = names.iter().find(|name| !regions.contains(*name)) {
        return Err(ApiError::invalid(format!("Invalid region names: {unknown}")));
    }
    let endpoint = |region: &str| format!("ec2.{region}.amazonaws.com");
    let items = regions
        .iter()
        .filter(|region| names.is_empty() || names.contains(region))
        .filter(|region| {
            filters.accept(&Tags::new(), |name| match name {
                "endpoint" => vec![endpoint(region)],
                "region-name" => vec![(*region).clone()],
                _ => vec!["opt-in-not-required".to_owned()],
            })
        })
        .map(|region| {
            Element::new("item")
                .field("regionName", region)
                .field("regionEndpoint", endpoint(region))
                .field("optInStatus", "opt-in-not-required")
        });
    Ok(Element::new("reply").list("regionInfo", items))
}

/// AWS's own name of a zone: `us-east-1a` is `use1-az1` here for every account.
pub(super) fn zone_id(region: &str, zone: &str) -> String {
    let mut parts = region.split('-');
    let area = parts.next().unwrap_or_default();
    let direction = parts.next().and_then(|word| word.chars().next());
    let number = parts.next().unwrap_or_default();
    let letter = zone.bytes().last().unwrap_or(b'a');
    let index = letter.saturating_sub(b'a') + 1;
    format!("{area}{}{number}-az{index}", direction.map(String::from).unwrap_or_default())
}

pub(super) fn describe_zones(context: &mut Context<'_>, mut params: Params) -> Reply {
    const FILTERS: [&str; 8] = [
        "group-name",
        "message",
        "opt-in-status",
        "region-name",
        "state",
        "zone-id",
        "zone-name",
        "zone-type",
    ];
    let filters = Filters::read(&mut params, &FILTERS)?;
    let names = params.list("ZoneName")?;
    let ids = params.list("ZoneId")?;
    params.flag("AllAvailabilityZones")?;
    context.ready(params)?;
    let region = context.place.1.clone();
    // The zones the world's subnets use, and always the first three.
    let mut zones: std::collections::BTreeSet<String> =
        ["a", "b", "c"].iter().map(|letter| format!("{region}{letter}")).collect();
    zones.extend(context.space().subnets.values().map(|subnet| subnet.zone.clone()));
    if let Some(unknown) = names.iter().find(|name| !zones.contains(*name)) {
        return Err(ApiError::invalid(format!("Invalid availability zone: [{unknown}]")));
    }
    let items = zones
        .iter()
        .filter(|zone| names.is_empty() || names.contains(zone))
        .filter(|zone| ids.is_empty() || ids.contains(&zone_id(&region, zone)))
        .filter(|zone| {
            filters.accept(&Tags::new(), |name| match name {
                "group-name" | "region-name" => vec![region.clone()],
                "opt-in-status" => vec!["opt-in-not-required".to_owned()],
                "state" => vec!["available".to_owned()],
                "zone-id" => vec![zone_id(&region, zone)],
                "zone-name" => vec![(*zone).clone()],
                "zone-type" => vec!["availability-zone".to_owned()],
                _ => Vec::new(),
            })
        })
        .map(|zone| {
            Element::new("item")
                .field("zoneState", "available")
                .field("optInStatus", "opt-in-not-required")
                .list("messageSet", [])
                .field("regionName", &region)
                .field("zoneName", zone)
                .field("zoneId", zone_id(&region, zone))
                .field("groupName", &region)
                .field("networkBorderGroup", &region)
                .field("zoneType", "availability-zone")
        });
    Ok(Element::new("reply").list("availabilityZoneInfo", items))
}

/// Types of the world's instances and those asked for by name, with what can be said from the name alone.
pub(super) fn describe_instance_types(context: &mut Context<'_>, mut params: Params) -> Reply {
    let filters = ["bare-metal", "instance-type"];
    let query = context.query(&mut params, "InstanceType", &filters, CLASSIC)?;
    context.ready(params)?;
    if let Some(bad) = query.ids.iter().find(|kind| !kind.contains('.')) {
        let message = format!("The following supplied instance types do not exist: [{bad}]");
        return Err(ApiError::new("InvalidInstanceType", message));
    }
    let mut kinds: std::collections::BTreeSet<String> = query.ids.iter().cloned().collect();
    if kinds.is_empty() {
        kinds = context.space().instances.values().map(|instance| instance.kind.clone()).collect();
    }
    let is_metal = |kind: &str| kind.split('.').next_back().is_some_and(|size| size.starts_with("metal"));
    let rows = kinds
        .into_iter()
        .filter(|kind| {
            query.filters.accept(&Tags::new(), |name| match name {
                "bare-metal" => vec![is_metal(kind).to_string()],
                _ => one(Some(kind)),
            })
        })
        .map(|kind| (kind, ()))
        .collect();
    Ok(page_of(&query, "instanceTypeSet", rows, Vec::new(), |kind, ()| {
        Element::new("item").field("instanceType", kind).field("bareMetal", is_metal(kind))
    }))
}

pub(super) fn describe_account_attributes(context: &mut Context<'_>, mut params: Params) -> Reply {
    let names = params.list("AttributeName")?;
    context.ready(params)?;
    let attributes = [
        ("default-vpc", "none"),
        ("max-elastic-ips", "5"),
        ("max-instances", "20"),
        ("supported-platforms", "VPC"),
        ("vpc-max-elastic-ips", "5"),
        ("vpc-max-security-groups-per-interface", "5"),
    ];
    if let Some(unknown) = names.iter().find(|name| attributes.iter().all(|(known, _)| known != name)) {
        return Err(ApiError::value("attributeName", unknown, "Expecting the name of an account attribute."));
    }
    let items = attributes
        .iter()
        .filter(|(name, _)| names.is_empty() || names.iter().any(|asked| asked == name))
        .map(|(name, value)| {
            let value = Element::new("item").field("attributeValue", value);
            Element::new("item").field("attributeName", name).list("attributeValueSet", [value])
        });
    Ok(Element::new("reply").list("accountAttributeSet", items))
}
