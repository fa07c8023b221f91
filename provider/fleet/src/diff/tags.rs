//! Tags of what stays.

use crate::actions::{Action, Resource};
use crate::diff::{Circumstances, Draft};
use crate::ids::Place;
use crate::inventory::Tags;
use crate::ownership::FLEET_TAG;
use crate::plan::Stage;

impl Draft<'_> {
    /// Sets what differs and removes what the fleet once set; tags that others set stay. What carries no fleet's tag
    /// gets it before anything else is done to it, since policies tell by that tag what may be done.
    pub(super) fn retag(
        &mut self,
        place: &Place,
        resource: Resource,
        current: &Tags,
        wanted: &Tags,
        around: &Circumstances,
    ) {
        let stage = if current.contains_key(FLEET_TAG) { Stage::Tags } else { Stage::Adoptions };
        self.retag_in(stage, place, resource, current, wanted, around);
    }

    /// The same at another point of the plan.
    pub(super) fn retag_in(
        &mut self,
        stage: Stage,
        place: &Place,
        resource: Resource,
        current: &Tags,
        wanted: &Tags,
        around: &Circumstances,
    ) {
        let (set, remove) = changes(current, wanted, around);
        if !set.is_empty() || !remove.is_empty() {
            self.push(stage, Action::Retag { place: place.clone(), resource, set, remove });
        }
    }
}

/// What to set and which keys to remove.
pub(super) fn changes(current: &Tags, wanted: &Tags, around: &Circumstances) -> (Tags, Vec<String>) {
    let set = wanted
        .iter()
        .filter(|(key, value)| current.get(*key) != Some(*value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let is_left = |key: &&String| around.former_tags.contains(*key) && !wanted.contains_key(*key);
    (set, current.keys().filter(is_left).cloned().collect())
}
