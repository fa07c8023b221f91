//! Traffic mirror targets. AWS has no call that modifies one; only its tags can change.

use super::{Context, Reply, one, page_of, passing, select};
use crate::error::ApiError;
use crate::page::MIRRORING;
use crate::query::Params;
use crate::state::{Destination, Target};
use crate::tag;
use crate::xml::{Element, tag_set};

const FILTERS: [&str; 5] = [
    "description",
    "network-interface-id",
    "network-load-balancer-arn",
    "owner-id",
    "traffic-mirror-target-id",
];

pub(super) fn not_found(id: &str) -> ApiError {
    ApiError::unknown_id(("tmt", "InvalidTrafficMirrorTargetId"), "traffic mirror target", id)
}

pub(super) fn create(context: &mut Context<'_>, params: Params) -> Reply {
    context.once(params, |context, mut params| {
        let interface = params.text("NetworkInterfaceId").map(Destination::NetworkInterface);
        let balancer = params.text("NetworkLoadBalancerArn").map(Destination::NetworkLoadBalancer);
        let endpoint =
            params.text("GatewayLoadBalancerEndpointId").map(Destination::GatewayLoadBalancerEndpoint);
        let description = params.text("Description");
        let tags = tag::specifications(&mut params, "traffic-mirror-target")?;
        let mut destinations = [interface, balancer, endpoint].into_iter().flatten();
        let Some(destination) = destinations.next() else {
            return Err(ApiError::missing(
                "NetworkInterfaceId, NetworkLoadBalancerArn or GatewayLoadBalancerEndpointId",
            ));
        };
        if destinations.next().is_some() {
            return Err(ApiError::combination("A traffic mirror target has exactly one destination"));
        }
        context.ready(params)?;
        check_destination(context, &destination)?;
        let quota = context.state.quotas.targets;
        if context.space().targets.len() >= quota {
            let message = format!("The maximum number of traffic mirror targets ({quota}) has been reached");
            return Err(ApiError::new("TrafficMirrorTargetLimitExceeded", message));
        }
        let id = context.fresh_id("tmt");
        let target = Target { destination, description, owner: context.account().to_owned(), tags };
        let reply =
            Element::new("reply").child(shape(&id, &target, &target.tags).named("trafficMirrorTarget"));
        let moment = context.moment;
        context.space_mut().targets.put(&id, target, moment);
        Ok(reply)
    })
}

fn check_destination(context: &Context<'_>, destination: &Destination) -> Result<(), ApiError> {
    let space = context.space();
    match destination {
        Destination::NetworkInterface(id) => {
            super::eligibility::check_target_interface(context.state, &context.place, id)
        }
        Destination::NetworkLoadBalancer(arn) => {
            match space.load_balancers.get(arn).map(|balancer| balancer.kind.as_str()) {
                Some("network") => Ok(()),
                Some(other) => {
                    let message = format!("The load balancer '{arn}' is of type {other}, not network");
                    Err(ApiError::new("InvalidTrafficMirrorTarget", message))
                }
                None => {
                    let message = format!("The load balancer '{arn}' does not exist");
                    Err(ApiError::new("InvalidTrafficMirrorTarget", message))
                }
            }
        }
        Destination::GatewayLoadBalancerEndpoint(id) if space.gateway_endpoints.contains(id) => Ok(()),
        Destination::GatewayLoadBalancerEndpoint(id) => {
            let message = format!("The Vpc Endpoint Id '{id}' does not exist");
            Err(ApiError::new("InvalidVpcEndpointId.NotFound", message))
        }
    }
}

pub(super) fn delete(context: &mut Context<'_>, mut params: Params) -> Reply {
    let id = params.required("TrafficMirrorTargetId")?;
    context.ready(params)?;
    let space = context.space();
    if space.targets.get(&id).is_none() {
        let is_shared = context.shared_targets().iter().any(|(_, shared, _)| *shared == id);
        let message = "You are not authorized to perform this operation.";
        let refused = ApiError::new("UnauthorizedOperation", message);
        return Err(if is_shared { refused } else { not_found(&id) });
    }
    let consumers = context.state.sessions_of_consumers(&context.place).map(|(_, id, session)| (id, session));
    if let Some((session, _)) =
        space.sessions.iter().chain(consumers).find(|(_, session)| session.target == id)
    {
        let message = format!("The traffic mirror target '{id}' is in use by session '{session}'");
        return Err(ApiError::new("TrafficMirrorTargetInUseException", message));
    }
    let moment = context.moment;
    context.space_mut().targets.remove(&id, moment);
    Ok(Element::new("reply").field("trafficMirrorTargetId", &id))
}

pub(super) fn describe(context: &mut Context<'_>, mut params: Params) -> Reply {
    let query = context.query(&mut params, "TrafficMirrorTargetId", &FILTERS, MIRRORING)?;
    context.ready(params)?;
    let moment = context.moment;
    let targets = &context.space().targets;
    let shared = context.shared_targets();
    let of_others =
        |id: &str| shared.iter().find(|(_, shared, _)| shared == id).map(|(_, _, target)| *target);
    let find = |id: &str| targets.seen(id, moment).or_else(|| of_others(id));
    let all = || {
        let mut all = targets.all_seen(moment);
        all.extend(shared.iter().map(|(_, id, target)| (id, *target)));
        all
    };
    let rows = select((&query.ids, &query.page), find, all, not_found)?;
    let account = context.account();
    let tags = |target: &'_ Target| target.owner == account;
    let rows =
        passing(rows, &query.filters, |target| if tags(target) { &target.tags } else { &tag::NONE }, field);
    let reply = page_of(&query, "trafficMirrorTargetSet", rows, Vec::new(), |id, target| {
        shape(id, target, if tags(target) { &target.tags } else { &tag::NONE })
    });
    context.space_mut().targets.settle(moment);
    Ok(reply)
}

fn field(id: &str, target: &Target, name: &str) -> Vec<String> {
    match (name, &target.destination) {
        ("description", _) => one(target.description.as_ref()),
        ("owner-id", _) => one(Some(&target.owner)),
        ("traffic-mirror-target-id", _) => one(Some(id)),
        ("network-interface-id", Destination::NetworkInterface(interface)) => one(Some(interface)),
        ("network-load-balancer-arn", Destination::NetworkLoadBalancer(arn)) => one(Some(arn)),
        _ => Vec::new(),
    }
}

fn shape(id: &str, target: &Target, tags: &tag::Tags) -> Element {
    let item = Element::new("item").field("trafficMirrorTargetId", id);
    let (item, kind) = match &target.destination {
        Destination::NetworkInterface(id) => (item.field("networkInterfaceId", id), "network-interface"),
        Destination::NetworkLoadBalancer(arn) => {
            (item.field("networkLoadBalancerArn", arn), "network-load-balancer")
        }
        Destination::GatewayLoadBalancerEndpoint(id) => {
            (item.field("gatewayLoadBalancerEndpointId", id), "gateway-load-balancer-endpoint")
        }
    };
    item.field("type", kind)
        .maybe("description", target.description.as_ref())
        .field("ownerId", &target.owner)
        .child(tag_set(tags))
}
