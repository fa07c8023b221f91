//! What a reviewer must know of an expansion: guards, quotas, starvation, half-blind filters.

use std::collections::{BTreeMap, BTreeSet};

use crate::expand::{Expansion, Prior, strangers};
use crate::filter::IpVersion;
use crate::finding::{Finding, FindingKind, Sources};
use crate::given::Given;
use crate::ids::{AccountId, InterfaceId, Label, MemberKey, Place};
use crate::inventory::{Direction, FilterRule, RuleAction};
use crate::problem::Path;
use crate::quota;
use crate::selection::Member;
use crate::spec::{DestinationKind, FleetSpec};
use crate::summary::Changes;

/// What there was before a plan.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    /// What the state says.
    pub(super) remembered: &'a Prior,
    /// That, and sessions that only AWS remembers; of those their filter and truncation are not known.
    pub(super) known: &'a Prior,
}

/// Adds findings, removed sessions and counts of changes.
pub(super) fn review(
    spec: &FleetSpec,
    members: &BTreeMap<MemberKey, Member>,
    before: &Before<'_>,
    plan: &mut Expansion,
) {
    count_changes(before, plan);
    let handed_over = tell_handed_over(plan);
    guard_removals(spec, members, before.known, &handed_over, plan);
    tell_kept(plan);
    count_quotas(plan);
    look_at_numbers(spec, members, plan);
    look_at_lengths(spec, plan);
    look_at_filters(spec, plan);
}

fn count_changes(before: &Before<'_>, plan: &mut Expansion) {
    let mut changes = Changes::default();
    let prior = before.known;
    for (key, desired) in &plan.sessions {
        let is_remembered = before.remembered.sessions.contains_key(key);
        match prior.sessions.get(key).filter(|session| session.state.is_live()) {
            None => changes.added += 1,
            Some(before) => {
                let is_same = before.target.as_ref() == Some(&desired.target.label)
                    && before.number == desired.number
                    && before.vni == Some(desired.vni)
                    && (!is_remembered
                        || (before.filter.as_ref() == Some(&desired.filter.label)
                            && before.packet_length == desired.packet_length));
                changes.changed += usize::from(!is_same);
            }
        }
    }
    plan.removed = prior
        .sessions
        .iter()
        .filter(|(key, session)| {
            session.state.is_live() && !plan.sessions.contains_key(*key) && !plan.kept.contains_key(*key)
        })
        .map(|(key, _)| key.clone())
        .collect();
    // Remembered ones that are gone already leave the state too: a reviewer sees their keys go, although nothing is done.
    let leaves = |key: &&MemberKey| !plan.sessions.contains_key(*key) && !plan.kept.contains_key(*key);
    changes.removed = prior.sessions.keys().filter(leaves).count();
    plan.changes = changes;
}

/// Interfaces that the fleet goes on to mirror from another account. They are removals in AWS and none for people.
fn tell_handed_over(plan: &mut Expansion) -> BTreeSet<MemberKey> {
    let leaving: BTreeMap<&InterfaceId, &MemberKey> =
        plan.removed.iter().map(|key| (&key.interface, key)).collect();
    let mut passing: BTreeMap<(&AccountId, &AccountId), Vec<(&MemberKey, MemberKey)>> = BTreeMap::new();
    for key in plan.sessions.keys() {
        if let Some(before) = leaving.get(&key.interface) {
            let accounts = (&before.place.account, &key.place.account);
            passing.entry(accounts).or_default().push((before, key.clone()));
        }
    }
    let mut handed_over = BTreeSet::new();
    let mut found = Vec::new();
    for ((from, to), keys) in passing {
        handed_over.extend(keys.iter().map(|(before, _)| (*before).clone()));
        let sources = Sources::of(keys.into_iter().map(|(_, key)| key));
        let kind = FindingKind::HandedOver { from: from.clone(), to: to.clone(), sources };
        found.push(Finding::at(Path::root().attr("members"), kind));
    }
    plan.findings.extend(found);
    handed_over
}

