//! From what was written to a valid fleet; every problem at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::check::PathKind;
use crate::given::Given;
use crate::ids::{Label, PacketLength, SessionNumber, Vni};
use crate::inventory::{Destination, Tags};
use crate::ownership::{AWS_PREFIX, OUR_PREFIX};
use crate::problem::{Notes, Path, Problem, did_you_mean};
use crate::quota::{NLB_PACKET_LENGTH, TAG_KEY_LENGTH, TAG_VALUE_LENGTH, TAGS_PER_RESOURCE};
use crate::spec::parse_filter::{default_filter, parse_filter};
use crate::spec::parse_networks::CidrLists;
use crate::spec::raw::{RawFleet, RawSafety, RawSession, RawTarget};
use crate::spec::{
    Adopt, DestinationKind, FilterSpec, FleetSpec, MaxRemovals, OnIneligible, Safety, SessionSpec, TargetSpec,
};

/// The session number of fleets that say none: room below for a debugging session that must see packets first.
pub const DEFAULT_NUMBER: i64 = 100;
/// A quarter: more than any ordinary day removes, less than a mistyped tag does.
pub const DEFAULT_MAX_REMOVALS: MaxRemovals = MaxRemovals::Percent(25);
/// Tags we may add to a person's: fleet, key and name; of a session its rule, of a target its generation and that it
/// is complete. What else a target carries is left out where there is no room.
const OUR_TAGS: usize = 5;

/// Checks a fleet. Everything that can be checked is, even beside problems and unknown values. The specification is there when
/// there are no problems and everything that decides which sessions exist is known.
#[must_use]
pub fn parse(raw: &RawFleet) -> (Option<FleetSpec>, Vec<Problem>) {
    let mut notes = Notes::default();
    let root = Path::root();
    let at_name = root.attr("name");
    if raw.name.is_absent() {
        notes.problem(
            &at_name,
            "No name",
            "Write a name: it is the ownership tag of everything the fleet makes.",
        );
    }
    let name = notes.value(&raw.name).and_then(|text| notes.text(&at_name, text));
    let targets = parse_targets(&mut notes, &root.attr("targets"), raw);
    let lists = CidrLists::parse(&mut notes, &root.attr("cidr_lists"), &raw.cidr_lists);
    let filters = parse_filters(&mut notes, &root.attr("filters"), raw, &lists);
    let at_session = root.attr("session");
    let written = notes.value(&raw.session).cloned().unwrap_or_default();
    let session = parse_session(&mut notes, &at_session, &written);
    let sends_to_nlb =
        targets.values().any(|target| target.kind == Some(DestinationKind::NetworkLoadBalancer));
    if let Some(length) =
        session.packet_length.filter(|length| sends_to_nlb && length.get() > NLB_PACKET_LENGTH)
    {
        notes.problem(
            &at_session.attr("packet_length"),
            format!("Packet length {length} is too large for a Network Load Balancer"),
            format!("AWS accepts at most {NLB_PACKET_LENGTH} there. Write that or less, or remove it for AWS's default."),
        );
    }
    let written = notes.value(&raw.safety).cloned().unwrap_or_default();
    let safety = parse_safety(&mut notes, &root.attr("safety"), &written);
    // Unknown tag values decide nothing about sessions, so they are no reason to have no specification.
    let decisive_unknown = notes.has_unknown;
    let tags = parse_tags(&mut notes, &root.attr("tags"), &raw.tags);
    let is_complete = notes.problems.is_empty() && !decisive_unknown;
    let spec =
        name.filter(|_| is_complete).map(|name| FleetSpec { name, targets, filters, session, safety, tags });
    (spec, notes.problems)
}

fn parse_targets(notes: &mut Notes, at: &Path, raw: &RawFleet) -> BTreeMap<Label, TargetSpec> {
    let mut targets = BTreeMap::new();
    if raw.targets.is_absent() || raw.targets.known().is_some_and(BTreeMap::is_empty) {
        notes.problem(
            at,
            "No targets",
            "A session needs somewhere to send. Write at least one, such as { main = { network_load_balancer_arn = ... } }.",
        );
    }
    let mut destinations: BTreeMap<Destination, &str> = BTreeMap::new();
    for (name, written) in notes.value(&raw.targets).into_iter().flatten() {
        let at = at.key(name);
        let label = notes.text::<Label>(&at, name);
        let target = match written {
            Given::Known(written) => parse_target(notes, &at, written),
            // A whole target that is unknown: its label still is an assignment's candidate.
            Given::Unknown => TargetSpec {
                destination: Given::Unknown,
                kind: None,
                zones: Vec::new(),
                vpcs: BTreeSet::new(),
                max_sessions: None,
                region: None,
                account: None,
                mtu: None,
                path: None,
            },
            Given::Absent => {
                notes.problem(&at, "Null target", "Write its destination, or remove it.");
                continue;
            }
        };
        if let Given::Known(destination) = &target.destination {
            if let Some(other) = destinations.get(destination) {
                notes.problem(
                    &at,
                    format!("Targets {other:?} and {name:?} have one destination"),
                    "Sources would be counted twice against it. Keep one of the two.",
                );
            }
            destinations.insert(destination.clone(), name);
        }
        targets.extend(label.map(|label| (label, target)));
    }
    targets
}

