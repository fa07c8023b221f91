//! Resource shares: widened before anybody needs them, narrowed when nobody does any more.

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::{Action, Ref, ShareRef};
use crate::diff::room::Room;
use crate::diff::tags::changes;
use crate::diff::{Circumstances, Draft};
use crate::expand::{DesiredShare, Expansion};
use crate::finding::{Finding, FindingKind};
use crate::given::Given;
use crate::ids::{AccountId, ObjectKey, Place, TargetId};
use crate::inventory::{AssociationStatus, ResourceShare, Tags};
use crate::ownership::Owned;
use crate::plan::Stage;
use crate::problem::Path;

impl<'a> Draft<'a> {
    /// Makes and widens shares, and lets every place with sessions to a target of another account join.
    pub(super) fn share_out(
        &mut self,
        desired: &'a Expansion,
        owned: &'a Owned,
        around: &Circumstances,
        room: &Room<'a>,
    ) {
        for (place, wanted) in &desired.shares {
            match owned.serving_share(place) {
                Some(share) => self.widen(place, wanted, share, around),
                None => self.create_share(place, wanted),
            }
        }
        self.join(desired, owned, room);
    }

    fn create_share(&mut self, place: &Place, wanted: &DesiredShare) {
        let Given::Known(tags) = &wanted.tags else { return };
        let action = Action::CreateShare {
            place: place.clone(),
            name: wanted.name.clone(),
            principals: wanted.accounts.clone(),
            targets: self.shared_targets(place, wanted),
            allows_external: wanted.allows_external,
            tags: tags.clone(),
        };
        self.push(Stage::Shares, action);
    }

    fn widen(&mut self, place: &Place, wanted: &DesiredShare, share: &ResourceShare, around: &Circumstances) {
        let Given::Known(tags) = &wanted.tags else { return };
        if wanted.allows_external && !share.allows_external {
            self.push(Stage::Shares, allow_external(place, share, true));
        }
        let (set, remove) = changes(&share.tags, tags, around);
        if !set.is_empty() || !remove.is_empty() {
            // With all other tags: nothing that needs the share needs them, and they may be refused on their own.
            let (place, share) = (place.clone(), share.arn.clone());
            let action = Action::ModifyShare { place, share, allows_external: None, set, remove };
            self.push(Stage::Tags, action);
        }
        let lacks = |status: Option<&AssociationStatus>| status.is_none_or(|status| !status.is_held());
        let principals: BTreeSet<AccountId> =
            wanted.accounts.iter().filter(|id| lacks(share.principals.get(id.as_str()))).cloned().collect();
        let is_missing = |target: &Ref<TargetId>| match target {
            Ref::Existing(id) => lacks(share.targets.get(id)),
            Ref::Planned(_) => true,
        };
        let targets: Vec<_> = self.shared_targets(place, wanted).into_iter().filter(is_missing).collect();
        if !principals.is_empty() || !targets.is_empty() {
            let (place, share) = (place.clone(), share.arn.clone());
            self.push(Stage::Shares, Action::AddToShare { place, share, principals, targets });
        }
    }

    fn shared_targets(&self, place: &Place, wanted: &DesiredShare) -> Vec<Ref<TargetId>> {
        let key = |label: &crate::ids::Label| ObjectKey { place: place.clone(), label: label.clone() };
        wanted.targets.iter().map(|label| self.target_ref(&key(label))).collect()
    }

    /// A place that sees what its sessions need has joined already. One that was not read may have; joining again only looks.
    fn join(&mut self, desired: &'a Expansion, owned: &'a Owned, room: &Room<'a>) {
        let mut needed: BTreeMap<(&Place, &Place), BTreeSet<&ObjectKey>> = BTreeMap::new();
        let abroad =
            desired.sessions.iter().filter(|(key, one)| one.target.place.account != key.place.account);
        let mut used: Vec<(&Place, &ObjectKey)> =
            abroad.map(|(key, one)| (&key.place, &one.target)).collect();
        used.extend(room.detours().filter(|(place, target)| place.account != target.place.account));
        used.dedup();
        for (place, target) in used {
            needed.entry((place, &target.place)).or_default().insert(target);
        }
        for ((place, from), keys) in needed {
            let share = owned.serving_share(from);
            // What is seen and not shared is about to vanish, and must be accepted anew.
            let is_in = |id: &TargetId| {
                share.is_some_and(|share| {
                    let account = share.principals.get(place.account.as_str());
                    [account, share.targets.get(id)]
                        .iter()
                        .all(|one| one.is_some_and(|status| status.is_held()))
                })
            };
            let sees = |target: &Ref<TargetId>| match target {
                Ref::Existing(id) => {
                    is_in(id) && owned.visible.get(place).is_some_and(|seen| seen.contains(id))
                }
                Ref::Planned(_) => false,
            };
            let targets: Vec<_> =
                keys.into_iter().map(|key| self.target_ref(key)).filter(|target| !sees(target)).collect();
            if targets.is_empty() {
                continue;
            }
            let share: ShareRef =
                share.map_or_else(|| Ref::Planned(from.clone()), |share| Ref::Existing(share.arn.clone()));
            let action =
                Action::JoinShare { place: place.clone(), share, sender: from.account.clone(), targets };
            self.push(Stage::Joins, action);
        }
    }

