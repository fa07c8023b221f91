//! Traffic mirror sessions. The source interface of a session cannot change; everything else can.

use super::{
    Context, Reply, eligibility, filters, interfaces, one, page_of, passing, rules, select, targets,
};
use crate::error::ApiError;
use crate::page::MIRRORING;
use crate::query::Params;
use crate::state::{Destination, MirrorSession, Place, State};
use crate::tag;
use crate::xml::{Element, tag_set};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTrafficMirrorSession.html>
const SESSION_NUMBERS: std::ops::RangeInclusive<i64> = 1..=32766;
/// 24 bits; whether AWS takes 0 is not known, so 0 is refused.
const NETWORK_IDS: std::ops::RangeInclusive<i64> = 1..=16_777_215;
/// Ethernet, IPv4 and one byte, up to the largest IP packet; AWS documents no upper bound for interface targets.
const PACKET_LENGTHS: std::ops::RangeInclusive<i64> = 35..=65535;
/// The same lower bound where IPv6 is mirrored.
const LEAST_WITH_IPV6: i64 = 55;
/// Default and greatest packet length of a session with a load balancer target.
const LOAD_BALANCER_PACKET_LENGTH: i64 = 8500;
const REMOVABLE: [&str; 3] = ["packet-length", "description", "virtual-network-id"];
const FILTERS: [&str; 9] = [
    "description",
    "network-interface-id",
    "owner-id",
    "packet-length",
    "session-number",
    "traffic-mirror-filter-id",
    "traffic-mirror-session-id",
    "traffic-mirror-target-id",
    "virtual-network-id",
];

pub(super) fn not_found(id: &str) -> ApiError {
    ApiError::unknown_id(("tms", "InvalidTrafficMirrorSessionId"), "traffic mirror session", id)
}

pub(super) fn create(context: &mut Context<'_>, params: Params) -> Reply {
    context.once(params, |context, mut params| {
        let interface = params.required("NetworkInterfaceId")?;
        let target = params.required("TrafficMirrorTargetId")?;
        let filter = params.required("TrafficMirrorFilterId")?;
        let number = params.required_integer("SessionNumber", SESSION_NUMBERS)?;
        let packet_length = params.integer("PacketLength", PACKET_LENGTHS)?;
        let vni = params.integer("VirtualNetworkId", NETWORK_IDS)?;
        let description = params.text("Description");
        let tags = tag::specifications(&mut params, "traffic-mirror-session")?;
        context.ready(params)?;
        let owner = context.account().to_owned();
        let mut session = MirrorSession {
            target,
            target_owner: String::new(),
            filter,
            interface,
            owner,
            packet_length,
            number,
            vni: 0,
            description,
            tags,
        };
        let space = context.space();
        // The owner of an interface may mirror it, and so may the owner of its subnet (user guide, "sessions").
        let holder = context.state.holder_of_source(&context.place, &session.interface);
        let holder = holder.ok_or_else(|| interfaces::not_found(&session.interface))?;
        eligibility::check_source(&context.state.spaces[&holder], &context.state.rules, &session.interface)?;
        session.target_owner = owner_of_target(context, &session.target)?;
        check(context, None, &session)?;
        let quota = context.state.quotas.sessions;
        if space.sessions.len() >= quota {
            let message = format!("The maximum number of traffic mirror sessions ({quota}) has been reached");
            return Err(ApiError::new("TrafficMirrorSessionLimitExceeded", message));
        }
        let quota = context.state.quotas.sessions_per_interface;
        if context.state.sessions_on(&context.place, &session.interface).len() >= quota {
            let message = format!(
                "The maximum number of traffic mirror sessions per interface ({quota}) has been reached"
            );
            return Err(ApiError::new("TrafficMirrorSessionsPerInterfaceLimitExceeded", message));
        }
        let id = context.fresh_id("tms");
        session.vni = vni.unwrap_or_else(|| draw_vni(context.state, context.account(), &id));
        let reply = shape(context.state, &context.place, &id, &session).named("trafficMirrorSession");
        let moment = context.moment;
        context.space_mut().sessions.put(&id, session, moment);
        Ok(Element::new("reply").child(reply))
    })
}