fn parse_target(notes: &mut Notes, at: &Path, raw: &RawTarget) -> TargetSpec {
    let kinds = [
        ("network_interface_id", DestinationKind::Interface, &raw.network_interface_id),
        ("network_load_balancer_arn", DestinationKind::NetworkLoadBalancer, &raw.network_load_balancer_arn),
        (
            "gateway_load_balancer_endpoint_id",
            DestinationKind::GatewayLoadBalancerEndpoint,
            &raw.gateway_load_balancer_endpoint_id,
        ),
    ];
    let written: Vec<_> = kinds.iter().filter(|(_, _, value)| value.known().is_some()).collect();
    let unknown: Vec<_> = kinds.iter().filter(|(_, _, value)| value.is_unknown()).collect();
    let (destination, kind) = match (written.as_slice(), unknown.as_slice()) {
        ([], []) => {
            notes.problem(
                at,
                "A target without destination",
                "Write one of network_interface_id, network_load_balancer_arn and gateway_load_balancer_endpoint_id.",
            );
            (Given::Unknown, None)
        }
        ([], [(_, kind, _)]) => (Given::Unknown, Some(*kind)),
        // An unknown value may turn out null, so nothing is wrong yet.
        ([], _) => (Given::Unknown, None),
        ([(name, kind, value)], _) => {
            let text = value.known().map_or("", String::as_str);
            let destination = parse_destination(notes, &at.attr(name), *kind, text);
            (destination.map_or(Given::Unknown, Given::Known), Some(*kind))
        }
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|(name, _, _)| *name).collect();
            notes.problem(
                at,
                format!("A target with {} destinations", names.len()),
                format!("A target sends to one destination. Keep one of {}.", names.join(", ")),
            );
            (Given::Unknown, None)
        }
    };
    let zones = notes.list(&at.attr("availability_zones"), &raw.availability_zones, Notes::text);
    let vpcs = notes.list(&at.attr("vpc_ids"), &raw.vpc_ids, Notes::text);
    if raw.vpc_ids.known().is_some_and(Vec::is_empty) {
        notes.problem(
            &at.attr("vpc_ids"),
            "Empty list of VPCs",
            "It would take no source. Name at least one VPC, remove the argument to take sources of every VPC, or write max_sessions = 0 \
             to move its sources elsewhere.",
        );
    }
    let max_sessions = notes.value(&raw.max_sessions).and_then(|&most| {
        // AWS's quota of sessions in an account bounds it anyway.
        let most = u32::try_from(most).ok();
        if most.is_none() {
            notes.problem(
                &at.attr("max_sessions"),
                "max_sessions is out of range",
                "Write a whole number from 0, which moves every source elsewhere, or remove it.",
            );
        }
        most
    });
    let region = notes.value(&raw.region).and_then(|text| notes.text(&at.attr("region"), text));
    let account = notes.value(&raw.account).and_then(|text| notes.text(&at.attr("account"), text));
    if account.is_some() && kind.is_some_and(|kind| kind != DestinationKind::GatewayLoadBalancerEndpoint) {
        notes.problem(
            &at.attr("account"),
            "An account for a target that is not a Gateway Load Balancer endpoint",
            "Targets of network interfaces and Network Load Balancers are made in the provider's own account and shared with the \
             others. Remove it.",
        );
    }
    let mtu = parse_mtu(notes, &at.attr("mtu"), kind, raw);
    let path = parse_path(notes, &at.attr("path"), kind, raw);
    let zones = zones.unwrap_or_default();
    let vpcs = vpcs.unwrap_or_default().into_iter().collect();
    TargetSpec { destination, kind, zones, vpcs, max_sessions, region, account, mtu, path }
}

/// From what every host takes (RFC 791 section 3.1) to the most there is in a VPC.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html>
const MTUS: RangeInclusive<i64> = 576..=9001;

