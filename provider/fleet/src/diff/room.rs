//! Who goes before others come: rooms of targets, of places, and of interfaces.
//!
//! AWS counts the sources of an interface target and the sessions of a place at every moment. Coverage comes before removal where
//! there is room for both; where there is not, whoever leaves goes first, and a move into a full target waits for a
//! round in which somebody has left it. A ring of full targets is opened by a source that goes by way of another
//! target. What AWS's limits are is decided in [`crate::expand`]; what the actions look like, in [`super::sessions`].

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::Draft;
use crate::diff::sessions::choose;
use crate::expand::{DesiredTarget, Expansion};
use crate::finding::{Finding, FindingKind, Sources};
use crate::given::Given;
use crate::ids::{InterfaceId, Label, MemberKey, ObjectKey, Place, TargetId};
use crate::inventory::{Destination, MirrorSession};
use crate::ownership::Owned;
use crate::problem::Path;
use crate::quota::{NLB_PACKET_LENGTH, SESSIONS_PER_PLACE};

/// How sessions come by their places.
#[derive(Default)]
pub(super) struct Room<'a> {
    /// Targets that cannot take those that come before those that go have gone.
    crowded: BTreeSet<&'a TargetId>,
    /// Places whose quota cannot.
    full: BTreeSet<&'a Place>,
    /// Interfaces whose session another account makes.
    handed_over: BTreeSet<&'a InterfaceId>,
    /// Sessions that leave crowded targets for others of the fleet, by source.
    routes: BTreeMap<&'a MemberKey, Route<'a>>,
}

/// The way of one session out of a crowded target, in rounds: one is over before the next begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route<'a> {
    /// A target in between, and the round in which it goes there.
    pub(super) via: Option<(usize, &'a ObjectKey)>,
    /// The round in which it gets where it shall be; `None` where that target will have no room, and only AWS knows what it says.
    pub(super) round: Option<usize>,
}

impl<'a> Room<'a> {
    /// Decides the order.
    ///
    /// # Errors
    /// An error finding where full targets would have to exchange sources and none of them may go elsewhere meanwhile.
    pub(super) fn of(
        draft: &Draft<'a>,
        desired: &'a Expansion,
        owned: &'a Owned,
    ) -> Result<Self, Box<Finding>> {
        let mut room = Self {
            full: full_places(desired, owned),
            handed_over: handed_over(desired, owned),
            ..Self::default()
        };
        let mut rooms = Rooms::of(draft, desired, owned);
        if rooms.targets.is_empty() {
            return Ok(room);
        }
        let crowded = rooms.crowded();
        room.crowded = crowded.iter().filter_map(|key| Some(&draft.serving_targets.get(key)?.id)).collect();
        rooms.walk(&crowded, desired, owned)?;
        room.routes = rooms.routes;
        Ok(room)
    }

    /// Whether a session that leaves the fleet must go before others come.
    pub(super) fn goes_first(&self, key: &MemberKey, session: &MirrorSession) -> bool {
        self.crowded.contains(&session.target)
            || self.full.contains(&key.place)
            || self.handed_over.contains(&key.interface)
    }

    /// The way of a session out of a crowded target.
    pub(super) fn route(&self, key: &MemberKey) -> Option<Route<'a>> {
        self.routes.get(key).copied()
    }

    /// Who uses which target in passing.
    pub(super) fn detours(&self) -> impl Iterator<Item = (&'a Place, &'a ObjectKey)> {
        self.routes.iter().filter_map(|(key, route)| Some((&key.place, route.via?.1)))
    }
}

/// Places where live sessions and new ones together, everybody's, are more than AWS allows.
fn full_places<'a>(desired: &'a Expansion, owned: &'a Owned) -> BTreeSet<&'a Place> {
    let mut counts: BTreeMap<&Place, usize> = BTreeMap::new();
    for (key, list) in owned.sessions.iter().chain(&owned.strangers) {
        *counts.entry(&key.place).or_default() += list.len();
    }
    for key in desired.sessions.keys().filter(|key| !owned.sessions.contains_key(*key)) {
        *counts.entry(&key.place).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > SESSIONS_PER_PLACE).map(|(place, _)| place).collect()
}

