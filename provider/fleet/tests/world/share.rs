//! RAM in one place: shares with their principals and targets, associated at once.

use std::collections::BTreeMap;

use enigma_fleet::actions::Action;
use enigma_fleet::ids::{ShareArn, TargetId};
use enigma_fleet::inventory::{AssociationStatus, ResourceShare};

use super::World;

impl World {
    fn share_mut(&mut self, arn: &ShareArn) -> &mut ResourceShare {
        let found = self.seen.shares.iter_mut().find(|one| one.arn == *arn);
        found.unwrap_or_else(|| panic!("UnknownResourceException {arn}"))
    }

    /// Carries out an action on a share. Visibility in other places is not this world's matter.
    pub(super) fn act_on_share(&mut self, action: &Action) {
        match action {
            Action::CreateShare { name, principals, targets, allows_external, tags, .. } => {
                let number = self.count();
                let arn = format!(
                    "arn:aws:ram:{}:{}:resource-share/{number:08x}",
                    self.place.region, self.place.account
                );
                let targets: Vec<TargetId> = targets.iter().map(|one| self.target(one)).collect();
                self.seen.shares.push(ResourceShare {
                    arn: arn.parse().unwrap(),
                    name: name.clone(),
                    status: "ACTIVE".to_owned(),
                    allows_external: *allows_external,
                    tags: tags.clone(),
                    principals: associated(principals.iter().map(ToString::to_string)),
                    targets: associated(targets),
                    other_resources: Vec::new(),
                });
            }
            Action::ModifyShare { share, allows_external, set, remove, .. } => {
                let share = self.share_mut(share);
                share.allows_external = allows_external.unwrap_or(share.allows_external);
                share.tags.extend(set.clone());
                share.tags.retain(|key, _| !remove.contains(key));
            }
            Action::AddToShare { share, principals, targets, .. } => {
                let targets: Vec<TargetId> = targets.iter().map(|one| self.target(one)).collect();
                let share = self.share_mut(share);
                share.principals.extend(associated(principals.iter().map(ToString::to_string)));
                share.targets.extend(associated(targets));
            }
            Action::RemoveFromShare { share, principals, targets, .. } => {
                let share = self.share_mut(share);
                share.principals.retain(|one, _| !principals.contains(one));
                share.targets.retain(|one, _| !targets.contains(one));
            }
            Action::DeleteShare { share, .. } => {
                self.share_mut(share);
                self.seen.shares.retain(|one| one.arn != *share);
            }
            _ => {}
        }
    }
}

fn associated<T: Ord>(of: impl IntoIterator<Item = T>) -> BTreeMap<T, AssociationStatus> {
    of.into_iter().map(|one| (one, AssociationStatus::Associated)).collect()
}
