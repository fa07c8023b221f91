//! Which target each source sends to.
//!
//! A source stays where it is while that target is one of its candidates and has room; only then are new ones placed, so a new
//! source never moves an old one. New ones go to their zone's targets first, then to the least loaded, then by label.

use std::collections::{BTreeMap, BTreeSet};

use crate::expand::{Expansion, Facts, Prior, PriorSession};
use crate::finding::{Finding, FindingKind, Sources};
use crate::ids::{Label, MemberKey, Place, VpcId};
use crate::problem::Path;
use crate::selection::{Member, SkipReason, Skipped};
use crate::spec::{FleetSpec, TargetSpec};
use crate::zones::{Zone, Zones};

/// The target of every member that gets one; the others are listed in `plan` with a finding.
pub(super) fn assign<'a>(
    spec: &'a FleetSpec,
    home: &Place,
    facts: &Facts,
    members: &BTreeMap<&'a MemberKey, &Member>,
    prior: &Prior,
    plan: &mut Expansion,
) -> BTreeMap<&'a MemberKey, &'a Label> {
    let mut assigned = BTreeMap::new();
    let mut within_reach: BTreeMap<(&Place, &VpcId), Vec<&'a Label>> = BTreeMap::new();
    for (key, member) in members {
        let sources = (&key.place, &member.vpc);
        within_reach.entry(sources).or_insert_with(|| taking(spec, home, sources.0, sources.1));
    }
    let candidates = |key: &MemberKey, member: &Member| -> Vec<&'a Label> {
        let is_candidate = |label: &&&Label| member.targets.is_empty() || member.targets.contains(label);
        let here = within_reach.get(&(&key.place, &member.vpc));
        here.into_iter().flatten().filter(is_candidate).copied().collect()
    };
    // AWS counts sources, whoever's session it is; one that a stranger sends there already costs no more room.
    let strange: BTreeMap<&Label, BTreeSet<&MemberKey>> =
        spec.targets.keys().map(|label| (label, facts.strange_sources(label, &plan.adopted))).collect();
    let mut load: BTreeMap<&Label, usize> =
        strange.iter().map(|(label, sources)| (*label, sources.len())).collect();
    let capacities: BTreeMap<&Label, Option<usize>> = spec
        .targets
        .iter()
        .map(|(label, target)| (label, target.capacity_on(facts.instance_type(label))))
        .collect();
    let is_there = |label: &Label, key: &MemberKey| strange[label].contains(key);
    let has_room = |label: &Label, key: &MemberKey, load: &BTreeMap<&Label, usize>| {
        let used = load.get(label).copied().unwrap_or_default();
        capacities[label].is_none_or(|capacity| used < capacity) || is_there(label, key)
    };
    // Sessions in places that could not be read stay, so their room is taken.
    let stays_unread = |(key, session): &(&MemberKey, &PriorSession)| {
        prior.unread.contains(&key.place) && session.state.is_live() && !members.contains_key(*key)
    };
    for (key, session) in prior.sessions.iter().filter(stays_unread) {
        if let Some((label, _)) = session.target.as_ref().and_then(|label| spec.targets.get_key_value(label))
        {
            *load.entry(label).or_default() += usize::from(!is_there(label, key));
        }
    }
    for (key, member) in members {
        let before = prior.sessions.get(*key).and_then(|session| session.target.as_ref());
        let stays = candidates(key, member).into_iter().find(|label| Some(*label) == before);
        if let Some(label) = stays.filter(|label| has_room(label, key, &load)) {
            *load.entry(label).or_default() += usize::from(!is_there(label, key));
            assigned.insert(*key, label);
        }
    }
    let mut full: BTreeMap<Vec<Label>, Vec<MemberKey>> = BTreeMap::new();
    for (key, member) in members {
        if assigned.contains_key(key) {
            continue;
        }
        let candidates = candidates(key, member);
        let best =
            candidates.iter().copied().filter(|label| has_room(label, key, &load)).min_by_key(|label| {
                let used = load.get(label).copied().unwrap_or_default();
                let zone = Zone { account: &key.place.account, name: &member.zone };
                (Reach::of(&spec.targets[*label], home, zone, &facts.zones), used, *label)
            });
        if let Some(label) = best {
            *load.entry(label).or_default() += usize::from(!is_there(label, key));
            assigned.insert(*key, label);
        } else if !candidates.is_empty() {
            full.entry(candidates.into_iter().cloned().collect()).or_default().push((*key).clone());
        }
    }
    let at = Path::root().attr("targets");
    for (targets, sources) in full {
        let names: Vec<&str> = targets.iter().map(Label::as_str).collect();
        let detail = format!("no room is left in {}", names.join(", "));
        for key in &sources {
            let skipped = Skipped { reason: SkipReason::TargetFull, detail: detail.clone() };
            plan.not_mirrored.insert(key.clone(), skipped);
        }
        let kind = FindingKind::TargetsFull { targets, sources: Sources::of(sources) };
        plan.findings.push(Finding::at(at.clone(), kind));
    }
    assigned
}

/// How near a target is to a zone; nearer ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    ThisZone,
    EveryZone,
    OtherZones,
}

impl Reach {
    /// Where nobody saw the ids of zones of two accounts, equal names are the best guess there is.
    fn of(target: &TargetSpec, home: &Place, zone: Zone<'_>, zones: &Zones) -> Self {
        if target.zones.is_empty() {
            return Self::EveryZone;
        }
        let account = target.place(home).account;
        let is_this = zones.is_among(zone, &account, &target.zones);
        if is_this.unwrap_or_else(|| target.zones.contains(zone.name)) {
            Self::ThisZone
        } else {
            Self::OtherZones
        }
    }
}

/// The targets that sources of a VPC of a place can send to, by label.
fn taking<'a>(spec: &'a FleetSpec, home: &Place, sources: &Place, vpc: &VpcId) -> Vec<&'a Label> {
    let takes = |target: &TargetSpec| target.takes(home, sources, vpc);
    spec.targets.iter().filter(|(_, target)| takes(target)).map(|(label, _)| label).collect()
}

/// A name that the fleet lacks is a mistake even where the rule names other targets too.
pub(super) fn report_unknown(
    spec: &FleetSpec,
    members: &BTreeMap<&MemberKey, &Member>,
    findings: &mut Vec<Finding>,
) {
    let mut unknown: BTreeMap<&Label, (BTreeSet<Label>, Vec<MemberKey>)> = BTreeMap::new();
    for (key, member) in members {
        for label in member.targets.iter().filter(|label| !spec.targets.contains_key(*label)) {
            let entry = unknown.entry(label).or_default();
            entry.0.insert(member.rule.clone());
            entry.1.push((*key).clone());
        }
    }
    findings.extend(unknown.into_iter().map(|(target, (rules, sources))| {
        let kind = FindingKind::UnknownTarget {
            target: target.clone(),
            known: spec.targets.keys().cloned().collect(),
            rules: rules.into_iter().collect(),
            sources: Sources::of(sources),
        };
        Finding::at(Path::root().attr("targets"), kind)
    }));
}
