//! What the fleet had before.

use std::collections::{BTreeMap, BTreeSet};

use crate::expand::Facts;
use crate::ids::{
    FleetName, InterfaceId, Label, MemberKey, PacketLength, Place, SessionId, SessionNumber, Vni,
};
use crate::selection::{HeldSession, Member, SkipReason, Skipped};
use crate::spec::FleetSpec;

/// Everything a plan remembers: state, not observation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prior {
    /// Sessions by source.
    pub sessions: BTreeMap<MemberKey, PriorSession>,
    /// VNIs of others that a collector of this fleet sees.
    pub stranger_vnis: BTreeSet<u32>,
    /// VNIs that were freed a while ago and rest, from [`Resting::vnis`](crate::expand::Resting::vnis).
    pub resting: BTreeSet<u32>,
    /// Places that could not be read: sessions there stay although their sources are no members now.
    pub unread: BTreeSet<Place>,
}

/// One session as remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorSession {
    /// Its id, once it exists.
    pub session: Option<SessionId>,
    /// Its target.
    pub target: Option<Label>,
    /// Its filter.
    pub filter: Option<Label>,
    /// Its number.
    pub number: SessionNumber,
    /// Its VNI; `None` where it had one that cannot be kept.
    pub vni: Option<Vni>,
    /// Its truncation.
    pub packet_length: Option<PacketLength>,
    /// The rule that chose it.
    pub rule: Option<Label>,
    /// Whether it exists.
    pub state: PriorState,
}

/// Whether a remembered session exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PriorState {
    /// It exists.
    Active,
    /// Someone deleted it; its source is still there.
    Missing,
    /// It was promised and not made yet.
    Pending,
    /// Its source is gone, and the session with it.
    SourceGone,
}

impl PriorState {
    /// Every state, in the order of names.
    pub const ALL: [Self; 4] = [Self::Active, Self::Missing, Self::Pending, Self::SourceGone];

    /// As in Terraform's state.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Missing => "missing",
            Self::Pending => "pending",
            Self::SourceGone => "source_gone",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the session exists.
    #[must_use]
    pub fn is_live(self) -> bool {
        self == Self::Active
    }
}

impl Prior {
    /// The live sessions in places that could not be read, by interface.
    pub(super) fn out_of_sight(&self) -> BTreeMap<&InterfaceId, &MemberKey> {
        if self.unread.is_empty() {
            return BTreeMap::new();
        }
        let stays = self
            .sessions
            .iter()
            .filter(|(key, session)| self.unread.contains(&key.place) && session.state.is_live());
        stays.map(|(key, _)| (&key.interface, key)).collect()
    }

    /// Why a member has to wait for an account that cannot be read. Where that account's session is on the interface
    /// already, the owner of the subnet sees the interface too, and would mirror it a second time, with a number that
    /// may be in use.
    pub(super) fn reason_to_wait(
        &self,
        key: &MemberKey,
        out_of_sight: &BTreeMap<&InterfaceId, &MemberKey>,
    ) -> Option<Skipped> {
        let other = out_of_sight.get(&key.interface).filter(|other| other.place != key.place)?;
        // What it has already stays: two sessions are no harm, and one that is taken away for nothing is.
        let has_own = self.sessions.get(key).is_some_and(|session| session.state.is_live());
        (!has_own).then(|| Skipped {
            reason: SkipReason::KeptElsewhere,
            detail: format!(
                "the fleet's session of {} mirrors it, and stays while that account cannot be read",
                other.place
            ),
        })
    }

    /// Members with the sessions that the state knows as the fleet's, where somebody removed the tags that say so.
    /// `None` where there is none, which is the rule, so that ten thousand members are not copied for nothing.
    pub(super) fn claim(
        &self,
        fleet: &FleetName,
        members: &BTreeMap<MemberKey, Member>,
    ) -> Option<BTreeMap<MemberKey, Member>> {
        let is_lost = |key: &MemberKey, held: &HeldSession| {
            let known = self.sessions.get(key).and_then(|session| session.session.as_ref());
            held.fleet.is_none() && known == Some(&held.session)
        };
        let lost: Vec<MemberKey> = members
            .iter()
            .filter(|(key, member)| member.held.iter().any(|held| is_lost(key, held)))
            .map(|(key, _)| key.clone())
            .collect();
        if lost.is_empty() {
            return None;
        }
        let mut members = members.clone();
        for key in &lost {
            let held = members.get_mut(key).into_iter().flat_map(|member| &mut member.held);
            for held in held.filter(|held| is_lost(key, held)) {
                held.fleet = Some(fleet.to_string());
            }
        }
        Some(members)
    }

    /// What is remembered, and beside it sessions of this fleet that a selection saw and the state does not know (made by sync,
    /// or state was lost). What lives keeps its target, number and VNI either way.
    pub(super) fn with_observed(
        &self,
        spec: &FleetSpec,
        members: &BTreeMap<MemberKey, Member>,
        facts: &Facts,
    ) -> Self {
        let fleet = &spec.name;
        let label = |held: &HeldSession| held.target.as_ref().and_then(|id| facts.labels.get(id)).cloned();
        let mut known = self.clone();
        for (key, member) in members {
            if let Some(session) = known.sessions.get_mut(key) {
                // A label that is gone may have been renamed: then the session stays where it sends.
                if session.target.as_ref().is_some_and(|target| !spec.targets.contains_key(target)) {
                    let it = member.held.iter().find(|held| Some(&held.session) == session.session.as_ref());
                    session.target = it.and_then(label).or_else(|| session.target.take());
                }
                continue;
            }
            let ours = member.held.iter().filter(|held| held.fleet.as_deref() == Some(fleet.as_str()));
            // By id, as everywhere where one of several is chosen.
            if let Some(held) = ours.min_by_key(|held| &held.session) {
                let vni = held.vni.and_then(|vni| Vni::try_from(i64::from(vni)).ok());
                let session = PriorSession {
                    session: Some(held.session.clone()),
                    target: label(held),
                    filter: None,
                    number: held.number,
                    vni,
                    packet_length: None,
                    rule: None,
                    state: PriorState::Active,
                };
                known.sessions.insert(key.clone(), session);
            }
        }
        for member in members.values() {
            known.stranger_vnis.extend(super::strangers(fleet, member).filter_map(|held| held.vni));
        }
        known
    }
}
