//! Traffic mirror filter rules.

use ipnet::IpNet;

use super::{Context, Reply, filters, one, page_of, passing, select};
use crate::error::ApiError;
use crate::page::MIRRORING;
use crate::query::Params;
use crate::state::{FilterRule, Space};
use crate::tag;
use crate::xml::{Element, tag_set};

/// AWS documents no bounds for rule numbers; those of session numbers are the careful choice.
const RULE_NUMBERS: std::ops::RangeInclusive<i64> = 1..=32766;
const PROTOCOLS: std::ops::RangeInclusive<i64> = 0..=255;
/// TCP and UDP, the protocols that have ports here.
const WITH_PORTS: [i64; 2] = [6, 17];
const DIRECTIONS: [&str; 2] = ["ingress", "egress"];
const ACTIONS: [&str; 2] = ["accept", "reject"];
const REMOVABLE: [&str; 4] = ["destination-port-range", "source-port-range", "protocol", "description"];
const FILTERS: [&str; 9] = [
    "description",
    "destination-cidr-block",
    "protocol",
    "rule-action",
    "rule-number",
    "source-cidr-block",
    "traffic-direction",
    "traffic-mirror-filter-id",
    "traffic-mirror-filter-rule-id",
];

pub(super) fn not_found(id: &str) -> ApiError {
    ApiError::unknown_id(("tmfr", "InvalidTrafficMirrorFilterRuleId"), "traffic mirror filter rule", id)
}

pub(super) fn create(context: &mut Context<'_>, params: Params) -> Reply {
    context.once(params, |context, mut params| {
        let required = |name: &'static str| move || ApiError::missing(name);
        let rule = FilterRule {
            filter: params.required("TrafficMirrorFilterId")?,
            direction: params
                .word("TrafficDirection", &DIRECTIONS)?
                .ok_or_else(required("TrafficDirection"))?,
            number: params.required_integer("RuleNumber", RULE_NUMBERS)?,
            action: params.word("RuleAction", &ACTIONS)?.ok_or_else(required("RuleAction"))?,
            source_cidr: cidr(&mut params, "SourceCidrBlock")?.ok_or_else(required("SourceCidrBlock"))?,
            destination_cidr: cidr(&mut params, "DestinationCidrBlock")?
                .ok_or_else(required("DestinationCidrBlock"))?,
            protocol: params.integer("Protocol", PROTOCOLS)?,
            source_ports: ports(&mut params, "SourcePortRange")?,
            destination_ports: ports(&mut params, "DestinationPortRange")?,
            description: params.text("Description"),
            tags: tag::specifications(&mut params, "traffic-mirror-filter-rule")?,
        };
        check_consistent(&rule)?;
        context.ready(params)?;
        let space = context.space();
        space.filters.named(&rule.filter, context.moment).ok_or_else(|| filters::not_found(&rule.filter))?;
        check_number_free(space, None, &rule)?;
        let quota = context.state.quotas.rules_per_filter;
        if space.filter_rules.values().filter(|other| other.filter == rule.filter).count() >= quota {
            let message =
                format!("The maximum number of rules per traffic mirror filter ({quota}) has been reached");
            return Err(ApiError::new("TrafficMirrorFilterRuleLimitExceeded", message));
        }
        let id = context.fresh_id("tmfr");
        let reply = shape(&id, &rule).child(tag_set(&rule.tags)).named("trafficMirrorFilterRule");
        let moment = context.moment;
        context.space_mut().filter_rules.put(&id, rule, moment);
        Ok(Element::new("reply").child(reply))
    })
}

