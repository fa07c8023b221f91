//! Which zones are one: AWS shuffles the names of zones for each account, so that `us-east-1a` of one account may be another's
//! `us-east-1b`, and only ids are the same for all. <https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html>
//!
//! What each account calls its zones is seen in its subnets. Between two accounts of which one was not seen nothing is said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, Place, ZoneId, ZoneName};
use crate::inventory::PlaceInventory;

/// The ids of zones, by the account that calls them so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zones(BTreeMap<AccountId, BTreeMap<ZoneName, ZoneId>>);

/// A zone as an account calls it: by its name, or by the id that all accounts share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zone<'a> {
    /// Whose name it is.
    pub account: &'a AccountId,
    /// The name or id.
    pub name: &'a ZoneName,
}

impl Zones {
    /// Those of the subnets that were seen.
    #[must_use]
    pub fn of(places: &BTreeMap<Place, PlaceInventory>) -> Self {
        let mut zones = Self::default();
        for (place, seen) in places {
            for subnet in &seen.subnets {
                if let Some(id) = &subnet.zone_id {
                    zones.add(&place.account, subnet.zone.clone(), id.clone());
                }
            }
        }
        zones
    }

    /// An account calls a zone so.
    pub fn add(&mut self, account: &AccountId, name: ZoneName, id: ZoneId) {
        self.0.entry(account.clone()).or_default().insert(name, id);
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The id of a zone, where it is known or was written.
    #[must_use]
    pub fn id(&self, zone: Zone<'_>) -> Option<ZoneId> {
        let seen = self.0.get(zone.account).and_then(|names| names.get(zone.name));
        seen.cloned().or_else(|| zone.name.as_str().parse().ok())
    }

    /// Whether two are one zone; `None` where that cannot be told: names of two accounts, of which one was not seen.
    #[must_use]
    pub fn are_one(&self, one: Zone<'_>, other: Zone<'_>) -> Option<bool> {
        if one == other {
            return Some(true);
        }
        match (self.id(one), self.id(other)) {
            (Some(one), Some(other)) => Some(one == other),
            // Two names of one account.
            _ if one.account == other.account && !is_id(one) && !is_id(other) => Some(false),
            _ => None,
        }
    }

    /// Whether a zone is among those of an account; `None` where that cannot be told.
    pub(crate) fn is_among<'a>(
        &self,
        zone: Zone<'_>,
        account: &'a AccountId,
        names: impl IntoIterator<Item = &'a ZoneName>,
    ) -> Option<bool> {
        let mut is_told = true;
        for name in names {
            match self.are_one(zone, Zone { account, name }) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => is_told = false,
            }
        }
        is_told.then_some(false)
    }
}

/// Whether it is written as an id.
fn is_id(zone: Zone<'_>) -> bool {
    zone.name.as_str().parse::<ZoneId>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_within_an_account_and_ids_between_them() {
        let (ours, theirs): (AccountId, AccountId) =
            ("111111111111".parse().unwrap(), "222222222222".parse().unwrap());
        let names: Vec<ZoneName> =
            ["us-east-1a", "us-east-1b", "use1-az2"].map(|name| name.parse().unwrap()).into();
        let zone = |account, number: usize| Zone { account, name: &names[number] };
        let mut zones = Zones::default();
        assert_eq!(zones.are_one(zone(&ours, 0), zone(&ours, 0)), Some(true));
        assert_eq!(zones.are_one(zone(&ours, 0), zone(&ours, 1)), Some(false));
        assert_eq!(
            zones.are_one(zone(&ours, 0), zone(&theirs, 0)),
            None,
            "a name says nothing in another account"
        );
        assert_eq!(zones.are_one(zone(&ours, 0), zone(&ours, 2)), None);
        zones.add(&ours, names[0].clone(), "use1-az1".parse().unwrap());
        assert_eq!(zones.are_one(zone(&ours, 0), zone(&ours, 1)), Some(false));
        assert_eq!(zones.are_one(zone(&ours, 0), zone(&theirs, 1)), None);
        zones.add(&theirs, names[1].clone(), "use1-az1".parse().unwrap());
        zones.add(&theirs, names[0].clone(), "use1-az2".parse().unwrap());
        assert_eq!(zones.are_one(zone(&ours, 0), zone(&theirs, 0)), Some(false));
        assert_eq!(zones.are_one(zone(&ours, 0), zone(&theirs, 1)), Some(true));
        // An id is the same for everybody.
        assert_eq!(zones.are_one(zone(&ours, 2), zone(&theirs, 0)), Some(true));
        assert_eq!(zones.is_among(zone(&theirs, 1), &ours, [&names[1], &names[0]]), Some(true));
        assert_eq!(
            zones.is_among(zone(&theirs, 1), &ours, [&names[1]]),
            None,
            "nobody saw what b is at home"
        );
        assert_eq!(zones.is_among(zone(&theirs, 0), &ours, [&names[0]]), Some(false));
    }

    #[test]
    fn ids_and_names_have_different_forms() {
        for id in ["use1-az1", "apne1-az4", "usgw1-az2", "usw2-lax1-az1", "use1-wl1-bos-wlz1"] {
            assert!(id.parse::<ZoneId>().is_ok(), "{id}");
        }
        for name in ["us-east-1a", "us-west-2-lax-1a", "us-east-1-wl1-bos-wlz-1", "use1-az", "az1"] {
            assert!(name.parse::<ZoneId>().is_err(), "{name}");
        }
    }
}
