//! The refresh: what exists, compared with what the state says. Pure; the shell reads AWS and passes what it saw.
//!
//! What became of the sessions is the core's answer (`enigma_fleet::drift`); here it is turned into rows and words,
//! together with what became of targets, filters and rules. A place that cannot be read keeps its rows.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::drift::{self, Drift, Refreshed};
use enigma_fleet::expand::{Prior, PriorSession};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{FilterId, FleetName, Label, MemberKey, ObjectKey, PacketLength, TargetId};
use enigma_fleet::inventory::Inventory;
use enigma_fleet::ownership::{self, Owned};
use enigma_fleet::quota::NLB_PACKET_LENGTH;
use enigma_fleet::spec::{self, FleetSpec};
use enigma_tfplugin::{Diagnostic, Diagnostics, Dynamic, Value};

use super::directory::{self, Whereabouts};
use super::memory::Memory;
use super::planning::remembered;
use super::rules;
use super::state::{Computed, Coverage, Row, Rows};
use super::{convert, cost, shares, spec_tags, tags};
use crate::reach::RawTags;

/// What a refresh saw.
pub(super) struct Seen<'a> {
    /// Whose objects.
    pub(super) fleet: &'a FleetName,
    /// The fleet's objects.
    pub(super) owned: &'a Owned,
    /// Places that could not be read; interfaces of the rows in question, and instances for rows that are new.
    pub(super) inventory: &'a Inventory,
    /// What the last apply and refresh remembered.
    pub(super) memory: &'a Memory,
    /// Those of the provider block.
    pub(super) default_tags: &'a Given<RawTags>,
}

/// Targets under the labels of what the state says that they are: their tags may say something else, or nothing.
pub(super) fn relabel(owned: &mut Owned, inputs: &Dynamic, default_tags: &Given<RawTags>) {
    if let Some(spec) = spec::parse(&convert::raw(inputs, default_tags)).0 {
        owned.relabel(&ownership::labels(&spec));
    }
}

/// The computed attributes as they are, and what differs from the state in words.
pub(super) fn refresh(before: &Computed, inputs: &Dynamic, seen: &Seen<'_>) -> (Computed, Diagnostics) {
    let spec = spec::parse(&convert::raw(inputs, seen.default_tags)).0;
    let old_rows = before.rows();
    let memory = Memory { unread: seen.inventory.unread.keys().cloned().collect(), ..Memory::default() };
    let gone =
        vanished(before, seen.owned).into_iter().filter(|key| !is_present(key, seen.inventory)).collect();
    let prior = remembered(old_rows, &memory);
    let mut refreshed = drift::refresh(&prior, seen.owned, &gone);
    recognise_unread_targets(before, seen, &prior, &mut refreshed);
    let rows: Rows = refreshed
        .prior
        .sessions
        .iter()
        .map(|(key, session)| (key.to_string(), row(key, session, old_rows.get(&key.to_string()), seen)))
        .collect();
    let mut shares = shares::observed(seen.owned, &refreshed.shares, &before.shares);
    let unread = before.shares.clone().known().unwrap_or_default().into_iter();
    shares.extend(
        unread.filter(|(place, _)| seen.inventory.unread.keys().any(|one| one.to_string() == *place)),
    );
    let mut after = Computed {
        id: before.id.clone(),
        shares: Value::Known(shares),
        tags_all: before.tags_all.clone(),
        coverage: coverage(before, &rows),
        estimated_monthly_cost_usd: cost::monthly(inputs, rows.len()),
        directory_json: Value::Known(directory::json(seen.fleet, &rows, &whereabouts(before, seen))),
        spec_json: convert::description(seen.fleet, inputs),
        sessions: Value::Known(rows),
        session_count: Value::Null,
        pending_count: Value::Null,
        target_ids: Value::Known(target_ids(before, spec.as_ref(), seen)),
        filter_ids: Value::Known(filter_ids(before, seen)),
        filter_rules: Value::Known(filter_rules(before, seen)),
        summary: before.summary.clone(),
    };
    after.count();
    let mistagged = seen.owned.mistagged(seen.fleet);
    // What an apply did not get to may be tags.
    after.count_more(seen.memory.unfinished.max(mistagged.len()));
    if !after.tags_all.is_known() {
        // After an import: they are as described, and a plan corrects what is not.
        after.tags_all = tags::all(tags::merged(inputs, seen.default_tags));
    }
    if !after.coverage.is_known() {
        // After an import: who else was a member nobody stored.
        after.coverage = Value::Known(Coverage::of(after.rows().len(), 0));
    }
    let mut told = Told::default();
    for (key, drift) in &refreshed.drift {
        told.session(key, drift, old_rows.get(&key.to_string()));
    }
    told.shares.extend(refreshed.shares.iter().map(ToString::to_string));
    if seen.memory.unfinished == 0 {
        told.mistagged = mistagged;
    }
    told.objects(before, &after, &seen.memory.unfinished_filters);
    (after, told.diagnostics())
}