pub(super) fn modify(context: &mut Context<'_>, mut params: Params) -> Reply {
    let id = params.required("TrafficMirrorFilterRuleId")?;
    let direction = params.word("TrafficDirection", &DIRECTIONS)?;
    let number = params.integer("RuleNumber", RULE_NUMBERS)?;
    let action = params.word("RuleAction", &ACTIONS)?;
    let source_cidr = cidr(&mut params, "SourceCidrBlock")?;
    let destination_cidr = cidr(&mut params, "DestinationCidrBlock")?;
    let protocol = params.integer("Protocol", PROTOCOLS)?;
    let source_ports = ports(&mut params, "SourcePortRange")?;
    let destination_ports = ports(&mut params, "DestinationPortRange")?;
    let description = params.text("Description");
    let removed = removed_fields(&mut params, &REMOVABLE)?;
    for (field, given) in [
        ("destination-port-range", destination_ports.is_some()),
        ("source-port-range", source_ports.is_some()),
        ("protocol", protocol.is_some()),
        ("description", description.is_some()),
    ] {
        check_not_both(&removed, field, given)?;
    }
    if (source_ports.is_some() || destination_ports.is_some()) && protocol.is_none() {
        // terraform-provider-aws always sends the protocol again for this reason.
        return Err(ApiError::invalid("A port range can only be set together with Protocol"));
    }
    context.ready(params)?;
    let mut rule = context.space().filter_rules.get(&id).cloned().ok_or_else(|| not_found(&id))?;
    let is_removed = |field: &str| removed.iter().any(|removed| removed == field);
    if is_removed("destination-port-range") {
        rule.destination_ports = None;
    }
    if is_removed("source-port-range") {
        rule.source_ports = None;
    }
    if is_removed("protocol") {
        rule.protocol = None;
    }
    if is_removed("description") {
        rule.description = None;
    }
    rule.direction = direction.unwrap_or(rule.direction);
    rule.number = number.unwrap_or(rule.number);
    rule.action = action.unwrap_or(rule.action);
    rule.source_cidr = source_cidr.unwrap_or(rule.source_cidr);
    rule.destination_cidr = destination_cidr.unwrap_or(rule.destination_cidr);
    rule.protocol = protocol.or(rule.protocol);
    rule.source_ports = source_ports.or(rule.source_ports);
    rule.destination_ports = destination_ports.or(rule.destination_ports);
    rule.description = description.or(rule.description);
    check_consistent(&rule)?;
    check_number_free(context.space(), Some(&id), &rule)?;
    // AWS's reply to this one call leaves the tags out.
    let reply = shape(&id, &rule).named("trafficMirrorFilterRule");
    let moment = context.moment;
    context.space_mut().filter_rules.put(&id, rule, moment);
    Ok(Element::new("reply").child(reply))
}

pub(super) fn delete(context: &mut Context<'_>, mut params: Params) -> Reply {
    let id = params.required("TrafficMirrorFilterRuleId")?;
    context.ready(params)?;
    let moment = context.moment;
    context.space_mut().filter_rules.remove(&id, moment).ok_or_else(|| not_found(&id))?;
    Ok(Element::new("reply").field("trafficMirrorFilterRuleId", &id))
}

pub(super) fn describe(context: &mut Context<'_>, mut params: Params) -> Reply {
    let query = context.query(&mut params, "TrafficMirrorFilterRuleId", &FILTERS, MIRRORING)?;
    let filter = params.text("TrafficMirrorFilterId");
    context.ready(params)?;
    let moment = context.moment;
    let space = context.space();
    if let Some(filter) = &filter {
        space.filters.seen(filter, moment).ok_or_else(|| filters::not_found(filter))?;
    }
    let rules = &space.filter_rules;
    let rows =
        select((&query.ids, &query.page), |id| rules.seen(id, moment), || rules.all_seen(moment), not_found)?;
    let rows = passing(rows, &query.filters, |rule| &rule.tags, field);
    let rows = rows
        .into_iter()
        .filter(|(_, rule)| filter.as_ref().is_none_or(|filter| *filter == rule.filter))
        .collect();
    let reply = page_of(&query, "trafficMirrorFilterRuleSet", rows, Vec::new(), |id, rule| {
        shape(id, rule).child(tag_set(&rule.tags))
    });
    context.space_mut().filter_rules.settle(moment);
    Ok(reply)
}

/// Reads `RemoveField.N`, each at most once.
pub(super) fn removed_fields(params: &mut Params, known: &[&str]) -> Result<Vec<String>, ApiError> {
    let removed = params.list("RemoveField")?;
    match removed.iter().find(|field| !known.contains(&field.as_str())) {
        Some(unknown) => {
            Err(ApiError::value("RemoveField", unknown, &format!("Expecting one of: {}.", known.join(", "))))
        }
        None => Ok(removed),
    }
}

