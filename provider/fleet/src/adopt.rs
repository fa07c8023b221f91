//! Sessions that no fleet owns and that already do what the fleet wants: they are taken over instead of doubled.
//!
//! [`Adoptable`] sessions are found in an observation; which of them are taken is decided by [`crate::expand`], so
//! that a reviewer sees each. A session with a fleet's tag, this one's or another's, is never adoptable. The
//! session's owner must have been read itself: another account's view of a session does not show its tags.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::expand::{Prior, PriorSession, PriorState};
use crate::given::Given;
use crate::ids::{
    FleetName, Label, MemberKey, PacketLength, Place, Region, SessionId, SessionNumber, TargetId, Vni,
};
use crate::inventory::{Destination, PlaceInventory};
use crate::ownership::FLEET_TAG;
use crate::selection::Member;
use crate::spec::{Adopt, FleetSpec};

/// A session that may be taken over, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoptable {
    /// Its id.
    pub session: SessionId,
    /// The fleet's target whose destination it already sends to.
    pub target: Label,
    /// Its number.
    pub number: SessionNumber,
    /// Its VNI; plain because strangers may hold values that we would not give.
    pub vni: Option<u32>,
    /// Its truncation.
    pub packet_length: Option<PacketLength>,
}

/// Every adoptable session by source, the one to take where there are several: the lowest number, which sees packets first.
/// Empty unless the specification asks for adoption.
#[must_use]
pub fn adoptable(
    spec: &FleetSpec,
    home: &Place,
    places: &BTreeMap<Place, PlaceInventory>,
) -> BTreeMap<MemberKey, Adoptable> {
    let mut found: BTreeMap<MemberKey, Adoptable> = BTreeMap::new();
    if spec.safety.adopt == Adopt::None {
        return found;
    }
    let labels: BTreeMap<(&Destination, Region), &Label> = spec
        .targets
        .iter()
        .filter_map(|(label, target)| match &target.destination {
            Given::Known(destination) => Some(((destination, target.place(home).region), label)),
            _ => None,
        })
        .collect();
    let destinations: BTreeMap<&TargetId, &Destination> = places
        .values()
        .flat_map(|seen| &seen.targets)
        .map(|target| (&target.id, &target.destination))
        .collect();
    for (place, seen) in places {
        for session in &seen.sessions {
            if session.owner != place.account || session.tags.contains_key(FLEET_TAG) {
                continue;
            }
            let label =
                destinations.get(&session.target).and_then(|one| labels.get(&(*one, place.region.clone())));
            let Some(label) = label else { continue };
            let one = Adoptable {
                session: session.id.clone(),
                target: (*label).clone(),
                number: session.number,
                vni: session.vni,
                packet_length: session.packet_length,
            };
            let key = MemberKey { place: place.clone(), interface: session.interface.clone() };
            let is_better = found
                .get(&key)
                .is_none_or(|known| (one.number, &one.session) < (known.number, &known.session));
            if is_better {
                found.insert(key, one);
            }
        }
    }
    found
}

/// Those that are taken: of members that have no session of the fleet yet, neither remembered nor seen.
pub(crate) fn choose(
    fleet: &FleetName,
    members: &BTreeMap<MemberKey, Member>,
    prior: &Prior,
    adoptable: &BTreeMap<MemberKey, Adoptable>,
) -> BTreeMap<MemberKey, Adoptable> {
    let is_taken = |(key, one): &(&MemberKey, &Adoptable)| {
        let Some(member) = members.get(*key) else { return false };
        let has_own = prior.sessions.get(*key).is_some_and(|session| session.state.is_live())
            || member.held.iter().any(|held| held.fleet.as_deref() == Some(fleet.as_str()));
        // A newer look may have seen a tag on it.
        let is_claimed = member.held.iter().any(|held| held.session == one.session && held.fleet.is_some());
        !has_own && !is_claimed
    };
    adoptable.iter().filter(is_taken).map(|(key, one)| (key.clone(), one.clone())).collect()
}

/// Members as they are once the chosen sessions are the fleet's.
pub(crate) fn members_with(
    fleet: &FleetName,
    members: &BTreeMap<MemberKey, Member>,
    adopted: &BTreeMap<MemberKey, Adoptable>,
) -> BTreeMap<MemberKey, Member> {
    let mut members = members.clone();
    for (key, one) in adopted {
        let held = members.get_mut(key).map(|member| member.held.iter_mut());
        for held in held.into_iter().flatten().filter(|held| held.session == one.session) {
            held.fleet = Some(fleet.to_string());
        }
    }
    members
}

/// Remembers what is taken over as if it had always been the fleet's, so that it keeps what fits: target, number and VNI.
pub(crate) fn remember(
    known: &mut Prior,
    adopted: &BTreeMap<MemberKey, Adoptable>,
    still_strange: &BTreeSet<u32>,
) {
    for one in adopted.values() {
        known.stranger_vnis.retain(|vni| Some(*vni) != one.vni || still_strange.contains(vni));
    }
    for (key, one) in adopted {
        let session = PriorSession {
            session: Some(one.session.clone()),
            target: Some(one.target.clone()),
            filter: None,
            number: one.number,
            vni: one.vni.and_then(|vni| Vni::try_from(i64::from(vni)).ok()),
            packet_length: one.packet_length,
            rule: None,
            state: PriorState::Active,
        };
        known.sessions.insert(key.clone(), session);
    }
}
