//! The refresh: what exists, compared with what the state says. Pure; the shell reads AWS and passes what it saw.
//!
//! Whatever carries the fleet's tag is the fleet's, whether the state knows it or not. A session that is not there any more is told
//! apart by its source: gone with it, or deleted by someone. A place that cannot be read keeps its rows.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::expand::PriorState;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{FilterId, MemberKey, TargetId};
use enigma_fleet::inventory::{Destination, Inventory, MirrorSession};
use enigma_fleet::ownership::{Owned, RULE_TAG};
use enigma_fleet::quota::NLB_PACKET_LENGTH;
use enigma_fleet::spec::{self, FleetSpec};
use enigma_tfplugin::{Diagnostic, Diagnostics, Dynamic, Value};

use super::convert;
use super::rules;
use super::state::{Computed, Row, Rows};

/// What a refresh saw.
pub(super) struct Seen<'a> {
    /// The fleet's objects.
    pub(super) owned: &'a Owned,
    /// Places that could not be read; interfaces of the rows in question, and instances for rows that are new.
    pub(super) inventory: &'a Inventory,
}

/// The computed attributes as they are, and what differs from the state in words.
pub(super) fn refresh(before: &Computed, inputs: &Dynamic, seen: &Seen<'_>) -> (Computed, Diagnostics) {
    let spec = spec::parse(&convert::raw(inputs)).0;
    let mut drift = Drift::default();
    let old_rows = before.rows();
    let mut rows = Rows::new();
    for (key, sessions) in &seen.owned.sessions {
        // The first by id is the one in use; others are duplicates that the next apply removes.
        let Some(session) = sessions.first() else { continue };
        let text = key.to_string();
        let old = old_rows.get(&text);
        let row = observed_row(key, session, old, seen);
        if let Some(old) = old.filter(|old| old.state() == Some(PriorState::Active)) {
            drift.changed(&text, old, &row);
        }
        rows.insert(text, row);
    }
    let present: BTreeSet<MemberKey> = seen
        .inventory
        .places
        .iter()
        .flat_map(|(place, seen)| {
            seen.interfaces.iter().map(|i| MemberKey { place: place.clone(), interface: i.id.clone() })
        })
        .collect();
    for (text, old) in old_rows {
        let Ok(key) = text.parse::<MemberKey>() else { continue };
        if rows.contains_key(&text) {
            continue;
        }
        if seen.inventory.unread.contains_key(&key.place) {
            rows.insert(text, old);
            continue;
        }
        let is_there = present.contains(&key);
        let mut row = old;
        match row.state() {
            Some(PriorState::SourceGone) if !is_there => continue,
            Some(PriorState::Pending) if is_there => {}
            _ if is_there => {
                drift.deleted.push(format!(
                    "{} of {text}",
                    row.session_id.as_ref().known().map_or("the session", String::as_str)
                ));
                row.set_state(PriorState::Missing);
            }
            _ => row.set_state(PriorState::SourceGone),
        }
        rows.insert(text, row);
    }
    let mut after = Computed {
        id: before.id.clone(),
        sessions: Value::Known(rows),
        session_count: Value::Null,
        pending_count: Value::Null,
        target_ids: Value::Known(target_ids(before, spec.as_ref(), seen)),
        filter_ids: Value::Known(filter_ids(before, seen)),
        filter_rules: Value::Known(filter_rules(before, seen)),
        summary: before.summary.clone(),
    };
    after.count();
    drift.objects(before, &after);
    (after, drift.diagnostics())
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

fn observed_row(key: &MemberKey, session: &MirrorSession, old: Option<&Row>, seen: &Seen<'_>) -> Row {
    let (instance_id, name) =
        old.map_or_else(|| identity(key, seen.inventory), |old| (old.instance_id.clone(), old.name.clone()));
    Row {
        session_id: Value::Known(session.id.to_string()),
        instance_id,
        name,
        rule: session.tags.get(RULE_TAG).cloned().or_else(|| old.and_then(|old| old.rule.clone())),
        filter: label_of_filter(&session.filter, seen.owned),
        target: label_of_target(&session.target, seen.owned),
        session_number: session.number.into(),
        virtual_network_id: session.vni.map(i64::from),
        packet_length: packet_length(session, old, seen.owned),
        state: Value::Known(PriorState::Active.as_str().to_owned()),
    }
}

/// AWS reports 8500 for a load balancer's session that was made without a packet length, so that number alone does not tell
/// whether anyone asked for it: it is "unset" unless the state says otherwise.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTrafficMirrorSession.html>
fn packet_length(session: &MirrorSession, old: Option<&Row>, owned: &Owned) -> Option<i64> {
    let observed = session.packet_length.map(i64::from)?;
    let is_default = observed == i64::from(NLB_PACKET_LENGTH)
        && old.is_none_or(|old| old.packet_length.is_none())
        && owned.targets.values().flatten().any(|target| {
            target.id == session.target && matches!(target.destination, Destination::NetworkLoadBalancer(_))
        });
    (!is_default).then_some(observed)
}

fn label_of_target(id: &TargetId, owned: &Owned) -> Option<String> {
    owned
        .targets
        .iter()
        .find(|(_, targets)| targets.iter().any(|t| t.id == *id))
        .map(|(key, _)| key.label.to_string())
}

fn label_of_filter(id: &FilterId, owned: &Owned) -> Option<String> {
    owned
        .filters
        .iter()
        .find(|(_, filters)| filters.iter().any(|f| f.id == *id))
        .map(|(key, _)| key.label.to_string())
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
    for (key, targets) in &seen.owned.targets {
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
    for (key, filters) in &seen.owned.filters {
        if let Some(filter) = filters.first() {
            ids.insert(key.to_string(), Value::Known(filter.id.to_string()));
        }
    }
    ids
}

fn filter_rules(before: &Computed, seen: &Seen<'_>) -> BTreeMap<String, String> {
    let mut lines = rules::observed(seen.owned);
    let kept = before.filter_rules.clone().known().unwrap_or_default();
    lines.extend(kept.into_iter().filter(|(key, _)| is_unread(key, seen)));
    lines
}

fn unread_ids(ids: &Value<Ids>, seen: &Seen<'_>) -> Ids {
    ids.clone().known().unwrap_or_default().into_iter().filter(|(key, _)| is_unread(key, seen)).collect()
}

/// Whether a key `account/region/...` is of a place that could not be read.
fn is_unread(key: &str, seen: &Seen<'_>) -> bool {
    seen.inventory
        .unread
        .keys()
        .any(|place| key.strip_prefix(&place.to_string()).is_some_and(|rest| rest.starts_with('/')))
}

/// What others did, collected for a few diagnostics.
#[derive(Default)]
struct Drift {
    deleted: Vec<String>,
    changed: Vec<String>,
    rules: Vec<String>,
    objects: Vec<String>,
}

/// Objects named in one diagnostic; the rest is counted.
const NAMED: usize = 10;

impl Drift {
    fn changed(&mut self, key: &str, old: &Row, new: &Row) {
        let mut fields = Vec::new();
        let mut field = |name: &str, old: String, new: String| {
            if old != new {
                fields.push(format!("{name} {old} -> {new}"));
            }
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "another's".to_owned());
        let number = |value: Option<i64>| value.map_or_else(|| "unset".to_owned(), |n| n.to_string());
        field("target", text(&old.target), text(&new.target));
        field("filter", text(&old.filter), text(&new.filter));
        field("session_number", old.session_number.to_string(), new.session_number.to_string());
        field("virtual_network_id", number(old.virtual_network_id), number(new.virtual_network_id));
        field("packet_length", number(old.packet_length), number(new.packet_length));
        if old.session_id != new.session_id {
            fields.push("replaced by another session of the fleet".to_owned());
        }
        if !fields.is_empty() {
            self.changed.push(format!("{key}: {}", fields.join(", ")));
        }
    }

    fn objects(&mut self, before: &Computed, after: &Computed) {
        let gone = |old: &Value<Ids>, new: &Value<Ids>, what: &str| -> Vec<String> {
            let new = new.clone().known().unwrap_or_default();
            old.clone()
                .known()
                .unwrap_or_default()
                .into_keys()
                .filter(|key| !new.contains_key(key))
                .map(|key| format!("{what} {key}"))
                .collect()
        };
        self.objects.extend(gone(&before.target_ids, &after.target_ids, "target"));
        self.objects.extend(gone(&before.filter_ids, &after.filter_ids, "filter"));
        let (Value::Known(old), Value::Known(new)) = (&before.filter_rules, &after.filter_rules) else {
            return;
        };
        for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
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
            "These were deleted outside of Terraform although their interfaces still exist. The plan makes them again with the same number and VNI:",
        );
        tell(
            self.changed,
            "Sessions changed by someone",
            "These were changed in place outside of Terraform. The plan changes them back:",
        );
        tell(
            self.rules,
            "Filter rules changed by someone",
            "Rules of the fleet's filters were changed outside of Terraform. The plan brings the compiled rules back:",
        );
        tell(
            self.objects,
            "Objects deleted by someone",
            "These were deleted outside of Terraform, or no longer send where the configuration says. The plan makes them again:",
        );
        diagnostics
    }
}
