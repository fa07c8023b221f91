//! A plan carried out on a model of what exists, with every rule of AWS's that a wrong plan could break.

mod room;
mod share;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use crate::actions::{Action, Ref, Resource};
use crate::check::Flaw;
use crate::expand::Expansion;
use crate::ids::{InterfaceId, MemberKey, ObjectKey, RuleNumber, SessionId};
use crate::inventory::{Destination, Direction, FilterRule, Tags};
use crate::ownership::{FLEET_TAG, KEY_TAG, Owned};
use crate::plan::{HeldBack, Plan};
use crate::quota::{RULES_PER_FILTER, SESSIONS_PER_SOURCE};

/// A target or filter in the model: by id where it exists, by key where the plan makes it. Both as text, since the model only
/// compares them.
type Name = String;

#[derive(Clone)]
struct Session {
    id: Option<SessionId>,
    is_ours: bool,
    /// Whether some fleet's tag is on it.
    is_claimed: bool,
    target: Name,
    filter: Name,
    number: u16,
    vni: Option<u32>,
}

#[derive(Default)]
struct Model {
    targets: BTreeSet<Name>,
    /// Rules by id, or by a counter where the plan makes them.
    filters: BTreeMap<Name, BTreeMap<String, (Direction, RuleNumber)>>,
    sessions: BTreeMap<MemberKey, Vec<Session>>,
    /// Where each session that exists is, for questions by id.
    sources: BTreeMap<SessionId, MemberKey>,
    /// Interfaces that ours are on in more than one account: AWS knows one interface.
    accounts: BTreeMap<InterfaceId, Vec<MemberKey>>,
    /// Where the fleet sends, and where every target in sight does.
    destinations: BTreeSet<Destination>,
    seen: BTreeMap<Name, Destination>,
    shares: share::Shares,
    fleet: String,
    flaws: Vec<Flaw>,
    made: usize,
}

pub(super) fn replay(plan: &Plan, owned: &Owned, desired: &Expansion) -> Vec<Flaw> {
    let mut model = Model::of(owned);
    model.fleet = plan.fleet.to_string();
    model.accounts = in_several_accounts(plan, owned);
    for action in plan.actions() {
        model.apply(action);
    }
    model.look_at_vnis();
    model.look_at_held_back(plan);
    model.flaws.extend(room::look(plan, owned, desired));
    model.flaws
}

/// Interfaces with sessions of ours in more than one account, with all of their keys.
fn in_several_accounts(plan: &Plan, owned: &Owned) -> BTreeMap<InterfaceId, Vec<MemberKey>> {
    let made = plan.actions().filter_map(|action| match action {
        Action::CreateSession { key, .. } => Some(key),
        _ => None,
    });
    let mut keys: Vec<&MemberKey> = owned.sessions.keys().chain(made).collect();
    keys.sort_unstable_by(|a, b| (&a.interface, *a).cmp(&(&b.interface, *b)));
    keys.dedup();
    let several = keys.chunk_by(|a, b| a.interface == b.interface).filter(|keys| keys.len() > 1);
    several.map(|keys| (keys[0].interface.clone(), keys.iter().copied().cloned().collect())).collect()
}

fn name<Id: Display>(reference: &Ref<Id>) -> Name {
    match reference {
        Ref::Existing(id) => id.to_string(),
        Ref::Planned(key) => planned(key),
    }
}

fn planned(key: &ObjectKey) -> Name {
    format!("new {key}")
}

