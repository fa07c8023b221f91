//! What an observation adds to a plan beyond the members: who receives, how much room there is, what may be taken over.
//!
//! All of it is optional: without facts a plan assumes AWS's lower limits and takes over nothing. A caller who must give one
//! answer twice keeps the facts of the first time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::adopt::{self, Adoptable};
use crate::given::Given;
use crate::ids::{InstanceId, InterfaceId, Label, MemberKey, Place, SessionId, TargetId};
use crate::inventory::{Destination, Instance, Interface, PlaceInventory};
use crate::ownership::{Known, own_known};
use crate::spec::FleetSpec;
use crate::zones::Zones;

/// What was seen of a fleet's targets and of sessions near them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// By target label; targets of which nothing is known are absent.
    pub targets: BTreeMap<Label, TargetFacts>,
    /// Mirror targets in sight that send to a destination of the fleet, with its label: where a session already sends that only
    /// AWS remembers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<TargetId, Label>,
    /// Sessions that may be taken over, by source.
    pub adoptable: BTreeMap<MemberKey, Adoptable>,
    /// VNIs of strangers' sessions that cannot be taken over.
    pub stranger_vnis: BTreeSet<u32>,
    /// What accounts call their zones.
    #[serde(default, skip_serializing_if = "Zones::is_empty")]
    pub zones: Zones,
}

/// What was seen of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// The instance of an interface target.
    pub instance: Option<InstanceId>,
    /// Its type, which decides how many sources the interface takes.
    pub instance_type: Option<String>,
    /// Strangers' sessions that send to the same destination, by source: AWS counts those sources too.
    pub strangers: BTreeMap<MemberKey, BTreeSet<SessionId>>,
}

impl Facts {
    /// Gathers facts from what was seen. Places that were not read add nothing.
    #[must_use]
    pub fn of(spec: &FleetSpec, home: &Place, places: &BTreeMap<Place, PlaceInventory>) -> Self {
        Self::of_known(spec, home, places, &Known::default())
    }

    /// The same for a fleet whose state knows these: they are no strangers, whatever their tags say.
    #[must_use]
    pub fn of_known(
        spec: &FleetSpec,
        home: &Place,
        places: &BTreeMap<Place, PlaceInventory>,
        known: &Known,
    ) -> Self {
        let adoptable = adopt::adoptable(spec, home, places);
        let mut targets: BTreeMap<Label, TargetFacts> = BTreeMap::new();
        // Names of destinations are unique over all Regions.
        let mut by_destination: BTreeMap<&Destination, &Label> = BTreeMap::new();
        for (label, target) in &spec.targets {
            let Given::Known(destination) = &target.destination else { continue };
            let place = target.place(home);
            if let (Destination::Interface(id), Some(seen)) = (destination, places.get(&place)) {
                let facts = receiver(id, seen);
                targets.insert(label.clone(), facts);
            }
            by_destination.insert(destination, label);
        }
        let owned = own_known(&spec.name, places, known);
        let labels: BTreeMap<TargetId, Label> = owned
            .destinations
            .iter()
            .filter_map(|(id, sends_to)| Some((id.clone(), (*by_destination.get(sends_to)?).clone())))
            .collect();
        let mut stranger_vnis = BTreeSet::new();
        for (key, sessions) in &owned.strangers {
            for session in sessions {
                if adoptable.get(key).is_none_or(|one| one.session != session.id) {
                    stranger_vnis.extend(session.vni);
                }
                if let Some(label) = labels.get(&session.target) {
                    let facts = targets.entry(label.clone()).or_default();
                    facts.strangers.entry(key.clone()).or_default().insert(session.id.clone());
                }
            }
        }
        Self { targets, labels, adoptable, stranger_vnis, zones: Zones::of(places) }
    }

    /// The type of the instance that a target's interface is attached to.
    pub(super) fn instance_type(&self, target: &Label) -> Option<&str> {
        self.targets.get(target)?.instance_type.as_deref()
    }

    /// Sources that strangers send to a target, without sessions that are taken over.
    pub(crate) fn strange_sources<'a>(
        &'a self,
        target: &Label,
        adopted: &'a BTreeMap<MemberKey, Adoptable>,
    ) -> BTreeSet<&'a MemberKey> {
        let sources = self.targets.get(target).into_iter().flat_map(|facts| &facts.strangers);
        let is_left = |key: &MemberKey, id: &SessionId| adopted.get(key).is_none_or(|one| one.session != *id);
        sources
            .filter(|(key, sessions)| sessions.iter().any(|id| is_left(key, id)))
            .map(|(key, _)| key)
            .collect()
    }
}

fn receiver(id: &InterfaceId, seen: &PlaceInventory) -> TargetFacts {
    let attached = |interface: &Interface| interface.attachment.as_ref()?.instance.clone();
    let instance = seen.interfaces.iter().find(|one| one.id == *id).and_then(attached);
    let is_it = |one: &&Instance| Some(&one.id) == instance.as_ref();
    let instance_type = seen.instances.iter().find(is_it).map(|one| one.instance_type.clone());
    TargetFacts { instance, instance_type, strangers: BTreeMap::new() }
}
