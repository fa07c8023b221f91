//! What must hold of a laboratory: the state tells the world, nothing is there twice or left over, and planned values come back.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::ids::{MemberKey, Place};
use enigma_fleet::inventory::{PlaceInventory, Tags};
use enigma_fleet::ownership::{FLEET_TAG, own};
use enigma_tfplugin::{Dynamic, Value};

use super::lab::{Lab, Reviewed, Stored};

impl Lab {
    /// Everything that is not the fleet's.
    pub(super) fn strangers(&self) -> BTreeMap<Place, PlaceInventory> {
        let theirs = |tags: &Tags| tags.get(FLEET_TAG).is_none_or(|name| name != "prod");
        let of_place = |seen: PlaceInventory| PlaceInventory {
            targets: seen.targets.into_iter().filter(|target| theirs(&target.tags)).collect(),
            filters: seen.filters.into_iter().filter(|filter| theirs(&filter.tags)).collect(),
            sessions: seen.sessions.into_iter().filter(|session| theirs(&session.tags)).collect(),
            shares: seen.shares.into_iter().filter(|share| theirs(&share.tags)).collect(),
            ..PlaceInventory::default()
        };
        self.aws.all_contents().into_iter().map(|(place, seen)| (place, of_place(seen))).collect()
    }

    /// How many targets, filters and sessions the fleet has.
    pub(super) fn objects(&self) -> [usize; 3] {
        let owned = own(&"prod".parse().unwrap(), &self.aws.all_contents());
        [
            owned.targets.values().map(Vec::len).sum(),
            owned.filters.values().map(Vec::len).sum(),
            owned.sessions.values().map(Vec::len).sum(),
        ]
    }

    /// One session for each row and the reverse, with the same settings; one target and one filter for each id.
    pub(super) fn expect_state_is_world(&self) {
        self.expect_state_tells_the_world();
        let computed = self.stored.as_ref().map(Stored::computed).unwrap_or_default();
        assert!(
            self.rows().values().all(|row| row.state.as_ref().known().unwrap() == "active"),
            "{:?}",
            self.rows()
        );
        let count = |ids: Value<BTreeMap<String, _>>| ids.known().unwrap_or_default().len();
        let counted = [count(computed.target_ids), count(computed.filter_ids), self.rows().len()];
        assert_eq!(self.objects(), counted, "no duplicate and no orphan");
    }

    /// What the state calls active exists as described, what exists is in the state, and ids in it are ids of what exists.
    pub(super) fn expect_state_tells_the_world(&self) {
        let computed = self.stored.as_ref().map(Stored::computed).unwrap_or_default();
        let rows = self.rows();
        let ids = |ids: Value<BTreeMap<String, Value<String>>>| {
            let known = ids.known().unwrap_or_default().into_iter();
            known.filter_map(|(key, id)| Some((key, id.known()?))).collect::<BTreeMap<_, _>>()
        };
        let (targets, filters) = (ids(computed.target_ids), ids(computed.filter_ids));
        let owned = own(&"prod".parse().unwrap(), &self.aws.all_contents());
        for (key, id) in &targets {
            let served = owned.targets.get(&key.parse().unwrap()).into_iter().flatten();
            assert!(served.into_iter().any(|target| target.id.as_str() == id), "{key} is not {id}");
        }
        for (key, id) in &filters {
            let served = owned.filters.get(&key.parse().unwrap()).into_iter().flatten();
            assert!(served.into_iter().any(|filter| filter.id.as_str() == id), "{key} is not {id}");
        }
        for key in owned.sessions.keys() {
            assert!(rows.contains_key(&key.to_string()), "{key} is mirrored and not in the state");
        }
        // Labels of targets are unique over the fleet, wherever they are.
        let target_ids: BTreeSet<(&str, &str)> = owned
            .targets
            .iter()
            .flat_map(|(key, list)| list.iter().map(|one| (key.label.as_str(), one.id.as_str())))
            .collect();
        for (text, row) in rows.iter().filter(|(_, row)| row.state.as_ref().known().unwrap() == "active") {
            let key: MemberKey = text.parse().unwrap();
            let session = owned.sessions.get(&key).and_then(|sessions| sessions.first());
            let session = session.unwrap_or_else(|| panic!("{text} is in the state and not mirrored"));
            assert_eq!(row.session_id.as_ref().known().map(String::as_str), Some(session.id.as_str()));
            assert_eq!(row.session_number, i64::from(session.number));
            assert_eq!(row.virtual_network_id, session.vni.map(i64::from));
            if let Some(label) = &row.target {
                let serves = target_ids.contains(&(label.as_str(), session.target.as_str()));
                assert!(serves, "{text} does not send to {label}");
            }
            if let Some(label) = &row.filter {
                let at = format!("{}/{label}", key.place).parse().unwrap();
                let serves =
                    owned.filters.get(&at).into_iter().flatten().any(|filter| filter.id == session.filter);
                assert!(serves, "{text} does not use {at}");
            }
        }
    }

    /// Each share of the state is there, for exactly those accounts and targets, and there is no other of the fleet.
    pub(super) fn expect_shares(&self, wanted: &[(&Place, &[&str], &[&str])]) {
        let stored = self.stored.as_ref().map(Stored::computed).unwrap_or_default();
        let stated = stored.shares.known().unwrap_or_default();
        let owned = own(&"prod".parse().unwrap(), &self.aws.all_contents());
        assert_eq!((stated.len(), owned.shares.len()), (wanted.len(), wanted.len()), "{stated:?}");
        for (place, accounts, targets) in wanted {
            let share = &stated[&place.to_string()];
            assert_eq!((&share.accounts[..], &share.targets[..]), (&text(accounts)[..], &text(targets)[..]));
            let [real] = &owned.shares[*place][..] else { panic!("{:?}", owned.shares) };
            assert_eq!(share.arn.as_ref().known().map(String::as_str), Some(real.arn.as_str()));
            assert_eq!(real.principals.keys().cloned().collect::<Vec<_>>(), text(accounts));
            assert!(real.principals.values().chain(real.targets.values()).all(|status| status.is_held()));
            assert_eq!(real.targets.len(), targets.len());
        }
    }

    /// Of the fleet there is nothing anywhere, and no state.
    pub(super) fn expect_nothing_left(&self) {
        let owned = own(&"prod".parse().unwrap(), &self.aws.all_contents());
        assert!(owned.is_empty(), "{owned:#?}");
        assert_eq!(self.stored, None);
    }
}

fn text(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Where `actual` is not what was planned: Terraform's rule that known values come back and keys neither come nor go.
pub(super) fn differences(planned: &Dynamic, actual: &Dynamic, at: String) -> Vec<String> {
    match (planned, actual) {
        (Dynamic::Unknown, _) => Vec::new(),
        (Dynamic::Map(planned), Dynamic::Map(actual)) => {
            let keys: BTreeSet<&String> = planned.keys().chain(actual.keys()).collect();
            keys.into_iter()
                .flat_map(|key| match (planned.get(key), actual.get(key)) {
                    (Some(planned), Some(actual)) => differences(planned, actual, format!("{at}.{key}")),
                    (planned, _) => vec![format!("{at}.{key} was planned: {}", planned.is_some())],
                })
                .collect()
        }
        _ if planned == actual => Vec::new(),
        _ => vec![format!("{at}: {planned:?} became {actual:?}")],
    }
}

pub(super) fn differences_of(reviewed: &Reviewed) -> Vec<String> {
    let prior = reviewed.prior.as_ref().map(|prior| prior.value.clone()).unwrap_or_default();
    differences(&prior, &reviewed.planned, String::new())
}
