//! What an apply leaves alone because a place could not be read: one account or Region must not stop the others. Pure.
//!
//! Nothing is wanted of sources in such a place, and nothing of sources elsewhere that send to a target in it:
//! whether that target is there cannot be told. Both stay as they are until the place can be read again, and what is
//! not as wanted is told.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::expand::{DesiredSession, Expansion, PriorSession, PriorState};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{MemberKey, ObjectKey, Place};
use enigma_fleet::inventory::MirrorSession;
use enigma_fleet::ownership::Owned;

/// What was left alone.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// Places where something was to be done and nothing was tried, with the reason why not.
    pub(super) unread: BTreeMap<Place, String>,
    /// Every place that could not be read.
    pub(super) blind: BTreeSet<Place>,
    /// Sources in other places whose target is in one of them, with that place. Their sessions are as they were.
    pub(super) waiting: BTreeMap<MemberKey, Place>,
}

/// Takes what cannot be had now out of `expansion`. `concerned` are the unread places where something was to be done
/// with sources,
/// `settled` the targets that nothing was to be done with.
pub(super) fn set(
    expansion: &mut Expansion,
    owned: &Owned,
    unread: &BTreeMap<Place, String>,
    mut concerned: BTreeSet<Place>,
    settled: &BTreeSet<ObjectKey>,
) -> Apart {
    let is_read = |place: &Place| !unread.contains_key(place);
    expansion.sessions.retain(|key, _| is_read(&key.place));
    let waiting: BTreeMap<MemberKey, DesiredSession> =
        expansion.sessions.extract_if(.., |_, wanted| !is_read(&wanted.target.place)).collect();
    expansion.adopted.retain(|key, _| expansion.sessions.contains_key(key));
    expansion.filters.retain(|key, _| is_read(&key.place));
    let untold = expansion.targets.keys().filter(|key| !is_read(&key.place) && !settled.contains(*key));
    concerned.extend(untold.map(|key| key.place.clone()));
    expansion.targets.retain(|key, _| is_read(&key.place));
    expansion.shares.retain(|place, _| is_read(place));
    for (key, wanted) in &waiting {
        if !is_as_wanted(owned.sessions.get(key).and_then(|list| list.first()), wanted, owned) {
            concerned.insert(wanted.target.place.clone());
        }
        expansion.kept.insert(key.clone(), as_remembered(wanted));
    }
    Apart {
        unread: unread
            .iter()
            .filter(|(place, _)| concerned.contains(*place))
            .map(|(place, why)| (place.clone(), why.clone()))
            .collect(),
        blind: unread.keys().cloned().collect(),
        waiting: waiting.into_iter().map(|(key, wanted)| (key, wanted.target.place)).collect(),
    }
}

/// Whether nothing would be done with a session if its target could be seen.
fn is_as_wanted(session: Option<&MirrorSession>, wanted: &DesiredSession, owned: &Owned) -> bool {
    let Some(session) = session else { return false };
    let filters = owned.filters.get(&wanted.filter).into_iter().flatten();
    let mut targets_in_sight = owned.targets.values().flatten();
    session.number == wanted.number
        && session.vni == Some(wanted.vni.get())
        && wanted.packet_length.is_none_or(|length| session.packet_length == Some(length))
        && filters.into_iter().any(|filter| filter.id == session.filter)
        // One that sends to a target in sight is to move to one that is not.
        && !targets_in_sight.any(|target| target.id == session.target)
        && match &wanted.tags {
            Given::Known(tags) => tags.iter().all(|(key, value)| session.tags.get(key) == Some(value)),
            _ => true,
        }
}

fn as_remembered(wanted: &DesiredSession) -> PriorSession {
    PriorSession {
        session: None,
        target: Some(wanted.target.label.clone()),
        filter: Some(wanted.filter.label.clone()),
        number: wanted.number,
        vni: Some(wanted.vni),
        packet_length: wanted.packet_length,
        rule: Some(wanted.rule.clone()),
        state: PriorState::Active,
    }
}