fn guard_removals(
    spec: &FleetSpec,
    members: &BTreeMap<MemberKey, Member>,
    prior: &Prior,
    handed_over: &BTreeSet<MemberKey>,
    plan: &mut Expansion,
) {
    let live = prior.sessions.values().filter(|session| session.state.is_live()).count();
    let removed = plan.removed.len() - handed_over.len();
    let setting = spec.safety.max_removals;
    let limit = setting.limit(live);
    let at = Path::root();
    if removed > limit {
        let sources = Sources::of(plan.removed.difference(handed_over).cloned());
        let kind = FindingKind::TooManyRemovals { removed, live, limit, setting, sources };
        plan.findings.push(Finding::at(at.attr("safety").attr("max_removals"), kind));
        return;
    }
    let accounts = emptied_accounts(spec, prior, handed_over, plan);
    if !accounts.is_empty() {
        let is_one = |key: &&MemberKey| accounts.iter().any(|(account, _, _)| *account == key.place.account);
        let sources = Sources::of(plan.removed.difference(handed_over).filter(is_one).cloned());
        let kind = FindingKind::TooManyRemovalsInAccounts { accounts, setting, sources };
        plan.findings.push(Finding::at(at.attr("safety").attr("max_removals"), kind));
    } else if members.is_empty() && removed > 0 && plan.kept.is_empty() {
        plan.findings.push(Finding::at(at.attr("members"), FindingKind::FleetEmptied { removed }));
    }
}

/// Accounts that lose more than the limit allows of their own sessions, with removed and live ones.
fn emptied_accounts(
    spec: &FleetSpec,
    prior: &Prior,
    handed_over: &BTreeSet<MemberKey>,
    plan: &Expansion,
) -> Vec<(AccountId, usize, usize)> {
    let mut counts: BTreeMap<&AccountId, (usize, usize)> = BTreeMap::new();
    for (key, session) in &prior.sessions {
        if session.state.is_live() {
            let count = counts.entry(&key.place.account).or_default();
            count.0 += usize::from(plan.removed.contains(key) && !handed_over.contains(key));
            count.1 += 1;
        }
    }
    let is_over = |(removed, live): &(usize, usize)| *removed > spec.safety.max_removals.limit(*live);
    counts
        .into_iter()
        .filter(|(_, count)| is_over(count))
        .map(|(account, (removed, live))| (account.clone(), removed, live))
        .collect()
}

/// A person who sees fewer changes than expected must know why.
fn tell_kept(plan: &mut Expansion) {
    if plan.kept.is_empty() {
        return;
    }
    let places: BTreeSet<Place> = plan.kept.keys().map(|key| key.place.clone()).collect();
    let (places, sources) = (places.into_iter().collect(), Sources::of(plan.kept.keys().cloned()));
    plan.findings
        .push(Finding::at(Path::root().attr("members"), FindingKind::SessionsKept { places, sources }));
}

fn count_quotas(plan: &mut Expansion) {
    let mut exceeded = |what, attribute, places: Vec<Place>, limit| {
        let mut counts: BTreeMap<Place, usize> = BTreeMap::new();
        for place in places {
            *counts.entry(place).or_default() += 1;
        }
        for (place, wanted) in counts.into_iter().filter(|(_, wanted)| *wanted > limit) {
            let kind = FindingKind::QuotaExceeded { what, place, wanted, limit };
            plan.findings.push(Finding::at(Path::root().attr(attribute), kind));
        }
    };
    let sessions = plan.sessions.keys().chain(plan.kept.keys()).map(|key| key.place.clone()).collect();
    let targets = plan.targets.keys().map(|key| key.place.clone()).collect();
    let filters = plan.filters.keys().map(|key| key.place.clone()).collect();
    exceeded("sessions", "members", sessions, quota::SESSIONS_PER_PLACE);
    exceeded("targets", "targets", targets, quota::TARGETS_PER_PLACE);
    exceeded("filters", "filters", filters, quota::FILTERS_PER_PLACE);
}

