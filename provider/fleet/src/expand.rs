//! The plan of a fleet: which sessions, targets and filters there shall be.
//!
//! [`expand`] is a pure function of the specification, the members a person reviewed and what the fleet had before, because
//! Terraform asks twice and demands one answer. What exists stays as it is wherever it still fits; whatever is new is derived
//! from names alone, so that the order of input never matters. What must be done in AWS is found later by [`crate::diff`].

mod assign;
mod number;
mod objects;
mod prior;
mod review;
mod vni;

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, FindingKind, Sources};
use crate::given::Given;
use crate::ids::{
    FleetName, InstanceId, Label, MemberKey, ObjectKey, PacketLength, Place, SessionNumber, Vni,
};
use crate::inventory::{Destination, FilterRule, Tags};
use crate::problem::Path;
use crate::selection::{Member, SkipReason, Skipped};
use crate::spec::{FleetSpec, OnIneligible};
use crate::summary::{self, Changes};

pub use prior::{Prior, PriorSession, PriorState};

/// One session that shall exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSession {
    /// Its target.
    pub target: ObjectKey,
    /// Its filter, in the source's place.
    pub filter: ObjectKey,
    /// Its number.
    pub number: SessionNumber,
    /// Its VNI.
    pub vni: Vni,
    /// Truncation; `None` is AWS's default.
    pub packet_length: Option<PacketLength>,
    /// The rule that chose it.
    pub rule: Label,
    /// Its instance.
    pub instance: Option<InstanceId>,
    /// Shown in consoles.
    pub description: String,
    /// All tags; `Unknown` until a person's are known.
    pub tags: Given<Tags>,
}

/// One target that shall exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredTarget {
    /// Where it sends; `Unknown` until that is made.
    pub destination: Given<Destination>,
    /// Most sources it takes; `None` is any number.
    pub capacity: Option<usize>,
    /// Immutable in AWS, so it says only what never changes.
    pub description: String,
    /// All tags.
    pub tags: Given<Tags>,
}

/// One filter that shall exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredFilter {
    /// AWS's rules, sorted by direction and number.
    pub rules: Given<Vec<FilterRule>>,
    /// Whether DNS to Amazon's resolver is mirrored.
    pub amazon_dns: Given<bool>,
    /// Immutable in AWS, so it says only what never changes.
    pub description: String,
    /// All tags.
    pub tags: Given<Tags>,
}

/// Everything that shall exist of a fleet, and what a reviewer must know.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The fleet.
    pub fleet: FleetName,
    /// Sessions by source.
    pub sessions: BTreeMap<MemberKey, DesiredSession>,
    /// Every target of the specification, in the fleet's home.
    pub targets: BTreeMap<ObjectKey, DesiredTarget>,
    /// Filters that sessions use, once in every place of theirs.
    pub filters: BTreeMap<ObjectKey, DesiredFilter>,
    /// Members that get no session.
    pub not_mirrored: BTreeMap<MemberKey, Skipped>,
    /// Sessions in places that could not be read: they stay exactly as they are.
    pub kept: BTreeMap<MemberKey, PriorSession>,
    /// Live sessions that leave the fleet.
    pub removed: BTreeSet<MemberKey>,
    /// How the sessions differ from before.
    pub changes: Changes,
    /// Errors first. With an error nothing may be carried out.
    pub findings: Vec<Finding>,
    /// One sentence that does not change while nothing changes, fit for state.
    pub summary: String,
    /// The same with what this plan adds, removes and changes, for a reviewer.
    pub headline: String,
}

impl Expansion {
    /// Nothing shall exist: the plan of a destroy.
    pub fn nothing(fleet: FleetName) -> Self {
        Self {
            fleet,
            sessions: BTreeMap::new(),
            targets: BTreeMap::new(),
            filters: BTreeMap::new(),
            not_mirrored: BTreeMap::new(),
            kept: BTreeMap::new(),
            removed: BTreeSet::new(),
            changes: Changes::default(),
            findings: Vec::new(),
            summary: String::new(),
            headline: String::new(),
        }
    }