/// An unknown MTU decides about no session, so it holds nothing up.
fn parse_mtu(notes: &mut Notes, at: &Path, kind: Option<DestinationKind>, raw: &RawTarget) -> Option<u16> {
    let written = *raw.mtu.known()?;
    if kind.is_some_and(|kind| kind != DestinationKind::Interface) {
        notes.problem(
            at,
            "An MTU for a target that is no network interface",
            "AWS cuts packets to the MTU of an interface alone. What a load balancer carries AWS says itself. Remove it.",
        );
        return None;
    }
    let mtu = u16::try_from(written).ok().filter(|_| MTUS.contains(&written));
    if mtu.is_none() {
        notes.problem(
            at,
            format!("MTU {written} is out of range"),
            format!("Write the MTU of the interface, from {} to {}.", MTUS.start(), MTUS.end()),
        );
    }
    mtu
}

/// An unknown way decides about no session, so it holds nothing up.
fn parse_path(
    notes: &mut Notes,
    at: &Path,
    kind: Option<DestinationKind>,
    raw: &RawTarget,
) -> Option<PathKind> {
    let text = raw.path.known()?;
    if kind == Some(DestinationKind::GatewayLoadBalancerEndpoint) {
        notes.problem(
            at,
            "A path to a Gateway Load Balancer endpoint",
            "The endpoint is the way itself, from the VPC of its sources to the load balancer. Remove it.",
        );
    }
    let known = PathKind::BETWEEN_VPCS.iter().find(|(name, _)| name == text).map(|(_, kind)| *kind);
    if known.is_none() {
        let names = PathKind::BETWEEN_VPCS.map(|(name, _)| name).join(" or ");
        notes.problem(
            at,
            format!("{text:?} is no path"),
            format!("Write {names}, or remove it: inside one VPC there is nothing to say."),
        );
    }
    known
}

fn parse_destination(notes: &mut Notes, at: &Path, kind: DestinationKind, text: &str) -> Option<Destination> {
    match kind {
        DestinationKind::Interface => notes.text(at, text).map(Destination::Interface),
        DestinationKind::NetworkLoadBalancer => {
            if !is_nlb_arn(text) {
                notes.problem(
                    at,
                    format!("{text:?} is not the ARN of a Network Load Balancer"),
                    "Write an ARN of the form arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/net/NAME/ID. \
                     Application and Classic Load Balancers cannot be mirror targets.",
                );
                return None;
            }
            Some(Destination::NetworkLoadBalancer(text.to_owned()))
        }
        DestinationKind::GatewayLoadBalancerEndpoint => {
            let digits = text.strip_prefix("vpce-").unwrap_or_default();
            let is_id = matches!(digits.len(), 8 | 17)
                && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if !is_id {
                notes.problem(
                    at,
                    format!("{text:?} is not a VPC endpoint id"),
                    "Write the id of a Gateway Load Balancer endpoint, such as vpce-0123456789abcdef0.",
                );
                return None;
            }
            Some(Destination::GatewayLoadBalancerEndpoint(text.to_owned()))
        }
    }
}

fn is_nlb_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts.as_slice() else { return false };
    *arn == "arn"
        && partition.starts_with("aws")
        && *service == "elasticloadbalancing"
        && !region.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && resource.starts_with("loadbalancer/net/")
        && resource.split('/').count() == 4
        && resource.split('/').all(|part| !part.is_empty())
}

fn parse_filters(
    notes: &mut Notes,
    at: &Path,
    raw: &RawFleet,
    lists: &CidrLists,
) -> BTreeMap<Label, FilterSpec> {
    let mut filters = BTreeMap::new();
    if raw.filters.is_absent() {
        filters.insert(default_filter().0, default_filter().1);
    }
    if raw.filters.known().is_some_and(BTreeMap::is_empty) {
        notes.problem(
            at,
            "No filters",
            "Without a filter nothing is mirrored. Write at least one, or remove the argument to mirror everything.",
        );
    }
    for (name, written) in notes.value(&raw.filters).into_iter().flatten() {
        let at = at.key(name);
        let label = notes.text::<Label>(&at, name);
        let filter = match written {
            Given::Known(written) => parse_filter(notes, &at, written, lists),
            Given::Unknown => FilterSpec { dns: Given::Unknown, versions: Vec::new(), rules: Given::Unknown },
            Given::Absent => {
                notes.problem(&at, "Null filter", "Write its rules, or remove it.");
                continue;
            }
        };
        filters.extend(label.map(|label| (label, filter)));
    }
    filters
}

