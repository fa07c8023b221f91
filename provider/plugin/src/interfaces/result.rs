//! The data source's results from a selection: pure.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::ids::{InstanceId, InterfaceId, Place};
use enigma_fleet::inventory::{Instance, Interface, Inventory};
use enigma_fleet::reach::{LeftOut, Reach};
use enigma_fleet::selection::Selection;
use enigma_tfplugin::Dynamic;

use crate::member::{MemberModel, chosen_tags};
use crate::observation;

/// What the results are made of.
pub(super) struct Seen<'a> {
    /// Places where sources were looked for.
    pub(super) wanted: &'a BTreeSet<Place>,
    /// What was read, in places of targets too.
    pub(super) inventory: &'a Inventory,
    pub(super) found: &'a Selection,
    pub(super) reach: &'a Reach,
    /// Keys of tags for the directory.
    pub(super) directory_tags: &'a BTreeSet<String>,
}

/// The configuration with the results filled in.
pub(super) fn fill(config: Dynamic, seen: &Seen<'_>) -> Dynamic {
    let found = seen.found;
    let mut by_reason: BTreeMap<&str, i64> = BTreeMap::new();
    for skipped in found.skipped.values() {
        *by_reason.entry(skipped.reason.as_str()).or_default() += 1;
    }
    let skipped = found.skipped.iter().map(|(key, skipped)| {
        let reason = Dynamic::from(skipped.reason.as_str());
        (key.to_string(), Dynamic::map([("reason", reason), ("detail", skipped.detail.as_str().into())]))
    });
    let left_out = seen.reach.left_out().iter().map(|(account, why)| {
        let why = match why {
            LeftOut::Excluded => "excluded in the provider block".to_owned(),
            LeftOut::Inactive(status) => format!("not active in the organization: {status}"),
        };
        (account.to_string(), why)
    });
    let unread = found.unread.iter().map(|(place, why)| (place.to_string(), why.as_str()));
    let computed = [
        ("members", members(seen)),
        ("skipped", Dynamic::map(skipped)),
        ("skipped_by_reason", Dynamic::map(by_reason)),
        ("unread", Dynamic::map(unread)),
        ("left_out", Dynamic::map(left_out)),
        ("by_place", by_place(seen)),
        ("matched_count", count(found.matched())),
        ("member_count", count(found.members.len())),
        ("skipped_count", count(found.skipped.len())),
        ("unmatched_count", count(found.unmatched)),
        ("summary", found.summary.as_str().into()),
    ];
    let mut state = config;
    if let Dynamic::Map(attributes) = &mut state {
        attributes.extend(computed.map(|(name, value)| (name.to_owned(), value)));
    }
    state
}

fn members(seen: &Seen<'_>) -> Dynamic {
    let interfaces: BTreeMap<(&Place, &InterfaceId), &Interface> = seen
        .inventory
        .places
        .iter()
        .flat_map(|(place, seen)| seen.interfaces.iter().map(move |one| ((place, &one.id), one)))
        .collect();
    let instances: BTreeMap<(&Place, &InstanceId), &Instance> = seen
        .inventory
        .places
        .iter()
        .flat_map(|(place, seen)| seen.instances.iter().map(move |one| ((place, &one.id), one)))
        .collect();
    let members = seen.found.members.iter().map(|(key, member)| {
        let interface = interfaces.get(&(&key.place, &key.interface));
        let instance = member.instance.as_ref().and_then(|id| instances.get(&(&key.place, id)));
        let addresses = interface.map(|one| one.addresses()).unwrap_or_default();
        let tags =
            chosen_tags(seen.directory_tags, instance.map(|one| &one.tags), interface.map(|one| &one.tags));
        (key.to_string(), MemberModel::of(member, addresses, tags))
    });
    let places = observation::places(seen.inventory, &seen.found.members, &seen.reach.home().account)
        .into_iter()
        .map(|(place, entry)| {
            (place.to_string(), MemberModel { place: Some(entry), ..MemberModel::default() })
        });
    Dynamic::map(members.chain(places).map(|(key, model)| (key, model.to_dynamic())))
}

fn by_place(seen: &Seen<'_>) -> Dynamic {
    let mut counts: BTreeMap<&Place, (usize, usize)> = seen
        .wanted
        .iter()
        .filter(|place| seen.inventory.places.contains_key(*place))
        .map(|place| (place, (0, 0)))
        .collect();
    for key in seen.found.members.keys() {
        counts.entry(&key.place).or_default().0 += 1;
    }
    for key in seen.found.skipped.keys() {
        counts.entry(&key.place).or_default().1 += 1;
    }
    Dynamic::map(counts.into_iter().map(|(place, (members, skipped))| {
        let name = seen.reach.accounts().get(&place.account).map_or("", |reached| reached.name.as_str());
        let row = [
            ("account", Dynamic::from(name)),
            ("member_count", count(members)),
            ("skipped_count", count(skipped)),
        ];
        (place.to_string(), Dynamic::map(row))
    }))
}

fn count(n: usize) -> Dynamic {
    Dynamic::from(i64::try_from(n).unwrap_or(i64::MAX))
}