/// Sessions that are still to be made mirror nothing. Who is a member was last known to the plan that stored the count.
fn coverage(before: &Computed, rows: &Rows) -> Value<Coverage> {
    let Value::Known(known) = before.coverage else { return before.coverage };
    let without = usize::try_from(known.matched).unwrap_or(0).saturating_sub(before.rows().len());
    let promised = rows.values().filter(|row| row.is_promised()).count();
    Value::Known(Coverage::of(rows.len() - promised, without + promised))
}

/// A session may send to a target of the fleet that could not be read. It is the one that it was if its id is.
fn recognise_unread_targets(before: &Computed, seen: &Seen<'_>, prior: &Prior, refreshed: &mut Refreshed) {
    let ids = unread_ids(&before.target_ids, seen).into_iter();
    let unread: BTreeMap<String, Label> =
        ids.filter_map(|(key, id)| Some((id.known()?, key.parse::<ObjectKey>().ok()?.label))).collect();
    if unread.is_empty() {
        return;
    }
    for (key, sessions) in &seen.owned.sessions {
        let (Some(after), Some(before)) = (refreshed.prior.sessions.get_mut(key), prior.sessions.get(key))
        else {
            continue;
        };
        let session = sessions.iter().find(|one| Some(&one.id) == after.session.as_ref());
        let target = session.and_then(|session| unread.get(session.target.as_str()));
        if after.target.is_some() || target.is_none() || target != before.target.as_ref() {
            continue;
        }
        after.target = target.cloned();
        // What AWS reports as the default depends on the kind of target.
        let is_default = after.packet_length.map(PacketLength::get) == Some(NLB_PACKET_LENGTH);
        if before.packet_length.is_none() && is_default {
            after.packet_length = None;
        }
        if let Some(Drift::Changed(fields)) = refreshed.drift.get_mut(key) {
            fields.retain(|(name, _, _)| match *name {
                "target" => false,
                "packet_length" => after.packet_length != before.packet_length,
                _ => true,
            });
            if fields.is_empty() {
                refreshed.drift.remove(key);
            }
        }
    }
}

/// Sources lie where they lay: what was stored before goes first, so that a refresh alone changes no directory.
fn whereabouts(before: &Computed, seen: &Seen<'_>) -> Whereabouts {
    // The fleet's own description says which tags its directory has.
    let description = seen.owned.targets.values().flatten().find_map(|target| spec_tags::read(&target.tags));
    let keys = description.as_deref().map(convert::described_tag_keys).unwrap_or_default();
    Whereabouts::stored(before).or(Whereabouts::default().of_interfaces(&seen.inventory.places, &keys))
}

fn is_present(key: &MemberKey, inventory: &Inventory) -> bool {
    inventory.places.get(&key.place).is_some_and(|seen| seen.interfaces.iter().any(|i| i.id == key.interface))
}

/// The keys of rows whose session is not there although the state says so: whether their sources exist must be looked up.
pub(super) fn vanished(before: &Computed, owned: &Owned) -> Vec<MemberKey> {
    before
        .rows()
        .keys()
        .filter_map(|key| key.parse().ok())
        .filter(|key| !owned.sessions.contains_key(key))
        .collect()
}

/// The keys of sessions that the state does not know: who their sources are must be looked up.
pub(super) fn unknown_to_state(before: &Computed, owned: &Owned) -> Vec<MemberKey> {
    let rows = before.rows();
    owned.sessions.keys().filter(|key| !rows.contains_key(&key.to_string())).cloned().collect()
}

/// Who the source is comes from the state, or for a new row from what was looked up.
fn row(key: &MemberKey, session: &PriorSession, old: Option<&Row>, seen: &Seen<'_>) -> Row {
    let (instance_id, name) =
        old.map_or_else(|| identity(key, seen.inventory), |old| (old.instance_id.clone(), old.name.clone()));
    Row {
        session_id: session.session.as_ref().map(ToString::to_string).into(),
        instance_id,
        name,
        rule: session.rule.as_ref().map(ToString::to_string),
        filter: session.filter.as_ref().map(ToString::to_string),
        target: session.target.as_ref().map(ToString::to_string),
        session_number: session.number.into(),
        virtual_network_id: session.vni.map(Into::into),
        packet_length: session.packet_length.map(Into::into),
        state: Value::Known(session.state.as_str().to_owned()),
    }
}

