//! Room while a plan is carried out: nowhere more sessions in passing than AWS lets be, where those of the end fit.
//!
//! Actions of one wave may run in any order, so within a wave everybody comes before anybody goes. Whether the end
//! fits is another question, and not the plan's: others may have come since it was reviewed.

use std::collections::BTreeMap;

use crate::actions::Action;
use crate::check::Flaw;
use crate::check::replay::{Name, name, planned};
use crate::expand::Expansion;
use crate::ids::{MemberKey, Place, SessionId};
use crate::ownership::Owned;
use crate::plan::Plan;
use crate::quota::SESSIONS_PER_PLACE;

/// Every way in which a plan would be refused for want of room for a moment.
pub(super) fn look(plan: &Plan, owned: &Owned, desired: &Expansion) -> Vec<Flaw> {
    let mut end = Rooms::of(owned, desired);
    for wave in &plan.waves {
        end.come(&wave.actions);
        end.go();
    }
    let end = end.counts();
    let mut rooms = Rooms::of(owned, desired);
    let mut flaws = Vec::new();
    for wave in &plan.waves {
        let before = rooms.counts();
        rooms.come(&wave.actions);
        for (what, (count, limit)) in rooms.counts() {
            let grew = before.get(&what).is_none_or(|(before, _)| count > *before);
            let fits = end.get(&what).is_none_or(|(last, _)| *last <= limit);
            if grew && fits && count > limit {
                let (object, what) = what;
                flaws.push(Flaw::TooMany { object, what, count });
            }
        }
        rooms.go();
    }
    flaws
}

/// How many there are of something AWS limits, and its limit, by object and unit.
type Counts = BTreeMap<(String, &'static str), (usize, usize)>;

struct Rooms {
    /// Limits of targets by name.
    limits: BTreeMap<Name, usize>,
    /// Sources of those targets, with how many sessions.
    sources: BTreeMap<Name, BTreeMap<MemberKey, usize>>,
    sessions: BTreeMap<Place, usize>,
    /// Where sessions that exist send.
    sends: BTreeMap<SessionId, Name>,
    /// What goes once the wave is over: sources from targets, and sessions from places.
    left: Vec<(Name, MemberKey)>,
    ended: Vec<Place>,
}

impl Rooms {
    fn of(owned: &Owned, desired: &Expansion) -> Self {
        let mut limits = BTreeMap::new();
        for (key, target) in &desired.targets {
            let Some(limit) = target.limit else { continue };
            limits.insert(planned(key), limit);
            // AWS limits what an interface takes, whatever its target is called.
            let existing =
                owned.destinations.iter().filter(|(_, to)| target.destination.known() == Some(*to));
            limits.extend(existing.map(|(id, _)| (id.to_string(), limit)));
        }
        let mut rooms = Self {
            limits,
            sources: BTreeMap::new(),
            sessions: BTreeMap::new(),
            sends: BTreeMap::new(),
            left: Vec::new(),
            ended: Vec::new(),
        };
        let lists = owned.sessions.iter().chain(&owned.strangers);
        for (key, session) in lists.flat_map(|(key, list)| list.iter().map(move |one| (key, one))) {
            let target = session.target.to_string();
            rooms.arrive(key, &target);
            rooms.count(&key.place);
            if rooms.limits.contains_key(&target) {
                rooms.sends.insert(session.id.clone(), target);
            }
        }
        rooms
    }

    fn arrive(&mut self, key: &MemberKey, target: &str) {
        if self.limits.contains_key(target) {
            *self.sources.entry(target.to_owned()).or_default().entry(key.clone()).or_default() += 1;
        }
    }

    fn count(&mut self, place: &Place) {
        match self.sessions.get_mut(place) {
            Some(count) => *count += 1,
            None => drop(self.sessions.insert(place.clone(), 1)),
        }
    }

    fn come(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::CreateSession { key, settings, .. } => {
                    self.arrive(key, &name(&settings.target));
                    self.count(&key.place);
                }
                Action::ModifySession { key, id, change } => {
                    let Some(target) = change.target.as_ref().map(name) else { continue };
                    self.arrive(key, &target);
                    let from = self.sends.insert(id.clone(), target);
                    self.left.extend(from.map(|from| (from, key.clone())));
                }
                Action::DeleteSession { key, id } => {
                    let from = self.sends.remove(id);
                    self.left.extend(from.map(|from| (from, key.clone())));
                    self.ended.push(key.place.clone());
                }
                _ => {}
            }
        }
    }

    fn go(&mut self) {
        for (target, key) in self.left.drain(..) {
            let Some(sources) = self.sources.get_mut(&target) else { continue };
            if let Some(count) = sources.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    sources.remove(&key);
                }
            }
        }
        for place in self.ended.drain(..) {
            if let Some(count) = self.sessions.get_mut(&place) {
                *count = count.saturating_sub(1);
            }
        }
    }

    fn counts(&self) -> Counts {
        let targets = self.sources.iter().filter_map(|(target, sources)| {
            Some(((format!("target {target}"), "sources"), (sources.len(), *self.limits.get(target)?)))
        });
        let places = self
            .sessions
            .iter()
            .map(|(place, count)| ((place.to_string(), "sessions"), (*count, SESSIONS_PER_PLACE)));
        targets.chain(places).collect()
    }
}