fn parse_session(notes: &mut Notes, at: &Path, raw: &RawSession) -> SessionSpec {
    let number = notes
        .value(&raw.number)
        .and_then(|found| notes.number(&at.attr("number"), *found))
        .or_else(|| SessionNumber::try_from(DEFAULT_NUMBER).ok())
        .unwrap_or(SessionNumber::MIN);
    let packet_length: Option<PacketLength> =
        notes.value(&raw.packet_length).and_then(|found| notes.number(&at.attr("packet_length"), *found));
    let range = notes.value(&raw.vni).cloned().unwrap_or_default();
    let at = at.attr("vni");
    let mut bound = |name, given: &Given<i64>, default| {
        notes.value(given).and_then(|found| notes.number(&at.attr(name), *found)).unwrap_or(default)
    };
    let vni_from = bound("from", &range.from, Vni::MIN);
    let vni_to = bound("to", &range.to, Vni::MAX);
    if vni_from > vni_to {
        notes.problem(
            &at,
            format!("Empty VNI range {vni_from} to {vni_to}"),
            "Write a range whose first number is not above its last.",
        );
    }
    SessionSpec { number, packet_length, vni_from, vni_to }
}

fn parse_safety(notes: &mut Notes, at: &Path, raw: &RawSafety) -> Safety {
    let at_removals = at.attr("max_removals");
    let max_removals = notes.value(&raw.max_removals).and_then(|text| {
        let parsed = match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().filter(|percent| *percent <= 100).map(MaxRemovals::Percent),
            None => text.parse().ok().map(MaxRemovals::Count),
        };
        if parsed.is_none() {
            notes.problem(
                &at_removals,
                format!("{text:?} is neither a number nor a percentage"),
                "Write a number of sessions such as \"10\", or a part of the fleet from \"0%\" to \"100%\".",
            );
        }
        parsed
    });
    let on_ineligible = match notes.value(&raw.on_ineligible).map(String::as_str) {
        None | Some("skip") => OnIneligible::Skip,
        Some("fail") => OnIneligible::Fail,
        Some(other) => {
            notes.problem(
                &at.attr("on_ineligible"),
                format!("Unknown choice {other:?}"),
                format!("Write \"skip\" or \"fail\".{}", did_you_mean(other, ["skip", "fail"])),
            );
            OnIneligible::Skip
        }
    };
    let adopt = match notes.value(&raw.adopt).map(String::as_str) {
        None | Some("none") => Adopt::None,
        Some("matching") => Adopt::Matching,
        Some(other) => {
            notes.problem(
                &at.attr("adopt"),
                format!("Unknown choice {other:?}"),
                format!("Write \"none\" or \"matching\".{}", did_you_mean(other, ["none", "matching"])),
            );
            Adopt::None
        }
    };
    Safety {
        max_removals: max_removals.unwrap_or(DEFAULT_MAX_REMOVALS),
        on_ineligible,
        adopt,
        share_outside_organization: notes.value(&raw.share_outside_organization).copied().unwrap_or(true),
    }
}

fn parse_tags(notes: &mut Notes, at: &Path, raw: &Given<BTreeMap<String, Given<String>>>) -> Given<Tags> {
    let written = match raw {
        Given::Absent => return Given::Known(Tags::new()),
        Given::Unknown => return Given::Unknown,
        Given::Known(written) => written,
    };
    let most = TAGS_PER_RESOURCE - OUR_TAGS;
    if written.len() > most {
        notes.problem(
            at,
            format!("{} tags", written.len()),
            format!("AWS allows {TAGS_PER_RESOURCE} tags on a resource and the fleet sets {OUR_TAGS} of its own. Keep {most}."),
        );
    }
    let mut tags = Tags::new();
    let mut has_unknown = false;
    for (key, value) in written {
        let at = at.key(key);
        if let Some(prefix) =
            [OUR_PREFIX, AWS_PREFIX].iter().find(|prefix| key.to_ascii_lowercase().starts_with(**prefix))
        {
            notes.problem(
                &at,
                format!("Tag key {key:?} is reserved"),
                format!("Keys that begin with {prefix} are set by the fleet and by AWS. Choose another key."),
            );
        }
        if key.is_empty() || key.chars().count() > TAG_KEY_LENGTH {
            notes.problem(
                &at,
                "Tag key of a wrong length",
                format!("Write 1 to {TAG_KEY_LENGTH} characters."),
            );
        }
        match value {
            Given::Known(value) => {
                if value.chars().count() > TAG_VALUE_LENGTH {
                    notes.problem(
                        &at,
                        "Tag value too long",
                        format!("Write at most {TAG_VALUE_LENGTH} characters."),
                    );
                }
                tags.insert(key.clone(), value.clone());
            }
            Given::Unknown => has_unknown = true,
            Given::Absent => notes.problem(&at, "Null tag value", "Write a value, or remove the tag."),
        }
    }
    if has_unknown { Given::Unknown } else { Given::Known(tags) }
}
