//! Sessions: made, changed in place, removed.

use crate::actions::{Action, Ref, Resource, SessionChange, SessionSettings};
use crate::diff::room::{Room, Route};
use crate::diff::{Circumstances, Draft};
use crate::expand::{DesiredSession, Expansion};
use crate::given::Given;
use crate::ids::{MemberKey, PacketLength, SessionNumber};
use crate::inventory::{Destination, MirrorSession};
use crate::ownership::Owned;
use crate::plan::{HeldBack, Holder, Stage};
use crate::quota::{NLB_PACKET_LENGTH, SESSIONS_PER_SOURCE};

impl<'a> Draft<'a> {
    pub(super) fn sessions(
        &mut self,
        desired: &'a Expansion,
        owned: &'a Owned,
        around: &Circumstances,
        room: &Room<'a>,
    ) {
        for (key, wanted) in &desired.sessions {
            let strangers = owned.strangers.get(key).map_or(&[][..], Vec::as_slice);
            let Some((serving, others)) = choose(wanted, owned.sessions.get(key)) else {
                if around.source_gone.contains(key) {
                    self.source_gone.insert(key.clone());
                } else if let Some(held_back) = hold_back(wanted.number, strangers) {
                    self.held_back.insert(key.clone(), held_back);
                } else {
                    self.create(key, wanted);
                }
                continue;
            };
            // Duplicates first: one may hold the number that the other shall have.
            for other in others {
                self.delete(Stage::FreedSources, key, other);
            }
            let number = self.number(key, wanted, serving, strangers);
            self.change(key, wanted, serving, number, room.route(key), desired);
            if let Given::Known(tags) = &wanted.tags {
                let resource = Resource::Session(serving.id.clone());
                self.retag(&key.place, resource, &serving.tags, tags, around);
            }
        }
        for (key, sessions) in &owned.sessions {
            if desired.sessions.contains_key(key) {
                continue;
            }
            for session in sessions {
                if desired.kept.contains_key(key) {
                    self.used_targets.insert(session.target.clone());
                    self.used_filters.insert(session.filter.clone());
                    continue;
                }
                let stage = if self.new_receivers.contains(&key.interface) {
                    Stage::FreedInterfaces
                } else if room.goes_first(key, session) {
                    Stage::FreedSources
                } else {
                    Stage::RemovedSessions
                };
                self.delete(stage, key, session);
            }
        }
    }

    fn create(&mut self, key: &MemberKey, wanted: &DesiredSession) {
        let settings = SessionSettings {
            target: self.target_ref(&wanted.target),
            filter: self.filter_ref(&wanted.filter),
            number: wanted.number,
            vni: wanted.vni,
            packet_length: wanted.packet_length,
            description: wanted.description.clone(),
        };
        let tags = wanted.tags.known().cloned().unwrap_or_default();
        self.push(Stage::NewSessions, Action::CreateSession { key: key.clone(), settings, tags });
    }

    /// The number to change to, if any. One that somebody took waits; the rest of the change does not depend on it, and what the
    /// session used before may be about to go.
    fn number(
        &mut self,
        key: &MemberKey,
        wanted: &DesiredSession,
        serving: &MirrorSession,
        strangers: &[MirrorSession],
    ) -> Option<SessionNumber> {
        let number = Some(wanted.number).filter(|number| *number != serving.number)?;
        let Some(by) = holder(number, strangers) else { return Some(number) };
        let held_back = HeldBack::NumberTaken { number, by, keeps: Some(serving.number) };
        self.held_back.insert(key.clone(), held_back);
        None
    }

    fn change(
        &mut self,
        key: &MemberKey,
        wanted: &DesiredSession,
        serving: &MirrorSession,
        number: Option<SessionNumber>,
        route: Option<Route<'a>>,
        desired: &Expansion,
    ) {
        let target = self.target_ref(&wanted.target);
        let filter = self.filter_ref(&wanted.filter);
        let moves = target != Ref::Existing(serving.target.clone());
        let is_nlb = |key| {
            let target = desired.targets.get(key);
            target.is_some_and(|one| {
                matches!(one.destination, Given::Known(Destination::NetworkLoadBalancer(_)))
            })
        };
        let to_nlb = is_nlb(&wanted.target);
        let mut change = SessionChange {
            target: moves.then_some(target),
            filter: (filter != Ref::Existing(serving.filter.clone())).then_some(filter),
            number,
            vni: (Some(wanted.vni.get()) != serving.vni).then_some(wanted.vni),
            packet_length: (!is_same_length(wanted.packet_length, serving.packet_length, to_nlb))
                .then_some(wanted.packet_length),
            description: (wanted.description != serving.description).then(|| wanted.description.clone()),
        };
        if change == SessionChange::default() {
            return;
        }
        let modify = |change| Action::ModifySession { key: key.clone(), id: serving.id.clone(), change };
        if let Some((round, via)) = route.and_then(|route| route.via) {
            let target = Some(self.target_ref(via));
            let passing = SessionChange { target, ..SessionChange::default() };
            self.push_in(Stage::FreedSources, round, modify(passing));
            // AWS may have set its length for load balancers meanwhile.
            if is_nlb(via) && !to_nlb {
                change.packet_length = Some(wanted.packet_length);
            }
        }
        match route.and_then(|route| route.round) {
            Some(round) => self.push_in(Stage::FreedSources, round, modify(change)),
            None => self.push(Stage::ChangedSessions, modify(change)),
        }
    }

    fn delete(&mut self, stage: Stage, key: &MemberKey, session: &MirrorSession) {
        self.push(stage, Action::DeleteSession { key: key.clone(), id: session.id.clone() });
    }
}

/// What of others is in the way of a new session. The plan was reviewed when it was not there.
fn hold_back(number: SessionNumber, strangers: &[MirrorSession]) -> Option<HeldBack> {
    if strangers.len() >= SESSIONS_PER_SOURCE {
        return Some(HeldBack::SlotsTaken { number, by: strangers.iter().map(Holder::of).collect() });
    }
    holder(number, strangers).map(|by| HeldBack::NumberTaken { number, by, keeps: None })
}

fn holder(number: SessionNumber, strangers: &[MirrorSession]) -> Option<Holder> {
    strangers.iter().find(|session| session.number == number).map(Holder::of)
}

/// Whether an observed truncation is the wanted one. Without one, AWS sets and reports 8500 for Network Load Balancers.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTrafficMirrorSession.html>
pub(crate) fn is_same_length(
    wanted: Option<PacketLength>,
    observed: Option<PacketLength>,
    to_nlb: bool,
) -> bool {
    let is_default = to_nlb && wanted.is_none() && observed.map(PacketLength::get) == Some(NLB_PACKET_LENGTH);
    wanted == observed || is_default
}

/// The session that stays and those that are too many: the one nearest to what is wanted, then the first by id.
pub(super) fn choose<'s>(
    wanted: &DesiredSession,
    existing: Option<&'s Vec<MirrorSession>>,
) -> Option<(&'s MirrorSession, Vec<&'s MirrorSession>)> {
    let existing = existing?;
    let serving = existing.iter().min_by_key(|session| {
        let is_near = session.number == wanted.number && session.vni == Some(wanted.vni.get());
        (!is_near, &session.id)
    })?;
    Some((serving, existing.iter().filter(|session| session.id != serving.id).collect()))
}
