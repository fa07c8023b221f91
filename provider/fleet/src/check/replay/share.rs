//! Resource shares in the model: who may use which target, and when.

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::{Action, Ref, ShareRef};
use crate::check::Flaw;
use crate::check::replay::{Model, Name, name};
use crate::ids::{MemberKey, Place, TargetId};
use crate::ownership::Owned;

/// Shares and what each place sees of them.
#[derive(Default)]
pub(super) struct Shares {
    shares: BTreeMap<Name, Share>,
    /// Targets of other accounts by the place that sees them.
    visible: BTreeSet<(Place, Name)>,
    /// Where each target of the fleet is.
    places: BTreeMap<Name, Place>,
}

#[derive(Clone, Default)]
struct Share {
    place: Option<Place>,
    principals: BTreeSet<String>,
    targets: BTreeSet<Name>,
}

impl Share {
    fn lets_in(&self, account: &str, target: &Name) -> bool {
        // Units and organizations hold accounts that are not known here, so they let everybody in.
        let is_named = self.principals.iter().any(|one| one == account || one.starts_with("arn:"));
        is_named && self.targets.contains(target)
    }
}

fn share_name(reference: &ShareRef) -> Name {
    match reference {
        Ref::Existing(arn) => arn.to_string(),
        Ref::Planned(place) => format!("new share of {place}"),
    }
}

impl Shares {
    pub(super) fn of(owned: &Owned) -> Self {
        let mut shares = Self::default();
        for (place, share) in
            owned.shares.iter().flat_map(|(place, list)| list.iter().map(move |one| (place, one)))
        {
            let held = Share {
                place: Some(place.clone()),
                principals: share
                    .principals
                    .iter()
                    .filter(|(_, one)| one.is_held())
                    .map(|(id, _)| id.clone())
                    .collect(),
                targets: share
                    .targets
                    .iter()
                    .filter(|(_, one)| one.is_held())
                    .map(|(id, _)| id.to_string())
                    .collect(),
            };
            shares.shares.insert(share.arn.to_string(), held);
        }
        for (place, targets) in &owned.visible {
            shares.visible.extend(targets.iter().map(|id| (place.clone(), id.to_string())));
        }
        let unkeyed = owned.unkeyed_targets.iter().map(|(place, target)| (place, target));
        let keyed =
            owned.targets.iter().flat_map(|(key, list)| list.iter().map(move |one| (&key.place, one)));
        shares.places =
            keyed.chain(unkeyed).map(|(place, one)| (one.id.to_string(), place.clone())).collect();
        shares
    }

    pub(super) fn put_target(&mut self, target: Name, place: &Place) {
        self.places.insert(target, place.clone());
    }
}

impl Model {
    /// Carries out an action on a share.
    pub(super) fn apply_share(&mut self, action: &Action) {
        match action {
            Action::CreateShare { place, principals, targets, .. } => {
                let made = share_name(&ShareRef::Planned(place.clone()));
                let share = Share { place: Some(place.clone()), ..Share::default() };
                self.shares.shares.insert(made.clone(), share);
                self.fill_share(place, &made, principals.iter().map(ToString::to_string), targets);
            }
            Action::ModifyShare { place, share, .. } => {
                self.need_share(place, share.as_str());
            }
            Action::AddToShare { place, share, principals, targets } => {
                if !self.need_share(place, share.as_str()) {
                    return;
                }
                let principals = principals.iter().map(ToString::to_string);
                self.fill_share(place, share.as_str(), principals, targets);
            }
            Action::JoinShare { place, share, targets, .. } => {
                self.join_share(place, &share_name(share), targets);
            }
            Action::RemoveFromShare { place, share, principals, targets } => {
                if !self.need_share(place, share.as_str()) {
                    return;
                }
                let Some(held) = self.shares.shares.get_mut(share.as_str()) else { return };
                let before = held.clone();
                let targets: BTreeSet<Name> = targets.iter().map(ToString::to_string).collect();
                held.principals.retain(|one| !principals.contains(one));
                held.targets.retain(|one| !targets.contains(one));
                self.need_nobody_shut_out(share.as_str(), place, &before);
            }
            Action::DeleteShare { place, share } => {
                if !self.need_share(place, share.as_str()) {
                    return;
                }
                let Some(before) = self.shares.shares.remove(share.as_str()) else { return };
                self.need_nobody_shut_out(share.as_str(), place, &before);
            }
            _ => {}
        }
    }

    fn need_share(&mut self, place: &Place, share: &str) -> bool {
        let is_there = self.shares.shares.get(share).is_some_and(|one| one.place.as_ref() == Some(place));
        if !is_there {
            self.not_ours(&share);
        }
        is_there
    }

    fn fill_share(
        &mut self,
        place: &Place,
        share: &str,
        principals: impl Iterator<Item = String>,
        targets: &[Ref<TargetId>],
    ) {
        for target in targets.iter().map(name) {
            if self.shares.places.get(&target) != Some(place) || !self.targets.contains(&target) {
                let (object, reference) = (format!("share {share}"), format!("target {target} in {place}"));
                self.flaws.push(Flaw::ReferenceMissing { object, reference });
            }
            if let Some(held) = self.shares.shares.get_mut(share) {
                held.targets.insert(target);
            }
        }
        if let Some(held) = self.shares.shares.get_mut(share) {
            held.principals.extend(principals);
        }
    }

    fn join_share(&mut self, place: &Place, share: &str, targets: &[Ref<TargetId>]) {
        for target in targets.iter().map(name) {
            let is_shared = self.shares.shares.get(share).is_some_and(|held| {
                held.place.as_ref().is_some_and(|from| from.region == place.region)
                    && held.principals.contains(place.account.as_str())
                    && held.targets.contains(&target)
            });
            if !is_shared {
                self.flaws.push(Flaw::NotShared { object: format!("place {place}"), target: target.clone() });
            }
            self.shares.visible.insert((place.clone(), target));
        }
    }

    /// A session can use a target of its own place, or one of its Region that it sees.
    pub(super) fn need_reach(&mut self, key: &MemberKey, target: &Name) {
        let Some(place) = self.shares.places.get(target) else { return };
        let sees = || self.shares.visible.contains(&(key.place.clone(), target.clone()));
        let is_reached = *place == key.place || (place.region == key.place.region && sees());
        if !is_reached {
            let (object, target) = (format!("session {key}"), target.clone());
            self.flaws.push(Flaw::NotShared { object, target });
        }
    }

    /// Everybody who sends to a target of the place thanks to a share as it was must be let in by some share as they are now.
    fn need_nobody_shut_out(&mut self, share: &str, place: &Place, before: &Share) {
        let after: Vec<&Share> =
            self.shares.shares.values().filter(|one| one.place.as_ref() == Some(place)).collect();
        let user = self.sessions.iter().find(|(key, list)| {
            key.place.account != place.account
                && key.place.region == place.region
                && list.iter().any(|session| {
                    before.lets_in(key.place.account.as_str(), &session.target)
                        && !after.iter().any(|one| one.lets_in(key.place.account.as_str(), &session.target))
                })
        });
        if let Some((key, _)) = user {
            let by = format!("the session of {key}");
            self.flaws.push(Flaw::StillUsed { object: share.to_owned(), by });
        }
    }
}
