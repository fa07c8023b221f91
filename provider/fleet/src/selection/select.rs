//! A selection applied to an observation.

use std::collections::BTreeMap;

use crate::finding::{Finding, FindingKind, Sources};
use crate::ids::{Label, MemberKey, Place};
use crate::inventory::{Instance, Interface, Inventory};
use crate::ownership::FLEET_TAG;
use crate::problem::Path;
use crate::selection::guard::Surroundings;
use crate::selection::{HeldSession, Member, Outcome, Rule, SelectionSpec, Selector, SkipReason, Skipped};
use crate::summary;

/// Who is mirrored, who is not and why.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Interfaces to mirror.
    pub members: BTreeMap<MemberKey, Member>,
    /// Interfaces that a rule matched and that are not mirrored.
    pub skipped: BTreeMap<MemberKey, Skipped>,
    /// Interfaces that were seen.
    pub seen: usize,
    /// Interfaces that no rule matched.
    pub unmatched: usize,
    /// Places that could not be read, with the reason.
    pub unread: BTreeMap<Place, String>,
    /// Errors first.
    pub findings: Vec<Finding>,
    /// One sentence.
    pub summary: String,
}

impl Selection {
    /// Interfaces that some rule matched.
    #[must_use]
    pub fn matched(&self) -> usize {
        self.members.len() + self.skipped.len()
    }
}

/// Applies the rules to every interface that was seen. The order of the observation does not matter.
pub fn select(spec: &SelectionSpec, inventory: &Inventory) -> Selection {
    let mut rules: Vec<(&Label, &Rule)> = spec.rules.iter().collect();
    // By name among equals, so that a winner does not depend on the order of anything.
    rules.sort_by_key(|(label, rule)| (rule.priority, *label));
    let mut selection = Selection { unread: inventory.unread.clone(), ..Selection::default() };
    let mut decided: BTreeMap<&Label, usize> = BTreeMap::new();
    let mut overlaps: BTreeMap<(&Label, &Label), Vec<MemberKey>> = BTreeMap::new();
    for (place, seen) in &inventory.places {
        let around = Surroundings::of(seen);
        for interface in &seen.interfaces {
            // Its owner's own place decides about it where that is read: one interface is one member.
            if interface.owner != place.account {
                let owner = Place { account: interface.owner.clone(), region: place.region.clone() };
                if inventory.places.contains_key(&owner) || inventory.unread.contains_key(&owner) {
                    continue;
                }
            }
            selection.seen += 1;
            let instance = around.instance(interface);
            let mut matching = rules.iter().filter(|(_, rule)| rule.matches(interface, instance));
            let Some((label, rule)) = matching.next() else {
                selection.unmatched += 1;
                continue;
            };
            *decided.entry(label).or_default() += 1;
            let key = MemberKey { place: place.clone(), interface: interface.id.clone() };
            if let Some((other, _)) = matching
                .take_while(|(_, other)| other.priority == rule.priority)
                .find(|(_, other)| other.outcome != rule.outcome)
            {
                overlaps.entry((label, other)).or_default().push(key.clone());
            }
            match judge(spec, &around, interface, instance, label, rule) {
                Ok(member) => {
                    selection.members.insert(key, member);
                }
                Err(skipped) => {
                    selection.skipped.insert(key, skipped);
                }
            }
        }
    }
    let at = Path::root().attr("rules");
    selection.findings = find(&rules, &decided, overlaps, &at);
    selection.findings.extend(selection.unread.iter().map(|(place, why)| {
        Finding::at(Path::root(), FindingKind::PlaceUnread { place: place.clone(), why: why.clone() })
    }));
    selection.findings.sort_by_key(Finding::severity);
    selection.summary = summary::of_selection(&selection);
    selection
}

fn find(
    rules: &[(&Label, &Rule)],
    decided: &BTreeMap<&Label, usize>,
    overlaps: BTreeMap<(&Label, &Label), Vec<MemberKey>>,
    at: &Path,
) -> Vec<Finding> {
    let overlaps = overlaps.into_iter().map(|((winner, other), sources)| {
        Finding::at(
            at.key(other.as_str()).attr("priority"),
            FindingKind::OverlappingRules {
                rules: (winner.clone(), other.clone()),
                priority: rules
                    .iter()
                    .find(|(label, _)| *label == winner)
                    .map_or(0, |(_, rule)| rule.priority),
                sources: Sources::of(sources),
            },
        )
    });
    let idle = rules.iter().filter(|(label, _)| !decided.contains_key(label)).map(|(label, _)| {
        Finding::at(at.key(label.as_str()), FindingKind::RuleDecidesNothing { rule: (*label).clone() })
    });
    // One that decides about nothing is told above, and does no harm yet.
    let is_open =
        |rule: &Rule| matches!(rule.outcome, Outcome::Mirror { .. }) && rule.selector == Selector::default();
    let open = rules.iter().filter(|(label, rule)| decided.contains_key(label) && is_open(rule));
    let open = open.map(|(label, rule)| {
        let kind =
            FindingKind::RuleWithoutCondition { rule: (*label).clone(), excludes: rule.exclude.is_some() };
        Finding::at(at.key(label.as_str()), kind)
    });
    overlaps.chain(idle).chain(open).collect()
}

fn judge(
    spec: &SelectionSpec,
    around: &Surroundings<'_>,
    interface: &Interface,
    instance: Option<&Instance>,
    label: &Label,
    rule: &Rule,
) -> Result<Member, Skipped> {
    let Outcome::Mirror { targets, filter, number, packet_length } = &rule.outcome else {
        return Err(Skipped {
            reason: SkipReason::Excluded,
            detail: format!("rule {label} says mirror = false"),
        });
    };
    if let Some(skipped) = around.reason_against(interface, &spec.eligibility) {
        return Err(skipped);
    }
    let name = instance
        .and_then(|instance| instance.tags.get("Name"))
        .or_else(|| interface.tags.get("Name"))
        .filter(|name| !name.is_empty());
    let held = around.sessions(&interface.id).iter().map(|session| HeldSession {
        session: session.id.clone(),
        fleet: session.tags.get(FLEET_TAG).cloned(),
        target: Some(session.target.clone()),
        number: session.number,
        vni: session.vni,
    });
    Ok(Member {
        instance: interface.attachment.as_ref().and_then(|attachment| attachment.instance.clone()),
        instance_type: instance.map(|instance| instance.instance_type.clone()),
        name: name.cloned(),
        vpc: interface.vpc.clone(),
        subnet: interface.subnet.clone(),
        zone: interface.zone.clone(),
        rule: label.clone(),
        targets: targets.clone(),
        filter: filter.clone(),
        number: *number,
        packet_length: *packet_length,
        held: held.collect(),
    })
}
