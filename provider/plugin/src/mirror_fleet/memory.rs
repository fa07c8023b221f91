//! What the resource remembers beside its state: Terraform's private bytes.
//!
//! A plan may depend on configuration, prior state and these bytes, and on nothing else. A refresh therefore writes
//! down here what a plan has to know of AWS and no person wants to see in a state.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::actions::Action;
use enigma_fleet::expand::Resting;
use enigma_fleet::ids::{AccountId, ObjectKey, Place, Vni};
use enigma_reconcile::outcome::Outcomes;
use enigma_reconcile::ports::Role;
use enigma_tfplugin::Private;
use serde::{Deserialize, Serialize};

use super::applying::next_generation;
use super::state::Rows;

/// Bytes are JSON; unknown fields of newer versions are ignored, and bytes that cannot be read count as none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// VNIs that sessions of others send to the fleet's collectors.
    pub(super) stranger_vnis: BTreeSet<u32>,
    /// Places that the last refresh could not read.
    pub(super) unread: BTreeSet<Place>,
    /// Part of every client token of the next apply; changes when an apply has ended. So an apply that is repeated
    /// after a kill asks for the same objects again even where EC2 does not show the first ones yet, and a later one
    /// never gets an old answer.
    pub(super) generation: Option<u64>,
    /// The generation that the last refresh saw on the fleet's targets, or that the last apply put there. Where AWS
    /// has a newer one when an apply begins, somebody applied since, and the plan is stale.
    pub(super) seen: Option<u64>,
    /// Actions of the last apply that were not done and that no row of the state shows: changed sessions, rules,
    /// tags, targets that nobody needs. While there are some, a plan is not empty.
    pub(super) unfinished: usize,
    /// Objects that the last refresh found without their tags. While there are some, a plan is not empty.
    pub(super) mistagged: usize,
    /// Places that the last changes of tags did not reach, since they could not be read: no row of the state shows
    /// tags. Once one can be read again a plan is not empty.
    pub(super) behind: BTreeSet<Place>,
    /// Filters `account/region/filter` whose rules the last apply left unfinished: that they differ is nobody else's doing.
    pub(super) unfinished_filters: BTreeSet<String>,
    /// VNIs that were freed within a day, as the last refresh or apply counted: a plan reads no clock, so a VNI wakes
    /// with the refresh before it. Lost with the state, so a fleet that was destroyed and made again may take any
    /// VNI.
    pub(super) resting: Resting,
    /// The role by which each account that the state has something in was reached last; in which Regions the state's
    /// keys say. So what is in an account can still be removed when the provider block does not name it any more.
    /// Roles and external ids are no secrets, see
    /// [`Role`].
    pub(super) roles: BTreeMap<AccountId, Role>,
}

impl Memory {
    pub(super) fn read(private: &Private) -> Self {
        serde_json::from_slice(private).unwrap_or_default()
    }

    /// The same once an apply of this generation has ended so, with so many undone things besides.
    pub(super) fn after_apply(self, generation: u64, outcomes: &Outcomes, more: usize) -> Self {
        Self {
            generation: Some(next_generation(generation)),
            seen: Some(generation).max(self.seen),
            unfinished: unfinished(outcomes).saturating_add(more),
            mistagged: 0,
            unfinished_filters: unfinished_filters(outcomes).iter().map(ToString::to_string).collect(),
            ..self
        }
    }

    /// The same once an apply that could not read these places has set tags everywhere else, or had none to set.
    pub(super) fn left_behind(mut self, blind: &BTreeSet<Place>, is_retagged: bool) -> Self {
        self.behind.retain(|place| blind.contains(place));
        if is_retagged {
            self.behind.extend(blind.iter().cloned());
        }
        self
    }

    /// Whether the next apply has something to do that no row of the state shows.
    pub(super) fn has_more_to_do(&self) -> bool {
        self.unfinished > 0
            || self.mistagged > 0
            || self.behind.iter().any(|place| !self.unread.contains(place))
    }

    /// The same once these rows have become those, at a time in seconds since 1970.
    pub(super) fn settled(mut self, before: &Rows, after: &Rows, now: u64) -> Self {
        self.resting.settle(&vnis(before), &vnis(after), now);
        self
    }

    /// The same with the roles of these accounts and of no others: the one that the provider block has for it now.
    /// Where the provider does not mean the account (any more), what is remembered stays, for the organization's role
    /// may never have been there.
    pub(super) fn reached(
        mut self,
        accounts: &BTreeSet<AccountId>,
        role: impl Fn(&AccountId) -> Option<Role>,
        is_meant: impl Fn(&AccountId) -> bool,
    ) -> Self {
        self.roles.retain(|account, _| accounts.contains(account));
        for account in accounts {
            if let Some(role) = role(account)
                && (is_meant(account) || !self.roles.contains_key(account))
            {
                self.roles.insert(account.clone(), role);
            }
        }
        self
    }

    pub(super) fn write(&self) -> Private {
        // Sets of numbers and texts always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// VNIs that rows hold; those of promised and lost sessions too, which get them again.
fn vnis(rows: &Rows) -> BTreeSet<Vni> {
    rows.values().filter_map(|row| row.virtual_network_id?.try_into().ok()).collect()
}

/// How many actions were not done, without creates of sessions: their rows say so themselves.
pub(super) fn unfinished(outcomes: &Outcomes) -> usize {
    outcomes.incomplete().filter(|(_, step)| !matches!(step.action, Action::CreateSession { .. })).count()
}

/// Filters some of whose rules, or which themselves, were not brought about.
pub(super) fn unfinished_filters(outcomes: &Outcomes) -> BTreeSet<ObjectKey> {
    let of_filter = |action: &Action| match action {
        Action::CreateFilter { key, .. }
        | Action::SetAmazonDns { key, .. }
        | Action::CreateRule { key, .. }
        | Action::ModifyRule { key, .. }
        | Action::DeleteRule { key, .. } => Some(key.clone()),
        _ => None,
    };
    outcomes.incomplete().filter_map(|(_, step)| of_filter(&step.action)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_replaced_only_while_the_provider_means_its_account() {
        let account: AccountId = "222222222222".parse().unwrap();
        let role = |name: &str| Role { arn: name.to_owned(), external_id: None, session_name: None };
        let accounts = BTreeSet::from([account.clone()]);
        let of = |memory: &Memory| memory.roles.get(&account).map(|role| role.arn.clone());
        let memory = Memory::default().reached(&accounts, |_| Some(role("own")), |_| true);
        assert_eq!(of(&memory).as_deref(), Some("own"));
        let memory = memory.reached(&accounts, |_| Some(role("everybody")), |_| false);
        assert_eq!(of(&memory).as_deref(), Some("own"), "left, and the organization's role is a guess");
        let memory = memory.reached(&accounts, |_| None, |_| false);
        assert_eq!(of(&Memory::read(&memory.write())).as_deref(), Some("own"));
        let memory = memory.reached(&accounts, |_| Some(role("everybody")), |_| true);
        assert_eq!(of(&memory).as_deref(), Some("everybody"));
        assert_eq!(
            of(&memory.reached(&BTreeSet::new(), |_| None, |_| true)),
            None,
            "nothing is there any more"
        );
    }
}