/// Interfaces whose session one account removes and another makes. AWS counts both on the interface, and shows
/// neither account the other's. <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-sessions.html>
fn handed_over<'a>(desired: &'a Expansion, owned: &'a Owned) -> BTreeSet<&'a InterfaceId> {
    let stays = |key: &MemberKey| desired.sessions.contains_key(key) || desired.kept.contains_key(key);
    let leaving: BTreeSet<&InterfaceId> =
        owned.sessions.keys().filter(|key| !stays(key)).map(|key| &key.interface).collect();
    let new = desired.sessions.keys().filter(|key| !owned.sessions.contains_key(*key));
    new.map(|key| &key.interface).filter(|interface| leaving.contains(interface)).collect()
}

/// Who sends to one target whose sources AWS limits.
struct Sending<'a> {
    limit: usize,
    /// At the moment, with how many sessions.
    now: BTreeMap<&'a MemberKey, usize>,
    /// Once everything is done.
    last: BTreeSet<&'a MemberKey>,
}

impl<'a> Sending<'a> {
    fn takes(&self, key: &MemberKey) -> bool {
        self.now.len() < self.limit || self.now.contains_key(key)
    }

    fn arrive(&mut self, key: &'a MemberKey) {
        *self.now.entry(key).or_default() += 1;
    }

    fn leave(&mut self, key: &'a MemberKey) {
        if let Some(count) = self.now.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.now.remove(key);
            }
        }
    }
}

/// A session that must get from one target to another.
struct Move<'a> {
    key: &'a MemberKey,
    session: &'a MirrorSession,
    from: &'a ObjectKey,
    to: &'a ObjectKey,
    /// Targets that the rule of its source admits; empty is all.
    admitted: &'a [Label],
    via: Option<(usize, &'a ObjectKey)>,
}

/// Targets with a limit, while sessions come and go.
struct Rooms<'a> {
    targets: BTreeMap<&'a ObjectKey, Sending<'a>>,
    /// The wanted target that each existing one serves as.
    by_id: BTreeMap<&'a TargetId, &'a ObjectKey>,
    routes: BTreeMap<&'a MemberKey, Route<'a>>,
}

impl<'a> Rooms<'a> {
    fn of(draft: &Draft<'a>, desired: &'a Expansion, owned: &'a Owned) -> Self {
        let by_id: BTreeMap<&TargetId, &ObjectKey> =
            draft.serving_targets.iter().map(|(key, target)| (&target.id, *key)).collect();
        let limited = desired.targets.iter().filter_map(|(key, target)| Some((key, target.limit?)));
        let mut targets: BTreeMap<&ObjectKey, Sending<'_>> = limited
            .map(|(key, limit)| (key, Sending { limit, now: BTreeMap::new(), last: BTreeSet::new() }))
            .collect();
        if targets.is_empty() {
            return Self { targets, by_id, routes: BTreeMap::new() };
        }
        for (stays, sessions) in [(false, &owned.sessions), (true, &owned.strangers)] {
            for (key, session) in
                sessions.iter().flat_map(|(key, list)| list.iter().map(move |one| (key, one)))
            {
                let Some(target) = by_id.get(&session.target).and_then(|at| targets.get_mut(at)) else {
                    continue;
                };
                target.arrive(key);
                if stays || desired.kept.contains_key(key) {
                    target.last.insert(key);
                }
            }
        }
        for (key, wanted) in &desired.sessions {
            if let Some(target) = targets.get_mut(&wanted.target) {
                target.last.insert(key);
            }
        }
        Self { targets, by_id, routes: BTreeMap::new() }
    }