impl Model {
    fn of(owned: &Owned) -> Self {
        let mut model = Self::default();
        let unkeyed = owned.unkeyed_targets.iter().map(|(_, target)| target);
        model.targets =
            owned.targets.values().flatten().chain(unkeyed).map(|target| target.id.to_string()).collect();
        model.destinations =
            owned.targets.values().flatten().map(|target| target.destination.clone()).collect();
        model.seen = owned
            .destinations
            .iter()
            .map(|(id, destination)| (id.to_string(), destination.clone()))
            .collect();
        model.shares = share::Shares::of(owned);
        let unkeyed = owned.unkeyed_filters.iter().map(|(_, filter)| filter);
        for filter in owned.filters.values().flatten().chain(unkeyed) {
            let rules =
                filter.rules.iter().map(|one| (one.id.to_string(), (one.rule.direction, one.rule.number)));
            model.filters.insert(filter.id.to_string(), rules.collect());
        }
        for (is_ours, sessions) in [(true, &owned.sessions), (false, &owned.strangers)] {
            for (key, list) in sessions {
                model.sources.extend(list.iter().map(|one| (one.id.clone(), key.clone())));
                model.sessions.entry(key.clone()).or_default().extend(list.iter().map(|one| Session {
                    id: Some(one.id.clone()),
                    is_ours,
                    is_claimed: one.tags.contains_key(FLEET_TAG),
                    target: one.target.to_string(),
                    filter: one.filter.to_string(),
                    number: one.number.get(),
                    vni: one.vni,
                }));
            }
        }
        model
    }

    fn apply(&mut self, action: &Action) {
        match action {
            Action::CreateTarget { key, destination, .. } => {
                self.need_free(key, destination);
                self.seen.insert(planned(key), destination.clone());
                self.destinations.insert(destination.clone());
                self.targets.insert(planned(key));
                self.shares.put_target(planned(key), &key.place);
            }
            Action::CreateFilter { key, .. } => {
                self.filters.insert(planned(key), BTreeMap::new());
            }
            Action::SetAmazonDns { key, filter, .. } => {
                self.need_filter(&format!("filter {key}"), &name(filter));
            }
            Action::CreateRule { key, filter, rule, .. } => {
                self.need_filter(&format!("a rule of filter {key}"), &name(filter));
                self.made += 1;
                let id = format!("new {}", self.made);
                self.put_rule(&name(filter), id, rule);
            }
            Action::ModifyRule { id, after, .. } => match self.filter_of(id.as_str()) {
                Some(filter) => self.put_rule(&filter, id.to_string(), after),
                None => self.not_ours(id),
            },
            Action::DeleteRule { id, .. } => {
                match self.filter_of(id.as_str()).and_then(|filter| self.filters.get_mut(&filter)) {
                    Some(rules) => {
                        rules.remove(id.as_str());
                    }
                    None => self.not_ours(id),
                }
            }
            Action::CreateSession { key, settings, .. } => {
                self.need_target(key, &name(&settings.target));
                self.need_filter(&format!("session {key}"), &name(&settings.filter));
                let session = Session {
                    id: None,
                    is_ours: true,
                    is_claimed: true,
                    target: name(&settings.target),
                    filter: name(&settings.filter),
                    number: settings.number.get(),
                    vni: Some(settings.vni.get()),
                };
                self.put_session(key, session);
            }
            Action::ModifySession { key, id, change } => {
                let Some(mut session) = self.take_session(key, id) else {
                    self.not_ours(id);
                    return;
                };
                if let Some(target) = &change.target {
                    self.need_target(key, &name(target));
                    session.target = name(target);
                }
                if let Some(filter) = &change.filter {
                    self.need_filter(&format!("session {key}"), &name(filter));
                    session.filter = name(filter);
                }
                session.number = change.number.map_or(session.number, |number| number.get());
                session.vni = change.vni.map(|vni| vni.get()).or(session.vni);
                self.put_session(key, session);
            }
            Action::DeleteSession { key, id } => {
                if self.take_session(key, id).is_none() {
                    self.not_ours(id);
                }
            }
            Action::DeleteFilter { id, .. } => {
                match self.filters.remove(id.as_str()) {
                    None => self.not_ours(id),
                    Some(rules) if !rules.is_empty() => {
                        let by = format!("{} of its rules", rules.len());
                        self.flaws.push(Flaw::StillUsed { object: id.to_string(), by });
                    }
                    Some(_) => {}
                }
                self.need_unused(id.as_str(), |session| &session.filter);
            }
            Action::DeleteTarget { id, .. } => {
                if !self.targets.remove(id.as_str()) {
                    self.not_ours(id);
                }
                self.need_unused(id.as_str(), |session| &session.target);
                self.seen.remove(id.as_str());
            }
            Action::CreateShare { .. }
            | Action::ModifyShare { .. }
            | Action::AddToShare { .. }
            | Action::JoinShare { .. }
            | Action::RemoveFromShare { .. }
            | Action::DeleteShare { .. } => self.apply_share(action),
            Action::Retag { resource: Resource::Session(id), set, .. } => self.retag_session(id, set),
            Action::Retag { resource, .. } => self.need_resource(resource),
        }
    }