pub(super) fn modify(context: &mut Context<'_>, mut params: Params) -> Reply {
    let id = params.required("TrafficMirrorSessionId")?;
    let target = params.text("TrafficMirrorTargetId");
    let filter = params.text("TrafficMirrorFilterId");
    let number = params.integer("SessionNumber", SESSION_NUMBERS)?;
    let packet_length = params.integer("PacketLength", PACKET_LENGTHS)?;
    let vni = params.integer("VirtualNetworkId", NETWORK_IDS)?;
    let description = params.text("Description");
    let removed = rules::removed_fields(&mut params, &REMOVABLE)?;
    for (field, given) in [
        ("packet-length", packet_length.is_some()),
        ("virtual-network-id", vni.is_some()),
        ("description", description.is_some()),
    ] {
        rules::check_not_both(&removed, field, given)?;
    }
    context.ready(params)?;
    let mut session = context.space().sessions.get(&id).cloned().ok_or_else(|| not_found(&id))?;
    let is_removed = |field: &str| removed.iter().any(|removed| removed == field);
    if let Some(target) = target {
        session.target_owner = owner_of_target(context, &target)?;
        session.target = target;
    }
    session.filter = filter.unwrap_or(session.filter);
    session.number = number.unwrap_or(session.number);
    session.packet_length =
        if is_removed("packet-length") { None } else { packet_length.or(session.packet_length) };
    session.description = if is_removed("description") { None } else { description.or(session.description) };
    check(context, Some(&id), &session)?;
    if is_removed("virtual-network-id") {
        // The default of a removed id is a newly drawn one.
        let serial = context.fresh_id("vni");
        session.vni = draw_vni(context.state, context.account(), &serial);
    } else {
        session.vni = vni.unwrap_or(session.vni);
    }
    let reply = shape(context.state, &context.place, &id, &session).named("trafficMirrorSession");
    let moment = context.moment;
    context.space_mut().sessions.put(&id, session, moment);
    Ok(Element::new("reply").child(reply))
}

pub(super) fn delete(context: &mut Context<'_>, mut params: Params) -> Reply {
    let id = params.required("TrafficMirrorSessionId")?;
    context.ready(params)?;
    let moment = context.moment;
    context.space_mut().sessions.remove(&id, moment).ok_or_else(|| not_found(&id))?;
    Ok(Element::new("reply").field("trafficMirrorSessionId", &id))
}

pub(super) fn describe(context: &mut Context<'_>, mut params: Params) -> Reply {
    let query = context.query(&mut params, "TrafficMirrorSessionId", &FILTERS, MIRRORING)?;
    context.ready(params)?;
    let moment = context.moment;
    let (state, place) = (&*context.state, &context.place);
    let sessions = &context.space().sessions;
    // The owner of a target sees what others send to it.
    let consumers: std::collections::BTreeMap<&String, &MirrorSession> = match context.space().targets.len() {
        0 => [].into(),
        _ => state
            .sessions_of_consumers(place)
            .filter_map(|(space, id, _)| space.sessions.seen(id, moment).map(|session| (id, session)))
            .collect(),
    };
    let find = |id: &str| sessions.seen(id, moment).or_else(|| consumers.get(&id.to_owned()).copied());
    let all = || {
        let mut all = sessions.all_seen(moment);
        all.extend(consumers.iter().map(|(id, session)| (*id, *session)));
        all
    };
    let rows = select((&query.ids, &query.page), find, all, not_found)?;
    let rows = passing(
        rows,
        &query.filters,
        |session| tags_for(place, session),
        |id, session, name| field(state, place, id, session, name),
    );
    let reply = page_of(&query, "trafficMirrorSessionSet", rows, Vec::new(), |id, session| {
        shape(state, place, id, session)
    });
    context.space_mut().sessions.settle(moment);
    Ok(reply)
}

/// Who owns a target that may be used: this account, or one that shares it.
fn owner_of_target(context: &Context<'_>, target: &str) -> Result<String, ApiError> {
    if context.space().targets.named(target, context.moment).is_some() {
        return Ok(context.account().to_owned());
    }
    let shared = context.shared_targets().into_iter().find(|(_, id, _)| id == target);
    let (owner, _, found) = shared.ok_or_else(|| targets::not_found(target))?;
    if let Destination::GatewayLoadBalancerEndpoint(endpoint) = &found.destination {
        let message =
            format!("The Vpc Endpoint '{endpoint}' of target '{target}' belongs to another account");
        return Err(ApiError::new("InvalidTrafficMirrorTarget", message));
    }
    Ok(owner.clone())
}

/// Tags as the account of a place sees them.
fn tags_for<'a>(place: &Place, session: &'a MirrorSession) -> &'a tag::Tags {
    if session.owner == place.0 { &session.tags } else { &tag::NONE }
}