/// Instance and name of a source that the state does not know, as the data source gives them.
fn identity(key: &MemberKey, inventory: &Inventory) -> (Option<String>, Option<String>) {
    let Some(place) = inventory.places.get(&key.place) else { return (None, None) };
    let Some(interface) = place.interfaces.iter().find(|i| i.id == key.interface) else {
        return (None, None);
    };
    let id = interface.attachment.as_ref().and_then(|attachment| attachment.instance.clone());
    let instance = id.as_ref().and_then(|id| place.instances.iter().find(|instance| instance.id == *id));
    let name = instance.and_then(|i| i.tags.get("Name")).or_else(|| interface.tags.get("Name")).cloned();
    (id.map(|id| id.to_string()), name)
}

type Ids = BTreeMap<String, Value<String>>;

/// Ids of targets that send where the configuration in the state says; one that sends elsewhere has to be replaced and has none.
fn target_ids(before: &Computed, spec: Option<&FleetSpec>, seen: &Seen<'_>) -> Ids {
    let mut ids = unread_ids(&before.target_ids, seen);
    let left = left_targets(before, seen.owned);
    for (key, targets) in seen.owned.targets.iter().filter(|(key, _)| !left.contains(key)) {
        let wanted = spec.and_then(|spec| spec.targets.get(&key.label)).map(|target| &target.destination);
        let serving = match wanted {
            Some(Given::Known(destination)) => {
                targets.iter().find(|target| target.destination == *destination)
            }
            _ => targets.first(),
        };
        if let Some(target) = serving {
            ids.insert(key.to_string(), Value::Known(target.id.to_string()));
        }
    }
    ids
}

fn filter_ids(before: &Computed, seen: &Seen<'_>) -> Ids {
    let mut ids = unread_ids(&before.filter_ids, seen);
    let left = left_filters(before, seen.owned);
    for (key, filters) in seen.owned.filters.iter().filter(|(key, _)| !left.contains(key)) {
        if let Some(filter) = filters.first() {
            ids.insert(key.to_string(), Value::Known(filter.id.to_string()));
        }
    }
    ids
}

/// Targets that the fleet has left to others: the state does not know them (any more), a session of somebody else
/// uses each, and none of the fleet's does. An apply cannot remove them, so a state that listed them would show a
/// removal in every plan. Once the last such session is gone they are listed, and the next apply removes them.
fn left_targets<'a>(before: &Computed, owned: &'a Owned) -> BTreeSet<&'a ObjectKey> {
    let used: BTreeSet<&TargetId> =
        owned.sessions.values().flatten().map(|session| &session.target).collect();
    let is_left = |id: &TargetId| owned.targets_of_strangers.contains(id) && !used.contains(id);
    let all_left = owned.targets.iter().filter(|(_, list)| list.iter().all(|target| is_left(&target.id)));
    all_left.map(|(key, _)| key).filter(|key| !is_listed(&before.target_ids, key)).collect()
}

/// The same for filters.
fn left_filters<'a>(before: &Computed, owned: &'a Owned) -> BTreeSet<&'a ObjectKey> {
    let used: BTreeSet<&FilterId> =
        owned.sessions.values().flatten().map(|session| &session.filter).collect();
    let is_left = |id: &FilterId| owned.filters_of_strangers.contains(id) && !used.contains(id);
    let all_left = owned.filters.iter().filter(|(_, list)| list.iter().all(|filter| is_left(&filter.id)));
    all_left.map(|(key, _)| key).filter(|key| !is_listed(&before.filter_ids, key)).collect()
}

fn is_listed(ids: &Value<Ids>, key: &ObjectKey) -> bool {
    ids.as_ref().known().is_some_and(|ids| ids.contains_key(&key.to_string()))
}

fn filter_rules(before: &Computed, seen: &Seen<'_>) -> BTreeMap<String, String> {
    let left = left_filters(before, seen.owned);
    let mut lines = rules::observed(seen.owned, |key| !left.contains(key));
    let kept = before.filter_rules.clone().known().unwrap_or_default();
    lines.extend(kept.into_iter().filter(|(key, _)| is_unread(key, seen)));
    lines
}

fn unread_ids(ids: &Value<Ids>, seen: &Seen<'_>) -> Ids {
    ids.clone().known().unwrap_or_default().into_iter().filter(|(key, _)| is_unread(key, seen)).collect()
}

/// Whether a key `account/region/...` is of a place that could not be read.
fn is_unread(key: &str, seen: &Seen<'_>) -> bool {
    seen.inventory.unread.keys().any(|place| is_within(key, &place.to_string()))
}

