//! RAM in the memory AWS: who may use whose targets, worked out anew at each call.
//!
//! A share takes effect after the company's delay, and outside the organization only once its invitation is accepted;
//! it loses effect at once. Sessions that exist stay when their target is shared no longer: what AWS does to them is
//! not on record.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use enigma_fleet::calls::SHARE_PARTS;
use enigma_fleet::ids::{AccountId, Place, ShareArn, TargetId};
use enigma_fleet::inventory::{
    AssociationStatus, MirrorSession, MirrorTarget, PlaceInventory, ResourceShare, Tags,
};
use tokio::time::Instant;

use super::place::{MemoryPlace, checks, gone_is_done, in_scope};
use super::refusal::Refusal;
use super::world::{Company, PlaceState, Places, World};
use crate::ports::{
    AwsError, ClientToken, ErrorKind, Invitation, MirrorScope, NewShare, ShareParts, SharePlace,
};

/// One resource share.
#[derive(Clone)]
pub(super) struct Share {
    pub(super) name: String,
    pub(super) allows_external: bool,
    pub(super) tags: Tags,
    pub(super) principals: BTreeMap<String, Principal>,
    pub(super) targets: BTreeMap<TargetId, Instant>,
    /// Who was taken out, and when: they may go on seeing the targets for a while.
    pub(super) left: BTreeMap<String, Instant>,
}

#[derive(Clone)]
pub(super) struct Principal {
    pub(super) since: Instant,
    /// What an account outside has to accept.
    pub(super) invitation: Option<(String, bool)>,
}

impl Principal {
    fn status(&self, company: &Company, now: Instant) -> AssociationStatus {
        match &self.invitation {
            Some((_, false)) => AssociationStatus::Associating,
            _ => status(self.since, company, now),
        }
    }
}

fn status(since: Instant, company: &Company, now: Instant) -> AssociationStatus {
    if now.saturating_duration_since(since) >= company.sharing_delay {
        AssociationStatus::Associated
    } else {
        AssociationStatus::Associating
    }
}

/// The world, or a past one, as somebody in a place sees it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) places: &'a Places,
    pub(super) company: &'a Company,
    pub(super) place: &'a Place,
    pub(super) now: Instant,
}

impl<'a> View<'a> {
    /// Something of the place itself; of an empty one where it is unknown.
    pub(super) fn here<T: Default>(&self, pick: impl FnOnce(&'a PlaceState) -> T) -> T {
        self.places.get(self.place).map(pick).unwrap_or_default()
    }

    /// All places of the Region, with their names.
    fn region(&self) -> impl Iterator<Item = (&'a Place, &'a PlaceState)> {
        let region = &self.place.region;
        self.places.iter().filter(move |(place, _)| place.region == *region)
    }

    /// The place's own targets and those that others share with it, whose tags only their owner sees.
    pub(super) fn targets(&self) -> Vec<MirrorTarget> {
        let mut seen: BTreeMap<TargetId, MirrorTarget> = self
            .here(|state| state.targets.iter().map(|(id, target)| (id.clone(), target.clone())).collect());
        for (owner, state) in self.region().filter(|(owner, _)| *owner != self.place) {
            for share in state.shares.values() {
                let is_open = share.principals.get(self.place.account.as_str()).is_some_and(|principal| {
                    // A member that left the organization has no access, unless it was invited.
                    let is_entitled = principal.invitation.is_some()
                        || self.company.is_inside(&owner.account, &self.place.account);
                    is_entitled && principal.status(self.company, self.now) == AssociationStatus::Associated
                });
                let lingers = share.left.get(self.place.account.as_str()).is_some_and(|left| {
                    self.now.saturating_duration_since(*left) < self.company.lingering_sight
                });
                if !is_open && !lingers {
                    continue;
                }
                for (id, since) in &share.targets {
                    if status(*since, self.company, self.now) == AssociationStatus::Associated
                        && let Some(target) = state.targets.get(id)
                    {
                        seen.insert(id.clone(), MirrorTarget { tags: Tags::new(), ..target.clone() });
                    }
                }
            }
        }
        seen.into_values().collect()
    }

    /// A target of any account in the Region.
    pub(super) fn any_target(&self, id: &TargetId) -> Option<&'a MirrorTarget> {
        self.region().find_map(|(_, state)| state.targets.get(id))
    }