    fn not_ours(&mut self, object: &impl Display) {
        self.flaws.push(Flaw::NotOurs { object: object.to_string() });
    }

    fn need_filter(&mut self, object: &str, filter: &Name) {
        if !self.filters.contains_key(filter) {
            let reference = format!("filter {filter}");
            self.flaws.push(Flaw::ReferenceMissing { object: object.to_owned(), reference });
        }
    }

    fn need_target(&mut self, key: &MemberKey, target: &Name) {
        if !self.targets.contains(target) {
            let reference = format!("target {target}");
            self.flaws.push(Flaw::ReferenceMissing { object: format!("session {key}"), reference });
        }
        self.need_reach(key, target);
    }

    /// AWS makes an interface a target once, and not while it is a source, whosever target or session that is.
    fn need_free(&mut self, key: &ObjectKey, destination: &Destination) {
        let Destination::Interface(interface) = destination else { return };
        let target = self.seen.iter().find(|(_, other)| *other == destination).map(|(name, _)| name.clone());
        let is_source =
            |(key, list): &(&MemberKey, &Vec<Session>)| key.interface == *interface && !list.is_empty();
        let source = self.sessions.iter().find(is_source).map(|(key, _)| format!("the session of {key}"));
        let flaw = |by| Flaw::InterfaceTaken { target: key.to_string(), by };
        self.flaws.extend(target.map(|name| format!("target {name}")).into_iter().chain(source).map(flaw));
    }

    fn need_unused(&mut self, id: &str, used: impl Fn(&Session) -> &Name) {
        let user = self.sessions.iter().find(|(_, list)| list.iter().any(|session| used(session) == id));
        if let Some((key, _)) = user {
            let by = format!("the session of {key}");
            self.flaws.push(Flaw::StillUsed { object: id.to_owned(), by });
        }
    }

    fn need_resource(&mut self, resource: &Resource) {
        let (id, exists) = match resource {
            Resource::Target(id) => (id.as_str(), self.targets.contains(id.as_str())),
            Resource::Filter(id) => (id.as_str(), self.filters.contains_key(id.as_str())),
            Resource::FilterRule(id) => (id.as_str(), self.filter_of(id.as_str()).is_some()),
            Resource::Session(id) => (id.as_str(), self.sources.contains_key(id)),
        };
        if !exists {
            self.not_ours(&id);
        }
    }

    /// Tags of ours, or those that make a session of nobody ours.
    fn retag_session(&mut self, id: &SessionId, set: &Tags) {
        let fleet = self.fleet.clone();
        let Some(key) = self.sources.get(id).cloned() else { return self.not_ours(id) };
        let list = self.sessions.get_mut(&key).into_iter().flatten();
        let Some(session) = list.into_iter().find(|session| session.id.as_ref() == Some(id)) else {
            return self.not_ours(id);
        };
        if session.is_ours {
            return;
        }
        let claims = set.get(FLEET_TAG) == Some(&fleet);
        let sends_to_ours =
            self.seen.get(&session.target).is_some_and(|destination| self.destinations.contains(destination));
        let why = if !claims {
            return self.not_ours(id);
        } else if session.is_claimed {
            "another fleet's tag is on it"
        } else if set.get(KEY_TAG) != Some(&key.to_string()) {
            "its key would not be that of its source"
        } else if !sends_to_ours {
            "it sends to no destination of the fleet"
        } else {
            session.is_ours = true;
            session.is_claimed = true;
            return;
        };
        self.flaws.push(Flaw::WronglyAdopted { object: id.to_string(), why });
    }