/// Rules that hold for a session as a whole, whether it is new or changed; `own` is its id when it exists.
fn check(context: &Context<'_>, own: Option<&str>, session: &MirrorSession) -> Result<(), ApiError> {
    let space = context.space();
    let target = context.state.target_of_session(&context.place.1, session);
    let target = target.ok_or_else(|| targets::not_found(&session.target))?;
    space
        .filters
        .named(&session.filter, context.moment)
        .ok_or_else(|| filters::not_found(&session.filter))?;
    let taken = context
        .state
        .sessions_on(&context.place, &session.interface)
        .into_iter()
        .find(|(id, other)| own != Some(id.as_str()) && other.number == session.number);
    if let Some((other, _)) = taken {
        let message = format!(
            "Session number {} is already being used by session '{other}' on network interface '{}'",
            session.number, session.interface
        );
        return Err(ApiError::invalid(message));
    }
    if let Some(length) = session.packet_length {
        let is_balancer = matches!(target.destination, Destination::NetworkLoadBalancer(_));
        if is_balancer && length > LOAD_BALANCER_PACKET_LENGTH {
            let why = "The greatest packet length for a network load balancer target is 8500.";
            return Err(ApiError::value("PacketLength", length, why));
        }
        let mirrors_ipv6 = space
            .filter_rules
            .values()
            .any(|rule| rule.filter == session.filter && rule.source_cidr.addr().is_ipv6());
        if length < LEAST_WITH_IPV6 && mirrors_ipv6 {
            let why = "The least packet length where IPv6 is mirrored is 55.";
            return Err(ApiError::value("PacketLength", length, why));
        }
    }
    check_target_room(context.state, &context.place.1, own, session, &target.destination)
}

fn check_target_room(
    state: &State,
    region: &str,
    own: Option<&str>,
    session: &MirrorSession,
    destination: &Destination,
) -> Result<(), ApiError> {
    let most = state.quotas.sessions_per_target;
    let target_interface = match destination {
        Destination::NetworkInterface(interface) => Some(interface),
        _ if most == usize::MAX => return Ok(()),
        _ => None,
    };
    // All accounts that the target is shared with count.
    let others = || {
        let spaces = state.spaces.iter().filter(|((_, other), _)| other == region);
        spaces
            .flat_map(|(_, space)| space.sessions.iter())
            .filter(|(id, other)| own != Some(id.as_str()) && other.target == session.target)
    };
    if others().count() >= most {
        let message = format!("Sessions per target limit reached ({})", most + 1);
        return Err(ApiError::new("TrafficMirrorSessionsPerTargetLimitExceeded", message));
    }
    let Some(interface) = target_interface else { return Ok(()) };
    let sources: std::collections::BTreeSet<&String> =
        others().map(|(_, other)| &other.interface).chain([&session.interface]).collect();
    let owner = (session.target_owner.clone(), region.to_owned());
    let limit = eligibility::source_limit(&state.spaces[&owner], &state.quotas, interface);
    if sources.len() > limit {
        let message = format!("Sources per interface-target limit reached ({})", sources.len());
        return Err(ApiError::new("TrafficMirrorSourcesPerTargetLimitExceeded", message));
    }
    Ok(())
}

/// AWS draws at random, unique inside the source account; here the draw follows from the id.
fn draw_vni(state: &State, account: &str, seed: &str) -> i64 {
    let is_used = |vni: i64| {
        let mut own = state.spaces.iter().filter(|((owner, _), _)| owner == account);
        own.any(|(_, space)| space.sessions.values().any(|session| session.vni == vni))
    };
    (0u32..)
        .map(|attempt| i64::from(crate::id::number(&format!("{seed}/{attempt}")) >> 8))
        .find(|vni| NETWORK_IDS.contains(vni) && !is_used(*vni))
        .expect("an account has at most 10,000 sessions and there are 16 million ids")
}

fn reported_packet_length(state: &State, place: &Place, session: &MirrorSession) -> Option<i64> {
    session.packet_length.or_else(|| match state.target_of_session(&place.1, session)?.destination {
        Destination::NetworkLoadBalancer(_) => Some(LOAD_BALANCER_PACKET_LENGTH),
        _ => None,
    })
}

fn field(state: &State, place: &Place, id: &str, session: &MirrorSession, name: &str) -> Vec<String> {
    match name {
        "description" => one(session.description.as_ref()),
        "network-interface-id" => one(Some(&session.interface)),
        "owner-id" => one(Some(&session.owner)),
        "packet-length" => one(reported_packet_length(state, place, session)),
        "session-number" => one(Some(session.number)),
        "traffic-mirror-filter-id" => one(Some(&session.filter)),
        "traffic-mirror-session-id" => one(Some(id)),
        "traffic-mirror-target-id" => one(Some(&session.target)),
        "virtual-network-id" => one(Some(session.vni)),
        _ => Vec::new(),
    }
}

fn shape(state: &State, place: &Place, id: &str, session: &MirrorSession) -> Element {
    Element::new("item")
        .field("trafficMirrorSessionId", id)
        .field("trafficMirrorTargetId", &session.target)
        .field("trafficMirrorFilterId", &session.filter)
        .field("networkInterfaceId", &session.interface)
        .field("ownerId", &session.owner)
        .maybe("packetLength", reported_packet_length(state, place, session))
        .field("sessionNumber", session.number)
        .field("virtualNetworkId", session.vni)
        .maybe("description", session.description.as_ref())
        .child(tag_set(tags_for(place, session)))
}