    /// All accounts' sessions that send to a target.
    pub(super) fn senders_to(&self, target: &TargetId) -> impl Iterator<Item = &'a MirrorSession> {
        let target = target.clone();
        self.region()
            .flat_map(|(_, state)| state.sessions.values())
            .filter(move |session| session.target == target)
    }

    /// The place's sessions, and others' on its targets, whose tags only their owner sees.
    pub(super) fn sessions(&self) -> Vec<MirrorSession> {
        let mut seen: Vec<MirrorSession> = self.here(|state| state.sessions.values().cloned().collect());
        let own: BTreeSet<&TargetId> = self.here(|state| state.targets.keys().collect());
        let others = self.region().filter(|(place, _)| *place != self.place);
        seen.extend(
            others
                .flat_map(|(_, state)| state.sessions.values())
                .filter(|session| own.contains(&session.target))
                .map(|session| MirrorSession { tags: Tags::new(), ..session.clone() }),
        );
        seen
    }

    pub(super) fn shares(&self) -> Vec<ResourceShare> {
        let resource_share = |(arn, share): (&ShareArn, &Share)| ResourceShare {
            arn: arn.clone(),
            name: share.name.clone(),
            status: "ACTIVE".to_owned(),
            allows_external: share.allows_external,
            tags: share.tags.clone(),
            principals: share
                .principals
                .iter()
                .map(|(id, principal)| (id.clone(), principal.status(self.company, self.now)))
                .collect(),
            targets: share
                .targets
                .iter()
                .map(|(id, since)| (id.clone(), status(*since, self.company, self.now)))
                .collect(),
            other_resources: Vec::new(),
        };
        self.here(|state| state.shares.iter().map(resource_share).collect())
    }

    /// What the place owns.
    pub(super) fn contents(&self) -> PlaceInventory {
        PlaceInventory { shares: self.shares(), ..self.here(PlaceState::contents) }
    }
}

fn unknown(share: &ShareArn) -> Refusal {
    let message = format!("ResourceShare {share} could not be found.");
    Refusal::new(ErrorKind::NotFound, "UnknownResourceException", message)
}

/// As AWS: so many principals and targets in one call.
fn check_count(parts: &ShareParts) -> Result<(), Refusal> {
    let most = parts.principals.len().max(parts.targets.len());
    if most > SHARE_PARTS {
        let message = format!("{most} parts in one call exceed the limit of {SHARE_PARTS}.");
        return Err(Refusal::new(ErrorKind::Quota, "ResourceShareLimitExceededException", message));
    }
    Ok(())
}

/// Adds parts to a share; refuses all if one is unfit.
fn add(
    world: &mut World,
    place: &Place,
    share: &mut Share,
    parts: &ShareParts,
    now: Instant,
) -> Result<(), Refusal> {
    check_count(parts)?;
    for id in &parts.targets {
        if share.targets.contains_key(id) {
            return Err(held_already(id.as_str()));
        }
        if !world.at(place).targets.contains_key(id) {
            let message = format!("Resource {id} could not be found.");
            return Err(Refusal::new(ErrorKind::NotFound, "UnknownResourceException", message));
        }
        share.targets.insert(id.clone(), now);
    }
    for id in &parts.principals {
        if share.principals.contains_key(id) {
            return Err(held_already(id));
        }
        let account: Option<AccountId> = id.parse().ok();
        let Some(account) = account.filter(|account| *account != place.account) else {
            let message = format!("Principal {id} is not valid.");
            return Err(Refusal::new(ErrorKind::Invalid, "InvalidParameterException", message));
        };
        let is_inside = world.company.is_inside(&place.account, &account);
        if !is_inside && !share.allows_external {
            let message =
                format!("Principal {id} is external and the share does not allow external principals.");
            return Err(Refusal::new(ErrorKind::Invalid, "OperationNotPermittedException", message));
        }
        let invitation = (!is_inside).then(|| (world.fresh_arn(place, "resource-share-invitation"), false));
        share.principals.insert(id.clone(), Principal { since: now, invitation });
    }
    Ok(())
}

fn held_already(what: &str) -> Refusal {
    let message = format!("{what} is already associated with the share or still leaving it.");
    Refusal::new(ErrorKind::Changing, "InvalidStateTransitionException", message)
}

impl MemoryPlace {
    async fn on_share<T>(
        &self,
        operation: &'static str,
        arn: &ShareArn,
        parameters: String,
        effect: impl FnOnce(&mut World, &Place, &mut Share) -> Result<T, Refusal>,
    ) -> Result<T, AwsError> {
        self.call(operation, format!("{arn} {parameters}"), |world, place| {
            let mut share = world.at(place).shares.get(arn).cloned().ok_or_else(|| unknown(arn))?;
            let done = effect(world, place, &mut share)?;
            world.at(place).shares.insert(arn.clone(), share);
            Ok(done)
        })
        .await
    }
}

#[async_trait]
impl SharePlace for MemoryPlace {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn shares(&self, scope: &MirrorScope) -> Result<Vec<ResourceShare>, AwsError> {
        self.read("GetResourceShares", format!("{scope:?}"), |seen| {
            seen.shares().into_iter().filter(|share| in_scope(scope, &share.tags)).collect()
        })
        .await
    }

    async fn invitations(&self) -> Result<Vec<Invitation>, AwsError> {
        self.read("GetResourceShareInvitations", String::new(), |seen| {
            let mut pending = Vec::new();
            for (owner, state) in seen.region() {
                for (share, held) in &state.shares {
                    let principal = held.principals.get(seen.place.account.as_str());
                    if let Some((arn, false)) = principal.and_then(|one| one.invitation.as_ref()) {
                        let (arn, share, sender) = (arn.clone(), share.clone(), owner.account.clone());
                        pending.push(Invitation { arn, share, sender });
                    }
                }
            }
            pending
        })
        .await
    }