    fn filter_of(&self, rule: &str) -> Option<Name> {
        self.filters.iter().find(|(_, rules)| rules.contains_key(rule)).map(|(name, _)| name.clone())
    }

    fn put_rule(&mut self, filter: &Name, id: String, rule: &FilterRule) {
        let Some(rules) = self.filters.get_mut(filter) else { return };
        let place = (rule.direction, rule.number);
        if rules.iter().any(|(other, taken)| *other != id && *taken == place) {
            let object = format!("filter {filter}");
            self.flaws.push(Flaw::NumberTaken { object, number: rule.number.get() });
        }
        rules.insert(id, place);
        if rules.len() > RULES_PER_FILTER {
            let (object, count) = (format!("filter {filter}"), rules.len());
            self.flaws.push(Flaw::TooMany { object, what: "rules", count });
        }
    }

    fn take_session(&mut self, key: &MemberKey, id: &SessionId) -> Option<Session> {
        let list = self.sessions.get_mut(key)?;
        let position = list.iter().position(|session| session.is_ours && session.id.as_ref() == Some(id))?;
        Some(list.remove(position))
    }

    fn put_session(&mut self, key: &MemberKey, session: Session) {
        let others = self.accounts.get(&key.interface).into_iter().flatten().filter(|other| *other != key);
        let elsewhere = others.filter_map(|other| self.sessions.get(other)).flatten();
        if elsewhere.filter(|other| other.is_ours).any(|other| other.number == session.number) {
            let object = format!("interface {}, in another account", key.interface);
            self.flaws.push(Flaw::NumberTaken { object, number: session.number });
        }
        let list = self.sessions.entry(key.clone()).or_default();
        if list.iter().any(|other| other.number == session.number) {
            self.flaws.push(Flaw::NumberTaken { object: format!("interface {key}"), number: session.number });
        }
        list.push(session);
        if list.len() > SESSIONS_PER_SOURCE {
            let (object, count) = (format!("interface {key}"), list.len());
            self.flaws.push(Flaw::TooMany { object, what: "sessions", count });
        }
    }

    /// Whoever is held back has a reason, and nothing was done for it all the same.
    fn look_at_held_back(&mut self, plan: &Plan) {
        for (key, held_back) in &plan.held_back {
            let all = self.sessions.get(key).map_or(&[][..], Vec::as_slice);
            let (ours, others): (Vec<&Session>, Vec<&Session>) = all.iter().partition(|one| one.is_ours);
            let is_taken = match held_back {
                HeldBack::NumberTaken { number, by, .. } => others
                    .iter()
                    .any(|one| one.number == number.get() && one.id.as_ref() == Some(&by.session)),
                HeldBack::SlotsTaken { .. } => others.len() >= SESSIONS_PER_SOURCE,
            };
            let numbers: Vec<u16> = ours.iter().map(|one| one.number).collect();
            let kept: Vec<u16> = held_back.keeps().iter().map(|number| number.get()).collect();
            let why = if !is_taken {
                "nobody else has what it was to get"
            } else if numbers != kept {
                "the plan makes or moves it all the same"
            } else {
                continue;
            };
            let object = format!("the session of {key}");
            self.flaws.push(Flaw::WronglyHeldBack { object, why });
        }
    }

    fn look_at_vnis(&mut self) {
        let mut users: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (key, list) in &self.sessions {
            for vni in list.iter().filter(|session| session.is_ours).filter_map(|session| session.vni) {
                users.entry(vni).or_default().push(key.to_string());
            }
        }
        let duplicates = users.into_iter().filter(|(_, sessions)| sessions.len() > 1);
        self.flaws.extend(duplicates.map(|(vni, sessions)| Flaw::DuplicateVni { vni, sessions }));
    }
}