fn look_at_numbers(spec: &FleetSpec, members: &BTreeMap<MemberKey, Member>, plan: &mut Expansion) {
    let mut starved = Vec::new();
    let mut starves = Vec::new();
    for (key, session) in &plan.sessions {
        let Some(member) = members.get(key) else { continue };
        if strangers(&spec.name, member).any(|held| held.number < session.number) {
            starved.push(key.clone());
        }
        if strangers(&spec.name, member).any(|held| held.number > session.number) {
            starves.push(key.clone());
        }
    }
    let at = Path::root().attr("session").attr("number");
    if !starved.is_empty() {
        let kind = FindingKind::StarvedByOthers { sources: Sources::of(starved) };
        plan.findings.push(Finding::at(at.clone(), kind));
    }
    if !starves.is_empty() {
        plan.findings.push(Finding::at(at, FindingKind::StarvesOthers { sources: Sources::of(starves) }));
    }
}

fn look_at_lengths(spec: &FleetSpec, plan: &mut Expansion) {
    let mut over: BTreeMap<&Label, Vec<MemberKey>> = BTreeMap::new();
    let mut under: BTreeMap<&Label, Vec<MemberKey>> = BTreeMap::new();
    for (key, session) in &plan.sessions {
        let Some(length) = session.packet_length else { continue };
        let target = spec.targets.get(&session.target.label);
        let is_nlb = target.is_some_and(|target| target.kind == Some(DestinationKind::NetworkLoadBalancer));
        if is_nlb && length.get() > quota::NLB_PACKET_LENGTH {
            over.entry(&session.target.label).or_default().push(key.clone());
        }
        let filter = spec.filters.get(&session.filter.label);
        if length.get() < quota::IPV6_PACKET_LENGTH
            && filter.is_some_and(|filter| filter.versions.contains(&IpVersion::Ipv6))
        {
            under.entry(&session.filter.label).or_default().push(key.clone());
        }
    }
    let at = Path::root().attr("session").attr("packet_length");
    let over = over.into_iter().map(|(target, sources)| FindingKind::PacketLengthOverNlb {
        target: target.clone(),
        sources: Sources::of(sources),
    });
    let under = under.into_iter().map(|(filter, sources)| FindingKind::PacketLengthUnderIpv6 {
        filter: filter.clone(),
        sources: Sources::of(sources),
    });
    let found: Vec<Finding> = over.chain(under).map(|kind| Finding::at(at.clone(), kind)).collect();
    plan.findings.extend(found);
}

/// Only filters in use: one that nobody uses loses nothing.
fn look_at_filters(spec: &FleetSpec, plan: &mut Expansion) {
    let used: BTreeSet<&Label> = plan.filters.keys().map(|key| &key.label).collect();
    let mut found = Vec::new();
    for label in used {
        let Some(Given::Known(rules)) = spec.filters.get(label).map(|filter| &filter.rules) else { continue };
        let accepts: Vec<&FilterRule> =
            rules.compiled.rules.iter().filter(|rule| rule.action == RuleAction::Accept).collect();
        let Some(first) = accepts.first() else { continue };
        let at = Path::root().attr("filters").key(label.as_str());
        if accepts.iter().all(|rule| rule.direction == first.direction) {
            let direction: Direction = first.direction;
            let kind = FindingKind::FilterOneDirection { filter: label.clone(), direction };
            found.push(Finding::at(at.attr("rules"), kind));
        }
        let version = IpVersion::of(&first.source);
        if accepts.iter().all(|rule| IpVersion::of(&rule.source) == version) {
            let kind = FindingKind::FilterOneVersion { filter: label.clone(), version };
            found.push(Finding::at(at, kind));
        }
    }
    plan.findings.extend(found);
}
