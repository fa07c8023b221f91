//! Traffic mirror filters and their network services. A filter's description cannot be changed.

use super::{Context, Reply, one, page_of, passing, rules, select};
use crate::error::ApiError;
use crate::page::MIRRORING;
use crate::query::Params;
use crate::state::{Filter, Space};
use crate::table::Moment;
use crate::tag;
use crate::xml::{Element, tag_set};

/// The only network service AWS knows.
const NETWORK_SERVICES: [&str; 1] = ["amazon-dns"];
const FILTERS: [&str; 2] = ["description", "traffic-mirror-filter-id"];

pub(super) fn not_found(id: &str) -> ApiError {
    ApiError::unknown_id(("tmf", "InvalidTrafficMirrorFilterId"), "traffic mirror filter", id)
}

pub(super) fn create(context: &mut Context<'_>, params: Params) -> Reply {
    context.once(params, |context, mut params| {
        let description = params.text("Description");
        let tags = tag::specifications(&mut params, "traffic-mirror-filter")?;
        context.ready(params)?;
        let quota = context.state.quotas.filters;
        if context.space().filters.len() >= quota {
            let message = format!("The maximum number of traffic mirror filters ({quota}) has been reached");
            return Err(ApiError::new("TrafficMirrorFilterLimitExceeded", message));
        }
        let id = context.fresh_id("tmf");
        let moment = context.moment;
        let filter = Filter { description, network_services: Default::default(), tags };
        let reply = shape(context.space(), &id, &filter, moment);
        context.space_mut().filters.put(&id, filter, moment);
        Ok(Element::new("reply").child(reply.named("trafficMirrorFilter")))
    })
}

pub(super) fn modify_network_services(context: &mut Context<'_>, mut params: Params) -> Reply {
    let id = params.required("TrafficMirrorFilterId")?;
    let add = services(&mut params, "AddNetworkService")?;
    let remove = services(&mut params, "RemoveNetworkService")?;
    if let Some(both) = add.iter().find(|service| remove.contains(service)) {
        let message = format!("The network service {both} cannot be added and removed in one request");
        return Err(ApiError::combination(message));
    }
    context.ready(params)?;
    let moment = context.moment;
    let mut filter = context.space().filters.named(&id, moment).cloned().ok_or_else(|| not_found(&id))?;
    filter.network_services.extend(add);
    filter.network_services.retain(|service| !remove.contains(service));
    context.space_mut().filters.put(&id, filter.clone(), moment);
    let reply = shape(context.space(), &id, &filter, moment);
    Ok(Element::new("reply").child(reply.named("trafficMirrorFilter")))
}

fn services(params: &mut Params, prefix: &str) -> Result<Vec<String>, ApiError> {
    let services = params.list(prefix)?;
    match services.iter().find(|service| !NETWORK_SERVICES.contains(&service.as_str())) {
        Some(unknown) => Err(ApiError::value(prefix, unknown, "Expecting one of: amazon-dns.")),
        None => Ok(services),
    }
}

pub(super) fn delete(context: &mut Context<'_>, mut params: Params) -> Reply {
    let id = params.required("TrafficMirrorFilterId")?;
    context.ready(params)?;
    let space = context.space();
    space.filters.get(&id).ok_or_else(|| not_found(&id))?;
    let in_use = |by: String| {
        let message = format!("The traffic mirror filter '{id}' is in use by {by}");
        ApiError::new("TrafficMirrorFilterInUse", message)
    };
    if let Some((session, _)) = space.sessions.iter().find(|(_, session)| session.filter == id) {
        return Err(in_use(format!("session '{session}'")));
    }
    // Whether AWS removes remaining rules with their filter is not documented; refusing is the strict side.
    if let Some((rule, _)) = space.filter_rules.iter().find(|(_, rule)| rule.filter == id) {
        return Err(in_use(format!("rule '{rule}'")));
    }
    let moment = context.moment;
    context.space_mut().filters.remove(&id, moment);
    Ok(Element::new("reply").field("trafficMirrorFilterId", &id))
}

pub(super) fn describe(context: &mut Context<'_>, mut params: Params) -> Reply {
    let query = context.query(&mut params, "TrafficMirrorFilterId", &FILTERS, MIRRORING)?;
    context.ready(params)?;
    let moment = context.moment;
    let space = context.space();
    let filters = &space.filters;
    let rows = select(
        (&query.ids, &query.page),
        |id| filters.seen(id, moment),
        || filters.all_seen(moment),
        not_found,
    )?;
    let rows = passing(rows, &query.filters, |filter| &filter.tags, field);
    let reply = page_of(&query, "trafficMirrorFilterSet", rows, Vec::new(), |id, filter| {
        shape(space, id, filter, moment)
    });
    let space = context.space_mut();
    space.filters.settle(moment);
    space.filter_rules.settle(moment);
    Ok(reply)
}

fn field(id: &str, filter: &Filter, name: &str) -> Vec<String> {
    match name {
        "description" => one(filter.description.as_ref()),
        "traffic-mirror-filter-id" => one(Some(id)),
        _ => Vec::new(),
    }
}

fn shape(space: &Space, id: &str, filter: &Filter, moment: Moment) -> Element {
    let rules = |direction: &str| {
        let mut rules: Vec<_> = space
            .filter_rules
            .all_seen(moment)
            .into_iter()
            .filter(|(_, rule)| rule.filter == id && rule.direction == direction)
            .collect();
        rules.sort_by_key(|(_, rule)| rule.number);
        rules
            .into_iter()
            .map(|(id, rule)| rules::shape(id, rule).child(tag_set(&rule.tags)))
            .collect::<Vec<_>>()
    };
    Element::new("item")
        .field("trafficMirrorFilterId", id)
        .list("ingressFilterRuleSet", rules("ingress"))
        .list("egressFilterRuleSet", rules("egress"))
        .list("networkServiceSet", filter.network_services.iter().map(Element::item))
        .maybe("description", filter.description.as_ref())
        .child(tag_set(&filter.tags))
}