pub(super) fn check_not_both(removed: &[String], field: &str, given: bool) -> Result<(), ApiError> {
    if given && removed.iter().any(|removed| removed == field) {
        return Err(ApiError::combination(format!("{field} cannot be set and removed in one request")));
    }
    Ok(())
}

fn check_consistent(rule: &FilterRule) -> Result<(), ApiError> {
    if rule.source_cidr.addr().is_ipv4() != rule.destination_cidr.addr().is_ipv4() {
        let message = "SourceCidrBlock and DestinationCidrBlock must be of one address family";
        return Err(ApiError::invalid(message));
    }
    let has_ports = rule.source_ports.is_some() || rule.destination_ports.is_some();
    if has_ports && !rule.protocol.is_some_and(|protocol| WITH_PORTS.contains(&protocol)) {
        return Err(ApiError::invalid("Port ranges are valid only for the protocols TCP (6) and UDP (17)"));
    }
    Ok(())
}

fn check_number_free(space: &Space, own: Option<&str>, rule: &FilterRule) -> Result<(), ApiError> {
    let taken = space.filter_rules.iter().any(|(id, other)| {
        own != Some(id.as_str())
            && other.filter == rule.filter
            && other.direction == rule.direction
            && other.number == rule.number
    });
    if taken {
        let message = format!(
            "Rule number {} already exists in the {} direction of filter '{}'",
            rule.number, rule.direction, rule.filter
        );
        return Err(ApiError::new("TrafficMirrorFilterRuleAlreadyExists", message));
    }
    Ok(())
}

fn cidr(params: &mut Params, name: &str) -> Result<Option<IpNet>, ApiError> {
    let Some(text) = params.text(name) else { return Ok(None) };
    let net: IpNet = text.parse().map_err(|_| ApiError::value(name, &text, "Expecting a CIDR block."))?;
    if net.trunc() != net {
        return Err(ApiError::value(name, &text, "The address has host bits set."));
    }
    Ok(Some(net))
}

fn ports(params: &mut Params, name: &str) -> Result<Option<(i64, i64)>, ApiError> {
    if !params.has_members(name) {
        return Ok(None);
    }
    let from = params.required_integer(&format!("{name}.FromPort"), 0..=65535)?;
    let to = params.required_integer(&format!("{name}.ToPort"), 0..=65535)?;
    if from > to {
        let message = format!("{name}: FromPort {from} is greater than ToPort {to}");
        return Err(ApiError::invalid(message));
    }
    Ok(Some((from, to)))
}

fn field(id: &str, rule: &FilterRule, name: &str) -> Vec<String> {
    match name {
        "description" => one(rule.description.as_ref()),
        "destination-cidr-block" => one(Some(rule.destination_cidr)),
        "protocol" => one(rule.protocol),
        "rule-action" => one(Some(&rule.action)),
        "rule-number" => one(Some(rule.number)),
        "source-cidr-block" => one(Some(rule.source_cidr)),
        "traffic-direction" => one(Some(&rule.direction)),
        "traffic-mirror-filter-id" => one(Some(&rule.filter)),
        "traffic-mirror-filter-rule-id" => one(Some(id)),
        _ => Vec::new(),
    }
}

/// A rule without its tags.
pub(super) fn shape(id: &str, rule: &FilterRule) -> Element {
    let item = Element::new("item")
        .field("trafficMirrorFilterRuleId", id)
        .field("trafficMirrorFilterId", &rule.filter)
        .field("trafficDirection", &rule.direction)
        .field("ruleNumber", rule.number)
        .field("ruleAction", &rule.action)
        .maybe("protocol", rule.protocol);
    let range = |item: Element, name: &str, ports: Option<(i64, i64)>| match ports {
        Some((from, to)) => item.child(Element::new(name).field("fromPort", from).field("toPort", to)),
        None => item,
    };
    let item = range(item, "destinationPortRange", rule.destination_ports);
    range(item, "sourcePortRange", rule.source_ports)
        .field("destinationCidrBlock", rule.destination_cidr)
        .field("sourceCidrBlock", rule.source_cidr)
        .maybe("description", rule.description.as_ref())
}
