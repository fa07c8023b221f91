//! Whose object is whose, read from tags.
//!
//! State can be lost and another writer can run beside Terraform, so an object belongs to a fleet if its tag
//! `enigma:fleet` says so. One from which somebody removed that tag is still the fleet's where its state knows it by
//! id ([`Known`]), and is tagged again. Everything else is a stranger's and is never changed. How tags are read is
//! not known here.

use std::collections::{BTreeMap, BTreeSet};

use crate::adopt::Adoptable;
use crate::ids::{FilterId, FleetName, Label, MemberKey, ObjectKey, Place, SessionId, TargetId};
use crate::inventory::{
    Destination, MirrorFilter, MirrorSession, MirrorTarget, PlaceInventory, ResourceShare, Tags,
};
use crate::spec::FleetSpec;

/// The fleet an object belongs to.
pub const FLEET_TAG: &str = "enigma:fleet";
/// Which object of the fleet it is: a label for targets and filters, `account/region/eni` for sessions.
pub const KEY_TAG: &str = "enigma:key";
/// The key tag of the fleet's resource shares; a place has one at most.
pub const SHARE_KEY: &str = "share";
/// The selection rule that chose a session's source.
pub const RULE_TAG: &str = "enigma:rule";
/// Marks instances that receive mirrored traffic; with any value, since an empty one is set as easily.
pub const COLLECTOR_TAG: &str = "enigma:collector";
/// Shown in consoles.
pub const NAME_TAG: &str = "Name";
/// Tag keys that begin so are ours and refused in a person's tags.
pub const OUR_PREFIX: &str = "enigma:";
/// Tag keys that begin so are AWS's; nobody else can set them.
pub const AWS_PREFIX: &str = "aws:";

/// What a state knows to be the fleet's by its id. It claims what carries no fleet's tag, and nothing that carries another's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Targets, with the keys they had.
    pub targets: BTreeMap<TargetId, ObjectKey>,
    /// Filters, likewise.
    pub filters: BTreeMap<FilterId, ObjectKey>,
    /// Sessions; their key is their source.
    pub sessions: BTreeSet<SessionId>,
}

/// What exists of a fleet, and what of others is near it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// Targets of the fleet by key, each list sorted by id. More than one is a replacement under way, or a duplicate.
    pub targets: BTreeMap<ObjectKey, Vec<MirrorTarget>>,
    /// Filters of the fleet by key, each list sorted by id.
    pub filters: BTreeMap<ObjectKey, Vec<MirrorFilter>>,
    /// Sessions of the fleet by source, each list sorted by id.
    pub sessions: BTreeMap<MemberKey, Vec<MirrorSession>>,
    /// Resource shares of the fleet by place, each list sorted by ARN. More than one is a duplicate.
    pub shares: BTreeMap<Place, Vec<ResourceShare>>,
    /// Targets of other accounts that each place sees; places that were not read are absent.
    pub visible: BTreeMap<Place, BTreeSet<TargetId>>,
    /// Targets of the fleet whose key tag is missing or no key.
    pub unkeyed_targets: Vec<(Place, MirrorTarget)>,
    /// Filters of the fleet whose key tag is missing or no key.
    pub unkeyed_filters: Vec<(Place, MirrorFilter)>,
    /// Sessions of others by source.
    pub strangers: BTreeMap<MemberKey, Vec<MirrorSession>>,
    /// Targets used by sessions of others.
    pub targets_of_strangers: BTreeSet<TargetId>,
    /// Filters used by sessions of others.
    pub filters_of_strangers: BTreeSet<FilterId>,
    /// Sessions among the strangers that the state knows as the fleet's. Their own account, which alone shows tags, was not read.
    pub out_of_sight: BTreeSet<SessionId>,
    /// Where every target in sight sends, strangers' too.
    pub destinations: BTreeMap<TargetId, Destination>,
}

