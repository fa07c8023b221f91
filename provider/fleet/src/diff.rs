//! From what shall exist and what exists to a plan.
//!
//! Applied to a world that already is as wanted the plan is empty, so that an interrupted plan is finished by making
//! another. Only the fleet's own objects are touched; whose they are was decided by [`crate::ownership`]. Why
//! something shall exist is not known here.

mod objects;
mod room;
mod sessions;
mod shares;
mod tags;

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::{Action, Ref};
use crate::diff::room::Room;
use crate::expand::Expansion;
use crate::finding::{Finding, FindingKind};
use crate::given::Given;
use crate::ids::{FilterId, InterfaceId, MemberKey, ObjectKey, TargetId};
use crate::inventory::{MirrorFilter, MirrorTarget};
use crate::ownership::Owned;
use crate::plan::{HeldBack, Plan, Stage, Wave};
use crate::problem::Path;

/// What is known besides the wanted and the existing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Sources that were looked for and are not there: no session is tried on them.
    pub source_gone: BTreeSet<MemberKey>,
    /// Tag keys that the fleet set before: those no longer wanted are removed. All other tags that someone set stay.
    pub former_tags: BTreeSet<String>,
}

/// What must be done so that `desired` exists. With an error among the findings there is nothing to carry out.
pub fn diff(desired: &Expansion, owned: &Owned, around: &Circumstances) -> Plan {
    let with_adopted;
    let owned = if desired.adopted.is_empty() {
        owned
    } else {
        with_adopted = owned.with_adopted(&desired.adopted);
        &with_adopted
    };
    let labels = desired.labels();
    let relabelled;
    let owned = if owned.is_labelled(&labels) {
        owned
    } else {
        let mut copy = owned.clone();
        copy.relabel(&labels);
        relabelled = copy;
        &relabelled
    };
    let mut draft = Draft::default();
    draft.report_unknown(desired);
    if draft.findings.is_empty() {
        draft.targets(desired, owned, around);
    }
    if draft.findings.is_empty() {
        match Room::of(&draft, desired, owned) {
            Ok(room) => {
                draft.share_out(desired, owned, around, &room);
                draft.filters(desired, owned, around);
                draft.sessions(desired, owned, around, &room);
                draft.withdraw(desired, owned);
                draft.unused(desired, owned);
            }
            Err(finding) => draft = Draft { findings: vec![*finding], ..Draft::default() },
        }
    } else {
        draft.stages.clear();
    }
    let waves = draft.stages.into_iter().map(|((stage, _), actions)| Wave { stage, actions }).collect();
    Plan {
        fleet: desired.fleet.clone(),
        waves,
        source_gone: draft.source_gone,
        held_back: draft.held_back,
        findings: draft.findings,
    }
}

/// A plan in the making.
#[derive(Default)]
struct Draft<'a> {
    /// By stage and, within it, round.
    stages: BTreeMap<(Stage, usize), Vec<Action>>,
    source_gone: BTreeSet<MemberKey>,
    held_back: BTreeMap<MemberKey, HeldBack>,
    findings: Vec<Finding>,
    /// The existing target or filter that serves each wanted one.
    serving_targets: BTreeMap<&'a ObjectKey, &'a MirrorTarget>,
    serving_filters: BTreeMap<&'a ObjectKey, &'a MirrorFilter>,
    /// Interfaces that become targets: AWS refuses that while they are sources.
    new_receivers: BTreeSet<&'a InterfaceId>,
    /// What sessions that stay use once the plan is carried out.
    used_targets: BTreeSet<TargetId>,
    used_filters: BTreeSet<FilterId>,
}

impl<'a> Draft<'a> {
    fn push(&mut self, stage: Stage, action: Action) {
        self.push_in(stage, 0, action);
    }

    fn push_in(&mut self, stage: Stage, round: usize, action: Action) {
        self.stages.entry((stage, round)).or_default().push(action);
    }

    fn target_ref(&self, key: &ObjectKey) -> Ref<TargetId> {
        let serving = self.serving_targets.get(key);
        serving.map_or_else(|| Ref::Planned(key.clone()), |target| Ref::Existing(target.id.clone()))
    }

    fn filter_ref(&self, key: &ObjectKey) -> Ref<FilterId> {
        let serving = self.serving_filters.get(key);
        serving.map_or_else(|| Ref::Planned(key.clone()), |filter| Ref::Existing(filter.id.clone()))
    }

    fn report_unknown(&mut self, desired: &'a Expansion) {
        let mut unknown = |object: String, what: &'static str| {
            let kind = FindingKind::ValueUnknown { object, what };
            self.findings.push(Finding::at(Path::root(), kind));
        };
        for (key, target) in &desired.targets {
            if target.destination.known().is_none() {
                unknown(format!("target {key}"), "destination");
            }
            if target.tags.known().is_none() {
                unknown(format!("target {key}"), "tags");
            }
        }
        for (key, filter) in &desired.filters {
            if filter.rules.known().is_none() || filter.amazon_dns == Given::Unknown {
                unknown(format!("filter {key}"), "rules");
            }
            if filter.tags.known().is_none() {
                unknown(format!("filter {key}"), "tags");
            }
        }
        for (place, share) in &desired.shares {
            if share.tags.known().is_none() {
                unknown(format!("resource share of {place}"), "tags");
            }
        }
    }
}
