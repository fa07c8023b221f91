//! `shares`: with whom the fleet's targets are shared, for plans and states. Pure.
//!
//! Other accounts can use a target only through a resource share of RAM. A fleet has one in each place of its
//! targets, for exactly the accounts that have sessions there; what that means in calls is the core's to decide.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::drift::ShareDrift;
use enigma_fleet::expand::{DesiredShare, Expansion};
use enigma_fleet::ids::{AccountId, MemberKey, Place, TargetId};
use enigma_fleet::inventory::MirrorSession;
use enigma_fleet::ownership::Owned;
use enigma_tfplugin::{Attribute, Type, Value};
use serde::{Deserialize, Serialize};

/// One share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Share {
    /// What AWS calls it.
    pub(super) arn: Value<String>,
    /// Account ids, sorted.
    pub(super) accounts: Vec<String>,
    /// Keys of targets, sorted.
    pub(super) targets: Vec<String>,
}

/// By `account/region` of the targets.
pub(super) type Shares = BTreeMap<String, Share>;

/// The computed attribute.
pub(super) fn attribute() -> Attribute {
    let share = Type::object([
        ("arn", Type::String),
        ("accounts", Type::list(Type::String)),
        ("targets", Type::list(Type::String)),
    ]);
    Attribute::map(share).computed().description(
        "The resource shares (AWS RAM) that let other accounts send to the fleet's targets, keyed `account/region` of the targets: the \
         share's ARN, exactly the accounts that have sessions there, and the targets' keys.",
    )
}

/// The shares that shall be; one that exists keeps its ARN.
pub(super) fn planned(expansion: &Expansion, before: &Value<Shares>) -> Shares {
    let known = |place: &Place| before.as_ref().known()?.get(&place.to_string())?.arn.clone().known();
    let share = |(place, desired): (&Place, &DesiredShare)| {
        let share = Share {
            arn: known(place).map_or(Value::Unknown, Value::Known),
            accounts: desired.accounts.iter().map(ToString::to_string).collect(),
            targets: desired.targets.iter().map(ToString::to_string).collect(),
        };
        (place.to_string(), share)
    };
    expansion.shares.iter().map(share).collect()
}

/// The shares that are, of places that were read. An account is in one if it can use what is shared: an invitation
/// that waits for an answer is none. Whom the fleet has let go and only others still need is left out: an apply
/// cannot take them out, so a state that listed them would show a removal in every plan. Once nobody there needs the
/// share they are listed, and the next apply does.
pub(super) fn observed(owned: &Owned, drift: &BTreeSet<ShareDrift>, before: &Value<Shares>) -> Shares {
    let labels: BTreeMap<&TargetId, &str> = owned
        .targets
        .iter()
        .flat_map(|(key, targets)| targets.iter().map(|target| (&target.id, key.label.as_str())))
        .collect();
    let is_unseen = |home: &Place, account: &AccountId| {
        drift.iter().any(|drift| {
            matches!(drift, ShareDrift::Unseen { place, target } if place.account == *account && target.place == *home)
        })
    };
    let mut shares = Shares::new();
    for (place, list) in &owned.shares {
        // The first by ARN is the one in use; others are duplicates that the next apply removes.
        let Some(share) = list.first() else { continue };
        let principals = share.principals.iter().filter(|(_, status)| status.is_held());
        let accounts = principals
            .filter_map(|(principal, _)| principal.parse::<AccountId>().ok())
            .filter(|account| !is_unseen(place, account));
        let stated = before.as_ref().known().and_then(|shares| shares.get(&place.to_string()));
        let is_stated = |account: &AccountId| {
            stated.is_some_and(|share| share.accounts.iter().any(|one| *one == account.to_string()))
        };
        let accounts: Vec<String> = accounts
            .filter(|account| is_stated(account) || !is_left(owned, place, account))
            .map(|account| account.to_string())
            .collect();
        if accounts.is_empty() && stated.is_none() && !share.principals.is_empty() {
            continue;
        }
        let targets = share.targets.iter().filter(|(_, status)| status.is_held());
        let mut targets: Vec<String> =
            targets.filter_map(|(id, _)| labels.get(id)).map(|label| (*label).to_owned()).collect();
        targets.sort_unstable();
        targets.dedup();
        let share = Share { arn: Value::Known(share.arn.to_string()), accounts, targets };
        shares.insert(place.to_string(), share);
    }
    shares
}

/// Whether sessions of others there send to the fleet's targets of this place, and none of the fleet's does.
fn is_left(owned: &Owned, place: &Place, account: &AccountId) -> bool {
    let targets: BTreeSet<&TargetId> = owned
        .targets
        .iter()
        .filter(|(key, _)| key.place == *place)
        .flat_map(|(_, list)| list.iter().map(|target| &target.id))
        .collect();
    let uses = |sessions: &BTreeMap<MemberKey, Vec<MirrorSession>>| {
        let there = sessions.iter().filter(|(key, _)| key.place.account == *account);
        there.flat_map(|(_, list)| list).any(|session| targets.contains(&session.target))
    };
    uses(&owned.strangers) && !uses(&owned.sessions)
}