    /// Takes out whom and what no session needs any more. Whatever a session of others needs stays and is told, and so does what
    /// others put into a share of ours.
    pub(super) fn withdraw(&mut self, desired: &'a Expansion, owned: &'a Owned) {
        for (place, shares) in &owned.shares {
            let used = self.used_by_others(place, owned);
            for share in shares {
                let wanted = desired
                    .shares
                    .get(place)
                    .filter(|_| owned.serving_share(place).map(|one| &one.arn) == Some(&share.arn));
                self.narrow(place, share, wanted, &used, owned);
            }
        }
    }

    fn narrow(
        &mut self,
        place: &Place,
        share: &ResourceShare,
        wanted: Option<&DesiredShare>,
        used: &UsedByOthers<'_>,
        owned: &Owned,
    ) {
        let needed: BTreeSet<&TargetId> = wanted
            .into_iter()
            .flat_map(|wanted| &wanted.targets)
            .filter_map(|label| {
                self.serving_targets.get(&ObjectKey { place: place.clone(), label: label.clone() })
            })
            .map(|target| &target.id)
            .collect();
        let in_effect =
            |status: AssociationStatus| status.is_held() || status == AssociationStatus::Suspended;
        let mut stays: Vec<String> = share.other_resources.clone();
        let mut is_others_work = !stays.is_empty();
        let mut targets = BTreeSet::new();
        for id in share.targets.iter().filter(|(_, status)| in_effect(**status)).map(|(id, _)| id) {
            if needed.contains(id) || (wanted.is_some() && self.used_targets.contains(id)) {
                continue;
            }
            // What is not in sight is gone; what is in sight and not ours was put there by someone.
            let is_strange = owned.destinations.contains_key(id) && !self.is_ours(id, owned);
            is_others_work |= is_strange;
            if is_strange || used.targets.contains(id) {
                stays.push(id.to_string());
            } else {
                targets.insert(id.clone());
            }
        }
        let mut principals = BTreeSet::new();
        for name in share.principals.iter().filter(|(_, status)| in_effect(**status)).map(|(name, _)| name) {
            let account: Option<AccountId> = name.parse().ok();
            if account.as_ref().is_some_and(|id| wanted.is_some_and(|wanted| wanted.accounts.contains(id))) {
                continue;
            }
            // Who is in an organization or unit is not known here, so it stays while any other account uses the targets.
            let is_used = match &account {
                Some(id) => used.accounts.contains(id),
                None => used.accounts.iter().any(|id| wanted.is_none_or(|one| !one.accounts.contains(*id))),
            };
            if is_used {
                stays.push(name.clone());
            } else {
                principals.insert(name.clone());
            }
        }
        // Outsiders are forbidden once they have left: nobody knows whether RAM takes it before.
        let forbids = wanted.is_some_and(|wanted| !wanted.allows_external) && share.allows_external;
        let forbidding = forbids.then(|| allow_external(place, share, false));
        let (place, arn) = (place.clone(), share.arn.clone());
        if !stays.is_empty() {
            let unread = if is_others_work {
                Vec::new()
            } else {
                owned.needed_out_of_sight(|session| share.targets.contains_key(&session.target))
            };
            let kind = FindingKind::ShareInUseByOthers { share: arn.clone(), what: stays.clone(), unread };
            self.findings.push(Finding::at(Path::root(), kind));
        }
        if wanted.is_none() && stays.is_empty() {
            self.push(Stage::WithdrawnShares, Action::DeleteShare { place, share: arn });
        } else if !principals.is_empty() || !targets.is_empty() {
            let action = Action::RemoveFromShare { place, share: arn, principals, targets };
            self.push(Stage::WithdrawnShares, action);
        }
        if let Some(action) = forbidding {
            self.push(Stage::WithdrawnShares, action);
        }
    }

    fn is_ours(&self, id: &TargetId, owned: &Owned) -> bool {
        let unkeyed = owned.unkeyed_targets.iter().map(|(_, target)| target);
        owned.targets.values().flatten().chain(unkeyed).any(|target| target.id == *id)
    }

    fn used_by_others<'o>(&self, place: &Place, owned: &'o Owned) -> UsedByOthers<'o> {
        let mut used = UsedByOthers::default();
        let here = |id: &TargetId| {
            owned.shares.get(place).is_some_and(|list| list.iter().any(|one| one.targets.contains_key(id)))
        };
        for (key, list) in &owned.strangers {
            if key.place.account == place.account || key.place.region != place.region {
                continue;
            }
            for session in list.iter().filter(|session| here(&session.target)) {
                used.accounts.insert(&key.place.account);
                used.targets.insert(&session.target);
            }
        }
        used
    }
}

/// What sessions of others need of a place's shares.
#[derive(Default)]
struct UsedByOthers<'a> {
    accounts: BTreeSet<&'a AccountId>,
    targets: BTreeSet<&'a TargetId>,
}

fn allow_external(place: &Place, share: &ResourceShare, allowed: bool) -> Action {
    Action::ModifyShare {
        place: place.clone(),
        share: share.arn.clone(),
        allows_external: Some(allowed),
        set: Tags::new(),
        remove: Vec::new(),
    }
}