    async fn create_share(&self, new: &NewShare) -> Result<ShareArn, AwsError> {
        let parameters = format!("{:?} {:?} {} {:?}", new.name, new.parts, new.allows_external, new.tags);
        self.create("CreateResourceShare", &new.token, parameters, |world, place| {
            checks::tags(&world.quotas, &new.tags)?;
            let mut share = Share {
                name: new.name.clone(),
                allows_external: new.allows_external,
                tags: new.tags.clone(),
                principals: BTreeMap::new(),
                targets: BTreeMap::new(),
                left: BTreeMap::new(),
            };
            add(world, place, &mut share, &new.parts, Instant::now())?;
            let arn: ShareArn =
                world.fresh_arn(place, "resource-share").parse().expect("the ARN of a resource share");
            world.at(place).shares.insert(arn.clone(), share);
            Ok(arn)
        })
        .await
    }

    async fn set_allows_external(&self, arn: &ShareArn, allowed: bool) -> Result<(), AwsError> {
        self.on_share("UpdateResourceShare", arn, allowed.to_string(), |world, place, share| {
            let is_external = |id: &&String| {
                id.parse().is_ok_and(|account| !world.company.is_inside(&place.account, &account))
            };
            // What RAM does is not on record; refusing is the stricter reading.
            if let Some(outside) = share.principals.keys().find(is_external).filter(|_| !allowed) {
                let message = format!("Principal {outside} is external.");
                return Err(Refusal::new(ErrorKind::Invalid, "OperationNotPermittedException", message));
            }
            share.allows_external = allowed;
            Ok(())
        })
        .await
    }

    async fn retag_share(&self, arn: &ShareArn, set: &Tags, remove: &[String]) -> Result<(), AwsError> {
        if !set.is_empty() {
            self.on_share("TagResource", arn, format!("{set:?}"), |world, _, share| {
                share.tags.extend(set.clone());
                checks::tags(&world.quotas, &share.tags)
            })
            .await?;
        }
        if !remove.is_empty() {
            self.on_share("UntagResource", arn, format!("{remove:?}"), |_, _, share| {
                share.tags.retain(|key, _| !remove.contains(key));
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn associate(
        &self,
        arn: &ShareArn,
        parts: &ShareParts,
        token: &ClientToken,
    ) -> Result<(), AwsError> {
        let parameters = format!("{arn} {parts:?}");
        let done = self.create("AssociateResourceShare", token, parameters, |world, place| {
            let mut share = world.at(place).shares.get(arn).cloned().ok_or_else(|| unknown(arn))?;
            add(world, place, &mut share, parts, Instant::now())?;
            world.at(place).shares.insert(arn.clone(), share);
            Ok(String::new())
        });
        done.await.map(drop)
    }

    async fn disassociate(&self, arn: &ShareArn, parts: &ShareParts) -> Result<(), AwsError> {
        self.on_share("DisassociateResourceShare", arn, format!("{parts:?}"), |_, _, share| {
            check_count(parts)?;
            let stranger = parts.principals.iter().find(|id| !share.principals.contains_key(*id));
            let unknown = parts.targets.iter().find(|id| !share.targets.contains_key(*id));
            if let Some(gone) = stranger.cloned().or_else(|| unknown.map(ToString::to_string)) {
                let message = format!("{gone} is not associated with the share.");
                return Err(Refusal::new(ErrorKind::NotFound, "UnknownResourceException", message));
            }
            let now = Instant::now();
            let leaving = share.principals.keys().filter(|id| parts.principals.contains(*id)).cloned();
            share.left.extend(leaving.map(|id| (id, now)));
            share.principals.retain(|id, _| !parts.principals.contains(id));
            share.targets.retain(|id, _| !parts.targets.contains(id));
            Ok(())
        })
        .await
    }

    async fn delete_share(&self, arn: &ShareArn) -> Result<(), AwsError> {
        let call = self.call("DeleteResourceShare", arn.to_string(), |world, place| {
            world.at(place).shares.remove(arn).map(drop).ok_or_else(|| unknown(arn))
        });
        gone_is_done(call).await
    }

    async fn accept(&self, invitation: &Invitation) -> Result<(), AwsError> {
        self.call("AcceptResourceShareInvitation", invitation.arn.clone(), |world, place| {
            let now = Instant::now();
            let receiver = place.account.as_str();
            let principals = world.places.iter_mut().flat_map(|(_, state)| state.shares.values_mut());
            let found = principals.filter_map(|share| share.principals.get_mut(receiver)).find(|principal| {
                principal.invitation.as_ref().is_some_and(|(arn, _)| *arn == invitation.arn)
            });
            let Some(principal) = found else {
                let message = format!("ResourceShareInvitation {} could not be found.", invitation.arn);
                let code = "ResourceShareInvitationArnNotFoundException";
                return Err(Refusal::new(ErrorKind::NotFound, code, message));
            };
            if let Some((_, accepted @ false)) = &mut principal.invitation {
                *accepted = true;
                principal.since = now;
            }
            Ok(())
        })
        .await
    }
}