    /// Those that everybody who sends there before or after does not fit into.
    fn crowded(&self) -> BTreeSet<&'a ObjectKey> {
        let is_crowded = |target: &Sending<'_>| {
            let new = target.last.iter().filter(|key| !target.now.contains_key(*key)).count();
            new > 0 && target.now.len() + new > target.limit
        };
        self.targets.iter().filter(|(_, target)| is_crowded(target)).map(|(key, _)| *key).collect()
    }

    /// Finds a way for everybody who leaves a crowded target.
    fn walk(
        &mut self,
        crowded: &BTreeSet<&ObjectKey>,
        desired: &'a Expansion,
        owned: &'a Owned,
    ) -> Result<(), Box<Finding>> {
        let at = |rooms: &Self, session: &MirrorSession| rooms.by_id.get(&session.target).copied();
        let mut gone: Vec<(&ObjectKey, &MemberKey)> = Vec::new();
        let mut waiting: Vec<Move<'_>> = Vec::new();
        for (key, list) in &owned.sessions {
            let wanted = desired.sessions.get(key);
            let serving = wanted.and_then(|wanted| choose(wanted, Some(list))).map(|(serving, _)| serving);
            for session in list {
                let Some(from) = at(self, session).filter(|from| crowded.contains(from)) else { continue };
                match wanted.filter(|_| serving.is_some_and(|serving| serving.id == session.id)) {
                    Some(wanted) if wanted.target != *from => {
                        let (to, admitted) = (&wanted.target, &*wanted.admitted);
                        waiting.push(Move { key, session, from, to, admitted, via: None });
                    }
                    Some(_) => {}
                    None if desired.kept.contains_key(key) => {}
                    None => gone.push((from, key)),
                }
            }
        }
        // Each round moves somebody, or opens a ring with somebody who never opens another.
        for round in 0.. {
            // Who is out of the ring holds room for nobody else: were it served before those inside, every exchange
            // would need a ring of its own.
            waiting.sort_by_key(|one| one.via.is_some());
            let mut left = Vec::new();
            for one in waiting {
                if self.takes(one.to, one.key) {
                    self.arrive(one.to, one.key);
                    gone.push((one.from, one.key));
                    self.routes.insert(one.key, Route { via: one.via, round: Some(round) });
                } else {
                    left.push(one);
                }
            }
            waiting = left;
            if waiting.is_empty() {
                break;
            }
            if gone.is_empty() && !self.open_ring(round, &mut waiting, desired, &mut gone) {
                return self.give_up(waiting);
            }
            for (from, key) in gone.drain(..) {
                if let Some(target) = self.targets.get_mut(from) {
                    target.leave(key);
                }
            }
        }
        Ok(())
    }

    fn takes(&self, target: &ObjectKey, key: &MemberKey) -> bool {
        self.targets.get(target).is_none_or(|target| target.takes(key))
    }

    fn arrive(&mut self, target: &'a ObjectKey, key: &'a MemberKey) {
        if let Some(target) = self.targets.get_mut(target) {
            target.arrive(key);
        }
    }

    /// Sends the first that may go elsewhere to a target with room.
    fn open_ring(
        &mut self,
        round: usize,
        waiting: &mut [Move<'a>],
        desired: &'a Expansion,
        gone: &mut Vec<(&'a ObjectKey, &'a MemberKey)>,
    ) -> bool {
        for one in waiting.iter_mut().filter(|one| one.via.is_none()) {
            let may_pass = |(key, target): &(&ObjectKey, &DesiredTarget)| {
                ![one.from, one.to].contains(key)
                    && (one.admitted.is_empty() || one.admitted.contains(&key.label))
                    && can_pass(one, key, target)
                    && self.takes(key, one.key)
            };
            // Another interface first: with a load balancer AWS cuts packets to its own default length meanwhile.
            let is_balancer = |target: &DesiredTarget| target.limit.is_none();
            let found = desired
                .targets
                .iter()
                .filter(may_pass)
                .min_by_key(|(key, target)| (is_balancer(target), *key));
            if let Some((via, _)) = found {
                self.arrive(via, one.key);
                gone.push((one.from, one.key));
                one.via = Some((round, via));
                one.from = via;
                return true;
            }
        }
        false
    }

    /// Nobody can move. Where targets are to take more than they can, what AWS says is not known, and they are tried
    /// all the same.
    fn give_up(&mut self, waiting: Vec<Move<'a>>) -> Result<(), Box<Finding>> {
        let is_over = |one: &Move<'_>| self.targets.get(one.to).is_some_and(|to| to.last.len() > to.limit);
        if waiting.iter().any(is_over) {
            self.routes.extend(waiting.into_iter().map(|one| (one.key, Route { via: one.via, round: None })));
            return Ok(());
        }
        let targets: BTreeSet<&Label> = waiting.iter().map(|one| &one.to.label).collect();
        let kind = FindingKind::RingOfFullTargets {
            targets: targets.into_iter().cloned().collect(),
            sources: Sources::of(waiting.iter().map(|one| one.key.clone())),
        };
        Err(Box::new(Finding::at(Path::root().attr("targets"), kind)))
    }
}

/// Whether AWS lets the session send there at all.
fn can_pass(one: &Move<'_>, key: &ObjectKey, target: &DesiredTarget) -> bool {
    let is_near = key.place.region == one.key.place.region;
    is_near
        && match target.destination {
            Given::Known(Destination::Interface(_)) => true,
            Given::Known(Destination::NetworkLoadBalancer(_)) => {
                one.session.packet_length.is_none_or(|length| length.get() <= NLB_PACKET_LENGTH)
            }
            // It lies in a network of its own, which the source's packets need not reach.
            Given::Known(Destination::GatewayLoadBalancerEndpoint(_)) | Given::Unknown | Given::Absent => {
                false
            }
        }
}