fn is_within(key: &str, outer: &str) -> bool {
    key.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

/// What others did, collected for a few diagnostics.
#[derive(Default)]
struct Told {
    deleted: Vec<String>,
    changed: Vec<String>,
    rules: Vec<String>,
    objects: Vec<String>,
    shares: Vec<String>,
    mistagged: Vec<String>,
}

/// Objects named in one diagnostic; the rest is counted.
const NAMED: usize = 10;

impl Told {
    fn session(&mut self, key: &MemberKey, drift: &Drift, old: Option<&Row>) {
        match drift {
            // Another writer with the same rules, or an import: nothing that anyone must do. The state tells of both others.
            Drift::Appeared | Drift::SourceGone => {}
            Drift::Changed(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|(name, was, is)| format!("{name} {was} -> {is}")).collect();
                self.changed.push(format!("{key}: {}", fields.join(", ")));
            }
            Drift::Deleted => {
                let id = old.and_then(|row| row.session_id.as_ref().known().cloned());
                self.deleted.push(id.map_or_else(|| key.to_string(), |id| format!("{id} of {key}")));
            }
        }
    }

    fn objects(&mut self, before: &Computed, after: &Computed, unfinished: &BTreeSet<String>) {
        let gone = |old: &Value<Ids>, new: &Value<Ids>, what: &str| -> Vec<String> {
            let new = new.clone().known().unwrap_or_default();
            old.clone()
                .known()
                .unwrap_or_default()
                .into_iter()
                // One without an id was promised and never made.
                .filter(|(key, id)| id.is_known() && !new.contains_key(key))
                .map(|(key, _)| format!("{what} {key}"))
                .collect()
        };
        self.objects.extend(gone(&before.target_ids, &after.target_ids, "target"));
        self.objects.extend(gone(&before.filter_ids, &after.filter_ids, "filter"));
        let (Value::Known(old), Value::Known(new)) = (&before.filter_rules, &after.filter_rules) else {
            return;
        };
        let is_unfinished = |key: &str| unfinished.iter().any(|filter| is_within(key, filter));
        let filters = before.filter_ids.as_ref().known();
        // A filter that others let go again comes with its rules, and nobody changed these.
        let is_known =
            |key: &str| filters.into_iter().flat_map(BTreeMap::keys).any(|filter| is_within(key, filter));
        let is_told = |key: &&String| !is_unfinished(key) && is_known(key);
        for key in old.keys().chain(new.keys()).filter(is_told).collect::<BTreeSet<_>>() {
            match (old.get(key), new.get(key)) {
                (Some(old), None) => self.rules.push(format!("{key}: removed ({old})")),
                (None, Some(new)) => self.rules.push(format!("{key}: added ({new})")),
                (Some(old), Some(new)) if old != new => self.rules.push(format!("{key}: {old} -> {new}")),
                _ => {}
            }
        }
    }

    fn diagnostics(self) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        let mut tell = |list: Vec<String>, summary: &str, what: &str| {
            if list.is_empty() {
                return;
            }
            let more = list.len().saturating_sub(NAMED);
            let mut lines = list.iter().take(NAMED).map(|line| format!("\n  - {line}")).collect::<String>();
            if more > 0 {
                lines += &format!("\n  - and {more} more");
            }
            diagnostics
                .push(Diagnostic::warning(format!("{summary}: {}", list.len()), format!("{what}{lines}")));
        };
        tell(
            self.deleted,
            "Sessions deleted by someone",
            "These were deleted outside of Terraform although their interfaces still exist. The plan makes them again, with the same number and \
             VNI where nobody else has them by now:",
        );
        tell(
            self.changed,
            "Sessions changed by someone",
            "These were changed in place outside of Terraform. The plan changes them back, but for a VNI in the fleet's range and a number just \
             above session.number: these stay as they are now, since what lives is not moved without need:",
        );
        tell(
            self.rules,
            "Filter rules changed by someone",
            "Rules of the fleet's filters were changed outside of Terraform. The plan brings the compiled rules back:",
        );
        tell(
            self.shares,
            "Shares of targets withdrawn",
            "Sessions of other accounts need these shares. AWS does not say whether such sessions go on without them. The plan shares the targets \
             again:",
        );
        tell(
            self.mistagged,
            "Objects without their tags",
            "Somebody removed or changed the tags by which these are known as this fleet's. They are kept, since the state has their ids, and the \
             plan tags them again. Who takes the tags away, a cleaner or a tag policy, must be told to leave enigma:fleet and enigma:key alone; \
             where a role may not tag what does not carry the fleet's tag, set enigma:fleet to the fleet's name by hand:",
        );
        tell(
            self.objects,
            "Objects deleted by someone",
            "These were deleted outside of Terraform, or no longer send where the configuration says. The plan makes them again:",
        );
        diagnostics
    }
}
