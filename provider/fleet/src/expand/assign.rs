//! Which target each source sends to.
//!
//! A source stays where it is while that target is one of its candidates and has room; only then are new ones placed, so a new
//! source never moves an old one. New ones go to their zone's targets first, then to the least loaded, then by label.

use std::collections::{BTreeMap, BTreeSet};

use crate::expand::{Expansion, Prior};
use crate::finding::{Finding, FindingKind, Sources};
use crate::ids::{Label, MemberKey, ZoneName};
use crate::problem::Path;
use crate::selection::{Member, SkipReason, Skipped};
use crate::spec::{FleetSpec, TargetSpec};

/// The target of every member that gets one; the others are listed in `plan` with a finding.
pub(super) fn assign<'a>(
    spec: &'a FleetSpec,
    members: &BTreeMap<&MemberKey, &Member>,
    prior: &Prior,
    plan: &mut Expansion,
) -> BTreeMap<MemberKey, &'a Label> {
    let mut load: BTreeMap<&Label, usize> = BTreeMap::new();
    let mut assigned = BTreeMap::new();
    let candidates = |member: &Member| -> Vec<&'a Label> {
        let is_candidate = |label: &&Label| member.targets.is_empty() || member.targets.contains(label);
        spec.targets.keys().filter(is_candidate).collect()
    };
    let has_room = |label: &Label, load: &BTreeMap<&Label, usize>| {
        let used = load.get(label).copied().unwrap_or_default();
        spec.targets[label].capacity().is_none_or(|capacity| used < capacity)
    };
    for (key, member) in members {
        let before = prior.sessions.get(*key).and_then(|session| session.target.as_ref());
        let stays = candidates(member).into_iter().find(|label| Some(*label) == before);
        if let Some(label) = stays.filter(|label| has_room(label, &load)) {
            *load.entry(label).or_default() += 1;
            assigned.insert((*key).clone(), label);
        }
    }
    let mut full: BTreeMap<Vec<Label>, Vec<MemberKey>> = BTreeMap::new();
    let mut crossing: BTreeMap<&Label, Vec<MemberKey>> = BTreeMap::new();
    for (key, member) in members {
        if assigned.contains_key(*key) {
            continue;
        }
        let candidates = candidates(member);
        let best = candidates.iter().copied().filter(|label| has_room(label, &load)).min_by_key(|label| {
            let used = load.get(label).copied().unwrap_or_default();
            (Reach::of(&spec.targets[*label], &member.zone), used, *label)
        });
        if let Some(label) = best {
            *load.entry(label).or_default() += 1;
            if Reach::of(&spec.targets[label], &member.zone) == Reach::OtherZones {
                crossing.entry(label).or_default().push((*key).clone());
            }
            assigned.insert((*key).clone(), label);
        } else if !candidates.is_empty() {
            full.entry(candidates.into_iter().cloned().collect()).or_default().push((*key).clone());
        }
    }
    let at = Path::root().attr("targets");
    for (target, sources) in crossing {
        let kind = FindingKind::CrossesZones { target: target.clone(), sources: Sources::of(sources) };
        plan.findings.push(Finding::at(at.key(target.as_str()).attr("availability_zones"), kind));
    }
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
    fn of(target: &TargetSpec, zone: &ZoneName) -> Self {
        if target.zones.contains(zone) {
            Self::ThisZone
        } else if target.zones.is_empty() {
            Self::EveryZone
        } else {
            Self::OtherZones
        }
    }
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