impl Owned {
    /// Objects whose tags do not say whose they are, or which: somebody removed or changed them, or an apply did not
    /// get there. In words.
    #[must_use]
    pub fn mistagged(&self, fleet: &FleetName) -> Vec<String> {
        let is_ours = |tags: &Tags| tags.get(FLEET_TAG).is_some_and(|name| name == fleet.as_str());
        let is_right = |tags: &Tags, key: &ObjectKey| {
            is_ours(tags) && tags.get(KEY_TAG).is_some_and(|label| label == key.label.as_str())
        };
        let targets = self.targets.iter().flat_map(|(key, list)| list.iter().map(move |one| (key, one)));
        let targets = targets.filter(|(key, one)| !is_right(&one.tags, key));
        let filters = self.filters.iter().flat_map(|(key, list)| list.iter().map(move |one| (key, one)));
        let filters = filters.filter(|(key, one)| !is_right(&one.tags, key));
        let sessions = self.sessions.iter().flat_map(|(key, list)| list.iter().map(move |one| (key, one)));
        let sessions = sessions.filter(|(_, one)| !is_ours(&one.tags));
        targets
            .map(|(key, one)| format!("target {key} ({})", one.id))
            .chain(filters.map(|(key, one)| format!("filter {key} ({})", one.id)))
            .chain(sessions.map(|(key, one)| format!("session {} of {key}", one.id)))
            .collect()
    }

