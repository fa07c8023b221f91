//! The filters and targets that sessions need, with descriptions and tags.

use std::collections::{BTreeMap, BTreeSet};

use crate::expand::{DesiredFilter, DesiredShare, DesiredTarget, Expansion, Facts};
use crate::finding::{Finding, FindingKind, Sources};
use crate::given::Given;
use crate::ids::{AccountId, Label, MemberKey, ObjectKey, Place};
use crate::inventory::{Destination, Tags};
use crate::ownership::{self, RULE_TAG};
use crate::problem::Path;
use crate::quota::TAG_VALUE_LENGTH;
use crate::selection::Member;
use crate::spec::{FleetSpec, TargetSpec};

/// The filter of every member; members whose rule names one that is not there are left out with a finding.
pub(super) fn choose_filters<'a>(
    spec: &'a FleetSpec,
    members: &BTreeMap<&'a MemberKey, &Member>,
    findings: &mut Vec<Finding>,
) -> BTreeMap<&'a MemberKey, &'a Label> {
    let mut chosen = BTreeMap::new();
    let mut unknown: BTreeMap<Option<&Label>, (BTreeSet<Label>, Vec<MemberKey>)> = BTreeMap::new();
    for (key, member) in members {
        let found = match &member.filter {
            Some(label) => spec.filters.get_key_value(label).map(|(label, _)| label),
            None => spec.default_filter(),
        };
        if let Some(label) = found {
            chosen.insert(*key, label);
        } else {
            let entry = unknown.entry(member.filter.as_ref()).or_default();
            entry.0.insert(member.rule.clone());
            entry.1.push((*key).clone());
        }
    }
    findings.extend(unknown.into_iter().map(|(filter, (rules, sources))| {
        let kind = FindingKind::UnknownFilter {
            filter: filter.cloned(),
            known: spec.filters.keys().cloned().collect(),
            rules: rules.into_iter().collect(),
            sources: Sources::of(sources),
        };
        Finding::at(Path::root().attr("filters"), kind)
    }));
    chosen
}

/// The tags of a session: the console shows the fleet and the instance's name.
pub(super) fn session_tags(spec: &FleetSpec, key: &MemberKey, member: &Member) -> Given<Tags> {
    spec.tags.clone().map(|person| {
        let shown = member.name.as_deref().unwrap_or(key.interface.as_str());
        // The fleet's name and a space come before it.
        let room = TAG_VALUE_LENGTH - spec.name.as_str().len() - 1;
        let shown: String = shown.chars().take(room).collect();
        let mut tags = ownership::tags(&spec.name, &key.to_string(), &shown, &person);
        tags.insert(RULE_TAG.to_owned(), member.rule.to_string());
        tags
    })
}

/// Every target of the specification: a person who wrote one expects it, and it costs nothing.
pub(super) fn place_targets(spec: &FleetSpec, home: &Place, facts: &Facts, plan: &mut Expansion) {
    for (label, target) in &spec.targets {
        let place = target.place(home);
        if let Given::Known(Destination::NetworkLoadBalancer(arn)) = &target.destination
            && let Some(region) = arn.split(':').nth(3).filter(|region| *region != place.region.as_str())
        {
            let kind = FindingKind::DestinationElsewhere {
                target: label.clone(),
                region: region.to_owned(),
                home: place.clone(),
            };
            let at = Path::root().attr("targets").key(label.as_str()).attr("network_load_balancer_arn");
            plan.findings.push(Finding::at(at, kind));
        }
        if let Given::Known(Destination::NetworkLoadBalancer(arn)) = &target.destination
            && let Some(account) = arn.split(':').nth(4).filter(|account| *account != place.account.as_str())
        {
            let kind = FindingKind::DestinationOfAnotherAccount {
                target: label.clone(),
                account: account.to_owned(),
                home: place.clone(),
            };
            let at = Path::root().attr("targets").key(label.as_str()).attr("network_load_balancer_arn");
            plan.findings.push(Finding::at(at, kind));
        }
        let desired = DesiredTarget {
            destination: target.destination.clone(),
            capacity: target.capacity_on(facts.instance_type(label)),
            limit: target.limit_on(facts.instance_type(label)),
            description: format!("enigma fleet {} target {label}", spec.name),
            tags: tags(spec, label),
        };
        plan.targets.insert(ObjectKey { place, label: label.clone() }, desired);
    }
}

/// A copy of each filter in every place whose sessions use it: filters cannot be shared between accounts.
pub(super) fn place_filters(spec: &FleetSpec, plan: &mut Expansion) {
    let kept = plan.kept.iter().filter_map(|(key, session)| {
        Some(ObjectKey { place: key.place.clone(), label: session.filter.clone()? })
    });
    let needed: BTreeSet<ObjectKey> =
        plan.sessions.values().map(|session| session.filter.clone()).chain(kept).collect();
    for key in needed {
        let Some(filter) = spec.filters.get(&key.label) else { continue };
        let desired = DesiredFilter {
            rules: filter.rules.clone().map(|rules| rules.compiled.rules),
            amazon_dns: filter.dns,
            description: format!("enigma fleet {} filter {}", spec.name, key.label),
            tags: tags(spec, &key.label),
        };
        plan.filters.insert(key, desired);
    }
}

/// One share for each place whose targets sessions of other accounts send to, for exactly those accounts.
pub(super) fn place_shares(spec: &FleetSpec, home: &Place, plan: &mut Expansion) {
    let place_of = |label: &Label| spec.targets.get(label).map(|target| target.place(home));
    let kept: Vec<(&MemberKey, Place)> = plan
        .kept
        .iter()
        .filter_map(|(key, session)| Some((key, session.target.as_ref().and_then(place_of)?)))
        .collect();
    let wanted = plan.sessions.iter().map(|(key, session)| (key, &session.target.place));
    let mut used: Vec<(&Place, &AccountId)> = wanted
        .chain(kept.iter().map(|(key, place)| (*key, place)))
        .filter(|(key, place)| key.place.account != place.account)
        .map(|(key, place)| (place, &key.place.account))
        .collect();
    // Sessions are in order of places, so most say what the one before said.
    used.dedup();
    let mut accounts: BTreeMap<Place, BTreeSet<AccountId>> = BTreeMap::new();
    for (place, account) in used {
        accounts.entry(place.clone()).or_default().insert(account.clone());
    }
    for (place, accounts) in accounts {
        let is_here = |target: &TargetSpec| target.is_shareable() && target.place(home) == place;
        let targets = spec.targets.iter().filter(|(_, target)| is_here(target));
        let share = DesiredShare {
            accounts,
            targets: targets.map(|(label, _)| label.clone()).collect(),
            allows_external: spec.safety.share_outside_organization,
            name: format!("enigma-fleet-{}", spec.name),
            tags: spec
                .tags
                .clone()
                .map(|person| ownership::tags(&spec.name, ownership::SHARE_KEY, "targets", &person)),
        };
        plan.shares.insert(place, share);
    }
}

fn tags(spec: &FleetSpec, label: &Label) -> Given<Tags> {
    spec.tags.clone().map(|person| ownership::tags(&spec.name, label.as_str(), label.as_str(), &person))
}