    /// Whether some finding forbids going on.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}

/// Plans a fleet whose targets live in `home`.
pub fn expand(
    spec: &FleetSpec,
    home: &Place,
    members: &BTreeMap<MemberKey, Member>,
    prior: &Prior,
) -> Expansion {
    let mut plan = Expansion::nothing(spec.name.clone());
    let known = prior.with_observed(&spec.name, members);
    let mut eligible = BTreeMap::new();
    for (key, member) in members {
        match reason_against(spec, home, key, member) {
            Some(skipped) => {
                plan.not_mirrored.insert(key.clone(), skipped);
            }
            None => {
                eligible.insert(key, member);
            }
        }
    }
    assign::report_unknown(spec, &eligible, &mut plan.findings);
    let filters = objects::choose_filters(spec, &eligible, &mut plan.findings);
    eligible.retain(|key, _| filters.contains_key(key));
    let targets = assign::assign(spec, &eligible, &known, &mut plan);
    eligible.retain(|key, _| targets.contains_key(key));
    let numbers = number::allocate(spec, &eligible, &known, &mut plan.findings);
    eligible.retain(|key, _| numbers.contains_key(key));
    let vnis = vni::allocate(spec, &eligible, &known, &mut plan);
    for (key, member) in eligible {
        let (Some(target), Some(filter), Some(number), Some(vni)) =
            (targets.get(key), filters.get(key), numbers.get(key), vnis.get(key))
        else {
            continue;
        };
        let session = DesiredSession {
            target: ObjectKey { place: home.clone(), label: (*target).clone() },
            filter: ObjectKey { place: key.place.clone(), label: (*filter).clone() },
            number: *number,
            vni: *vni,
            packet_length: member.packet_length.or(spec.session.packet_length),
            rule: member.rule.clone(),
            instance: member.instance.clone(),
            description: format!("enigma fleet {}", spec.name),
            tags: objects::session_tags(spec, key, member),
        };
        plan.sessions.insert(key.clone(), session);
    }
    for (key, session) in &prior.sessions {
        let is_kept = prior.unread.contains(&key.place) && session.state.is_live();
        if is_kept && !members.contains_key(key) {
            plan.kept.insert(key.clone(), session.clone());
        }
    }
    objects::place_targets(spec, home, &mut plan);
    objects::place_filters(spec, &mut plan);
    review::review(spec, members, prior, &mut plan);
    if spec.safety.on_ineligible == OnIneligible::Fail && !plan.not_mirrored.is_empty() {
        let sources = Sources::of(plan.not_mirrored.keys().cloned());
        let at = Path::root().attr("safety").attr("on_ineligible");
        plan.findings.push(Finding::at(at, FindingKind::Ineligible { sources }));
    }
    plan.findings.sort_by_key(Finding::severity);
    (plan.summary, plan.headline) = summary::of_expansion(&plan, members.len());
    plan
}

/// Sessions on a member that are not this fleet's.
fn strangers<'a>(
    fleet: &'a FleetName,
    member: &'a Member,
) -> impl Iterator<Item = &'a crate::selection::HeldSession> {
    member.held.iter().filter(|held| held.fleet.as_deref() != Some(fleet.as_str()))
}

/// What the selection could not know: it knows neither the fleet's name nor its targets.
fn reason_against(spec: &FleetSpec, home: &Place, key: &MemberKey, member: &Member) -> Option<Skipped> {
    if key.place.region != home.region {
        let detail =
            format!("the fleet's targets are in {}, and AWS mirrors within a Region only", home.region);
        return Some(Skipped { reason: SkipReason::NoTarget, detail });
    }
    let is_target = |target: &&Label| {
        spec.targets[*target].destination == Given::Known(Destination::Interface(key.interface.clone()))
    };
    if let Some(target) = spec.targets.keys().find(is_target) {
        let detail = format!("it is the destination of the fleet's target {target}");
        return Some(Skipped { reason: SkipReason::IsTarget, detail });
    }
    let held: Vec<&str> = strangers(&spec.name, member).map(|held| held.session.as_str()).collect();
    (held.len() >= crate::quota::SESSIONS_PER_SOURCE).then(|| Skipped {
        reason: SkipReason::NoSessionSlot,
        detail: format!("sessions {} of others hold all slots of the interface", held.join(", ")),
    })
}

#[cfg(test)]
mod tests;