    /// Whether nothing of the fleet exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
            && self.filters.is_empty()
            && self.sessions.is_empty()
            && self.unkeyed_targets.is_empty()
            && self.unkeyed_filters.is_empty()
            && self.shares.is_empty()
    }

    /// The share that serves a place: the first by ARN that did not fail. Others of the fleet there are duplicates.
    #[must_use]
    pub fn serving_share(&self, place: &Place) -> Option<&ResourceShare> {
        self.shares.get(place)?.iter().find(|share| share.status != "FAILED")
    }

    /// The same with these sessions of nobody as the fleet's, which they are once their tags are set. Ids that are
    /// not there, or that a fleet's tag claims, are passed over.
    #[must_use]
    pub fn with_adopted(&self, adopted: &BTreeMap<MemberKey, Adoptable>) -> Self {
        let mut owned = self.clone();
        for (key, adoptable) in adopted {
            let Some(list) = owned.strangers.get_mut(key) else { continue };
            let is_it =
                |one: &MirrorSession| one.id == adoptable.session && !one.tags.contains_key(FLEET_TAG);
            let Some(position) = list.iter().position(is_it) else { continue };
            let session = list.remove(position);
            if list.is_empty() {
                owned.strangers.remove(key);
            }
            owned.sessions.entry(key.clone()).or_default().push(session);
        }
        owned.settle();
        owned
    }

    /// Targets by the labels they serve: one that sends where label `x` shall send is `x`'s, whatever its key tag
    /// says, unless another of that place is tagged so already. A person who renames a label means the same target,
    /// its sessions need not move, and nobody knows whether AWS lets an interface have a second one. The tags
    /// themselves stay, so that a plan sets them.
    pub fn relabel(&mut self, labels: &BTreeMap<&Destination, &Label>) {
        let wanted = |place: &Place, target: &MirrorTarget| {
            let label = (*labels.get(&target.destination)?).clone();
            Some(ObjectKey { place: place.clone(), label })
        };
        let serves = |key: &ObjectKey, destination: &Destination| {
            self.targets.get(key).is_some_and(|list| list.iter().any(|one| one.destination == *destination))
        };
        let keyed = self.targets.iter().flat_map(|(key, list)| list.iter().map(move |one| (&key.place, one)));
        let unkeyed = self.unkeyed_targets.iter().map(|(place, one)| (place, one));
        let mut moves: BTreeMap<ObjectKey, TargetId> = BTreeMap::new();
        for (place, target) in keyed.chain(unkeyed) {
            if let Some(key) = wanted(place, target).filter(|key| !serves(key, &target.destination)) {
                moves.entry(key).or_insert_with(|| target.id.clone());
            }
        }
        for (key, id) in moves {
            let from = self.targets.values_mut().find_map(|list| {
                let position = list.iter().position(|one| one.id == id)?;
                Some(list.remove(position))
            });
            let target = from.or_else(|| {
                let position = self.unkeyed_targets.iter().position(|(_, one)| one.id == id)?;
                Some(self.unkeyed_targets.remove(position).1)
            });
            let list = self.targets.entry(key).or_default();
            list.extend(target);
            list.sort_by(|a, b| a.id.cmp(&b.id));
        }
        self.targets.retain(|_, list| !list.is_empty());
    }

    /// Whether [`relabel`](Self::relabel) would change anything.
    pub(crate) fn is_labelled(&self, labels: &BTreeMap<&Destination, &Label>) -> bool {
        let is_right = |key: &ObjectKey, target: &MirrorTarget| {
            labels.get(&target.destination).is_none_or(|label| **label == key.label)
        };
        self.unkeyed_targets.iter().all(|(_, target)| !labels.contains_key(&target.destination))
            && self.targets.iter().all(|(key, list)| list.iter().all(|target| is_right(key, target)))
    }

    /// A session of the fleet may have been seen from its target's account too, where it looks like a stranger's; what its own
    /// account says counts. What strangers use is what those left use.
    fn settle(&mut self) {
        let sessions = &self.sessions;
        self.strangers.retain(|key, list| {
            let ours = sessions.get(key).map_or(&[][..], Vec::as_slice);
            list.retain(|one| ours.iter().all(|known| known.id != one.id));
            !list.is_empty()
        });
        let left = || self.strangers.values().flatten();
        self.targets_of_strangers = left().map(|session| session.target.clone()).collect();
        self.filters_of_strangers = left().map(|session| session.filter.clone()).collect();
    }

    /// The places of the sessions of others that need something, where all of them are the fleet's own out of sight;
    /// none where one is a stranger's.
    pub(crate) fn needed_out_of_sight(&self, needs: impl Fn(&MirrorSession) -> bool) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for (key, list) in &self.strangers {
            for session in list.iter().filter(|one| needs(one)) {
                if !self.out_of_sight.contains(&session.id) {
                    return Vec::new();
                }
                if places.last() != Some(&key.place) {
                    places.push(key.place.clone());
                }
            }
        }
        places
    }

    /// The VNIs that strangers' sessions use anywhere in sight.
    #[must_use]
    pub fn stranger_vnis(&self) -> BTreeSet<u32> {
        self.strangers.values().flatten().filter_map(|session| session.vni).collect()
    }
}

/// The label of each destination that a specification names, for [`Owned::relabel`].
#[must_use]
pub fn labels(spec: &FleetSpec) -> BTreeMap<&Destination, &Label> {
    spec.targets.iter().filter_map(|(label, one)| Some((one.destination.known()?, label))).collect()
}

/// Sorts everything that was seen into the fleet's and strangers'.
///
/// A place may show objects of other accounts (shared targets, others' sessions on our targets); these are never the fleet's in
/// that place, whatever their tags say.
#[must_use]
pub fn own(fleet: &FleetName, places: &BTreeMap<Place, PlaceInventory>) -> Owned {
    own_known(fleet, places, &Known::default())
}

