//! What must hold of a laboratory: the state tells the world, nothing is there twice or left over, and planned values come back.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::inventory::{PlaceInventory, Tags};
use enigma_fleet::ownership::{FLEET_TAG, own};
use enigma_tfplugin::{Dynamic, Value};

use super::lab::{Lab, Reviewed, Stored, home, key};

impl Lab {
    /// Everything that is not the fleet's.
    pub(super) fn strangers(&self) -> PlaceInventory {
        let theirs = |tags: &Tags| tags.get(FLEET_TAG).is_none_or(|name| name != "prod");
        let seen = self.aws.contents(&home());
        PlaceInventory {
            targets: seen.targets.into_iter().filter(|target| theirs(&target.tags)).collect(),
            filters: seen.filters.into_iter().filter(|filter| theirs(&filter.tags)).collect(),
            sessions: seen.sessions.into_iter().filter(|session| theirs(&session.tags)).collect(),
            ..PlaceInventory::default()
        }
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
        let seen = self.aws.contents(&home());
        let computed = self.stored.as_ref().map(Stored::computed).unwrap_or_default();
        let rows = self.rows();
        let ids = |ids: Value<BTreeMap<String, Value<String>>>| {
            let known = ids.known().unwrap_or_default().into_iter();
            known.filter_map(|(key, id)| Some((key, id.known()?))).collect::<BTreeMap<_, _>>()
        };
        let (targets, filters) = (ids(computed.target_ids), ids(computed.filter_ids));
        let owned = own(&"prod".parse().unwrap(), &self.aws.all_contents());
        assert!(
            targets.values().all(|id| seen.targets.iter().any(|target| target.id.as_str() == id)),
            "{targets:?}"
        );
        assert!(
            filters.values().all(|id| seen.filters.iter().any(|filter| filter.id.as_str() == id)),
            "{filters:?}"
        );
        for session in self.sessions() {
            let key = key(&session.interface).to_string();
            assert!(rows.contains_key(&key), "{key} is mirrored and not in the state");
        }
        for (text, row) in rows.iter().filter(|(_, row)| row.state.as_ref().known().unwrap() == "active") {
            let interface = text.rsplit('/').next().unwrap();
            let session = self.sessions().into_iter().find(|session| session.interface.as_str() == interface);
            let session = session.unwrap_or_else(|| panic!("{text} is in the state and not mirrored"));
            assert_eq!(row.session_id.as_ref().known().map(String::as_str), Some(session.id.as_str()));
            assert_eq!(row.session_number, i64::from(session.number));
            assert_eq!(row.virtual_network_id, session.vni.map(i64::from));
            let at = |label: &Option<String>| {
                label.as_ref().map(|label| format!("{}/{label}", home()).parse().unwrap())
            };
            if let Some(key) = at(&row.target) {
                let serves =
                    owned.targets.get(&key).into_iter().flatten().any(|target| target.id == session.target);
                assert!(serves, "{text} does not send to {key}");
            }
            if let Some(key) = at(&row.filter) {
                let serves =
                    owned.filters.get(&key).into_iter().flatten().any(|filter| filter.id == session.filter);
                assert!(serves, "{text} does not use {key}");
            }
        }
    }
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