/// The same, with objects that lost their tags and that a state knows.
#[must_use]
pub fn own_known(fleet: &FleetName, places: &BTreeMap<Place, PlaceInventory>, known: &Known) -> Owned {
    let mut owned = Owned::default();
    for (place, seen) in places {
        let is_ours = |tags: &Tags| tags.get(FLEET_TAG).is_some_and(|name| name == fleet.as_str());
        let is_lost = |tags: &Tags, is_known: bool| is_known && !tags.contains_key(FLEET_TAG);
        let key = |tags: &Tags, known: Option<&ObjectKey>| {
            let label: Option<Label> = tags.get(KEY_TAG).and_then(|text| text.parse().ok());
            let label = label.or_else(|| known.map(|key| key.label.clone()))?;
            Some(ObjectKey { place: place.clone(), label })
        };
        let here = |key: &&ObjectKey| key.place == *place;
        let shares: Vec<ResourceShare> =
            seen.shares.iter().filter(|one| is_ours(&one.tags)).cloned().collect();
        if !shares.is_empty() {
            owned.shares.insert(place.clone(), shares);
        }
        let shared_in = seen.targets.iter().filter(|target| target.owner != place.account);
        owned.visible.insert(place.clone(), shared_in.map(|target| target.id.clone()).collect());
        for target in &seen.targets {
            owned.destinations.insert(target.id.clone(), target.destination.clone());
            let known = known.targets.get(&target.id).filter(here);
            let is_its = is_ours(&target.tags) || is_lost(&target.tags, known.is_some());
            if target.owner != place.account || !is_its {
                continue;
            }
            match key(&target.tags, known) {
                Some(key) => owned.targets.entry(key).or_default().push(target.clone()),
                None => owned.unkeyed_targets.push((place.clone(), target.clone())),
            }
        }
        for filter in &seen.filters {
            let known = known.filters.get(&filter.id).filter(here);
            if !is_ours(&filter.tags) && !is_lost(&filter.tags, known.is_some()) {
                continue;
            }
            match key(&filter.tags, known) {
                Some(key) => owned.filters.entry(key).or_default().push(filter.clone()),
                None => owned.unkeyed_filters.push((place.clone(), filter.clone())),
            }
        }
        for session in &seen.sessions {
            let is_here = session.owner == place.account;
            let source_place = Place { account: session.owner.clone(), region: place.region.clone() };
            let key = MemberKey { place: source_place, interface: session.interface.clone() };
            let is_known = is_here && known.sessions.contains(&session.id);
            if is_here && (is_ours(&session.tags) || is_lost(&session.tags, is_known)) {
                owned.sessions.entry(key).or_default().push(session.clone());
            } else if !is_ours(&session.tags) {
                if known.sessions.contains(&session.id) && !places.contains_key(&key.place) {
                    owned.out_of_sight.insert(session.id.clone());
                }
                let held = owned.strangers.entry(key).or_default();
                match held.iter_mut().find(|known| known.id == session.id) {
                    // Only its own account shows its tags.
                    Some(known) if is_here => known.clone_from(session),
                    Some(_) => {}
                    None => held.push(session.clone()),
                }
            }
        }
    }
    owned.settle();
    owned.targets.values_mut().for_each(|list| list.sort_by(|a, b| a.id.cmp(&b.id)));
    owned.shares.values_mut().for_each(|list| list.sort_by(|a, b| a.arn.cmp(&b.arn)));
    owned.filters.values_mut().for_each(|list| list.sort_by(|a, b| a.id.cmp(&b.id)));
    owned.sessions.values_mut().for_each(|list| list.sort_by(|a, b| a.id.cmp(&b.id)));
    owned.strangers.values_mut().for_each(|list| list.sort_by(|a, b| a.id.cmp(&b.id)));
    owned
}

/// The tags of one of the fleet's objects: a person's, and over them ours.
#[must_use]
pub fn tags(fleet: &FleetName, key: &str, name: &str, person: &Tags) -> Tags {
    let mut tags = person.clone();
    // A person's own Name stays: they chose it for everything the fleet makes.
    tags.entry(NAME_TAG.to_owned()).or_insert_with(|| format!("{fleet} {name}"));
    tags.insert(FLEET_TAG.to_owned(), fleet.to_string());
    tags.insert(KEY_TAG.to_owned(), key.to_owned());
    tags
}

#[cfg(test)]
mod tests;
