//! From what a plan promised and what happened to the state that is stored. Pure.
//!
//! The state tells what exists, also after a failure, an interruption or half a destroy. Where Terraform demands that
//! planned values come back (a create that succeeded with warnings), what is missing is `pending` and counted.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::actions::{Action, Resource};
use enigma_fleet::expand::{Expansion, PriorState};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{FilterId, MemberKey, ObjectKey, Place, SessionId, TargetId};
use enigma_fleet::ownership::Owned;
use enigma_fleet::plan::{HeldBack, Plan, Stage};
use enigma_reconcile::outcome::{Created, Outcome, Outcomes};
use enigma_tfplugin::Value;

use super::apart::Apart;
use super::directory::{self, Whereabouts};
use super::memory::{unfinished, unfinished_filters};
use super::rules;
use super::shares::Shares;
use super::state::{Computed, Row, Rows};

/// What an apply knows when it ends.
pub(super) struct Ended<'a> {
    /// Whether what was planned must come back even where it failed: an error would taint the fleet.
    pub(super) is_create: bool,
    /// The computed attributes as stored before; empty for a creation.
    pub(super) before: &'a Computed,
    /// As planned.
    pub(super) planned: &'a Computed,
    /// What shall exist.
    pub(super) expansion: &'a Expansion,
    /// What existed.
    pub(super) owned: &'a Owned,
    /// What was to be done.
    pub(super) plan: &'a Plan,
    /// What was done.
    pub(super) outcomes: &'a Outcomes,
    /// What was left alone, because a place could not be read.
    pub(super) apart: &'a Apart,
}

impl Ended<'_> {
    /// Places where something is still to be done that no row shows. Of a create every row of theirs does.
    pub(super) fn untried(&self) -> usize {
        if self.is_create { 0 } else { self.apart.unread.len() }
    }
}

/// What became of one source.
enum Fate<'a> {
    /// Its session exists with the planned settings.
    Made(SessionId),
    /// Its interface is gone.
    Gone,
    /// Its session exists with the settings it had.
    Unchanged(&'a SessionId),
    /// It has none.
    Unmade,
}

/// The computed attributes to store.
pub(super) fn stored(ended: &Ended<'_>) -> Computed {
    let old_rows = ended.before.rows();
    let mut rows = Rows::new();
    let fates = Fates::of(ended);
    let made = Made::by(ended.outcomes);
    let target_ids = ids(&ended.planned.target_ids, |key| made.target(ended, key));
    let renamed = renamed(&ended.before.target_ids, &target_ids);
    // What stays as it was may send to a target that has another label now.
    let as_it_was = |old: &Row| {
        let label = old.target.as_ref().map(|label| renamed.get(label).unwrap_or(label).clone());
        Row { target: label, ..old.clone() }
    };
    for (text, planned) in ended.planned.rows() {
        let Ok(key) = text.parse::<MemberKey>() else { continue };
        let is_waiting = ended.apart.waiting.contains_key(&key);
        if ended.expansion.kept.contains_key(&key) && !is_waiting {
            rows.insert(text.clone(), planned.clone());
            continue;
        }
        // Nothing was tried there, so what was is.
        if (is_waiting || ended.apart.unread.contains_key(&key.place))
            && let Some(old) = old_rows.get(text)
        {
            rows.insert(text.clone(), as_it_was(old));
            continue;
        }
        let mut row = planned.clone();
        match fates.of_source(&key) {
            Fate::Made(id) => {
                row.session_id = promised(row.session_id, Value::Known(id.to_string()));
                match ended.plan.held_back.get(&key).and_then(HeldBack::keeps) {
                    None => row.state = promised(row.state, active()),
                    Some(number) => {
                        // An update tells it as an error, so what really is may be stored.
                        if !ended.is_create {
                            row.session_number = number.into();
                        }
                        row.set_state(PriorState::Pending);
                    }
                }
            }
            Fate::Gone => {
                row.session_id = known_or_null(row.session_id);
                row.state = promised(row.state, Value::Known(PriorState::SourceGone.as_str().to_owned()));
            }
            Fate::Unchanged(id) => match old_rows.get(text) {
                // Reported as an error, so what really is may be stored in place of what was planned.
                Some(old) => row = as_it_was(old),
                None => {
                    row.session_id = Value::Known(id.to_string());
                    row.set_state(PriorState::Pending);
                }
            },
            Fate::Unmade => {
                row.session_id = known_or_null(row.session_id);
                row.set_state(PriorState::Pending);
            }
        }
        rows.insert(text.clone(), row);
    }
    for (text, old) in old_rows {
        let Ok(key) = text.parse::<MemberKey>() else { continue };
        let is_left = fates.is_left(&key) || ended.apart.unread.contains_key(&key.place);
        if !rows.contains_key(text) && is_left {
            rows.insert(text.clone(), as_it_was(old));
        }
    }
    // Of rows as planned it is the planned one.
    let whereabouts = Whereabouts::stored(ended.planned).or(Whereabouts::stored(ended.before));
    let mut after = Computed {
        id: Value::Known(ended.expansion.fleet.to_string()),
        directory_json: Value::Known(directory::json(&ended.expansion.fleet, &rows, &whereabouts)),
        sessions: Value::Known(rows),
        target_ids,
        filter_ids: ids(&ended.planned.filter_ids, |key| made.filter(ended, key)),
        shares: Value::Known(shares(ended)),
        ..ended.planned.clone()
    };
    if !ended.is_create {
        correct_rules(ended, &mut after);
        keep_undeleted(ended, &mut after);
    }
    after.count();
    after.count_more(unfinished(ended.outcomes).saturating_add(ended.untried()));
    after
}

/// What is left of the computed attributes after a destroy that did not finish.
pub(super) fn left(
    before: &Computed,
    owned: &Owned,
    outcomes: &Outcomes,
    unread: &BTreeMap<Place, String>,
) -> Computed {
    // Of duplicates every one must be gone.
    let is_gone = |is_it: &dyn Fn(&Action) -> bool| {
        let mut deletes = outcomes.steps.iter().filter(|step| is_it(&step.action)).peekable();
        deletes.peek().is_some() && deletes.all(|step| matches!(step.outcome, Outcome::Done(_)))
    };
    let is_left = |key: &MemberKey| {
        unread.contains_key(&key.place)
            || owned.sessions.contains_key(key)
                && !is_gone(&|action| matches!(action, Action::DeleteSession { key: k, .. } if k == key))
    };
    let mut rows = before.rows().clone();
    rows.retain(|text, _| text.parse().is_ok_and(|key| is_left(&key)));
    let mut after = Computed { sessions: Value::Known(rows), ..before.clone() };
    let keep = |ids: &Value<Ids>, is_delete: &dyn Fn(&Action, &str) -> bool| {
        ids.clone().map(|mut ids| {
            ids.retain(|key, _| !is_gone(&|action| is_delete(action, key)));
            ids
        })
    };
    after.target_ids = keep(
        &before.target_ids,
        &|action, text| matches!(action, Action::DeleteTarget { key, .. } if key.to_string() == text),
    );
    after.filter_ids = keep(
        &before.filter_ids,
        &|action, text| matches!(action, Action::DeleteFilter { key, .. } if key.to_string() == text),
    );
    let is_withdrawn = |action: &Action, text: &str| matches!(action, Action::DeleteShare { place, .. } if place.to_string() == text);
    after.shares = before.shares.clone().map(|mut shares| {
        shares.retain(|place, _| !is_gone(&|action| is_withdrawn(action, place)));
        shares
    });
    after.count();
    after
}

/// Shares with the ARNs that are known now. One that could not be made or changed says what was, where an error may tell so.
fn shares(ended: &Ended<'_>) -> Shares {
    let mut unfinished = BTreeSet::new();
    for (_, step) in ended.outcomes.incomplete() {
        if let Action::CreateShare { place, .. }
        | Action::AddToShare { place, .. }
        | Action::RemoveFromShare { place, .. }
        | Action::DeleteShare { place, .. } = &step.action
        {
            unfinished.insert(place.to_string());
        }
    }
    let before = ended.before.shares.clone().known().unwrap_or_default();
    let mut shares = ended.planned.shares.clone().known().unwrap_or_default();
    if !ended.is_create {
        shares.retain(|place, _| !unfinished.contains(place));
        shares.extend(before.into_iter().filter(|(place, _)| unfinished.contains(place)));
    }
    let made: BTreeMap<String, String> = ended
        .outcomes
        .steps
        .iter()
        .filter_map(|step| match (&step.action, &step.outcome) {
            (Action::CreateShare { place, .. }, Outcome::Done(Some(share))) => {
                Some((place.to_string(), share.to_string()))
            }
            _ => None,
        })
        .collect();
    let existing: BTreeMap<String, String> = ended
        .owned
        .shares
        .keys()
        .filter_map(|place| Some((place.to_string(), ended.owned.serving_share(place)?.arn.to_string())))
        .collect();
    for (place, share) in &mut shares {
        let arn = made.get(place).or_else(|| existing.get(place)).cloned();
        share.arn = promised(std::mem::take(&mut share.arn), arn.into());
    }
    shares
}

/// Targets and filters that were to go and are still there stay in the state, which may be all that knows where they are.
fn keep_undeleted(ended: &Ended<'_>, after: &mut Computed) {
    let mut targets: BTreeSet<String> = BTreeSet::new();
    let mut filters: BTreeSet<String> = BTreeSet::new();
    for (_, step) in ended.outcomes.incomplete() {
        match &step.action {
            Action::DeleteTarget { key, .. } => drop(targets.insert(key.to_string())),
            Action::DeleteFilter { key, .. } => drop(filters.insert(key.to_string())),
            _ => {}
        }
    }
    let is_unread =
        |text: &str| text.parse::<ObjectKey>().is_ok_and(|key| ended.apart.unread.contains_key(&key.place));
    let keep = |before: &Value<Ids>, after: &mut Value<Ids>, undeleted: &BTreeSet<String>| {
        let (Value::Known(before), Value::Known(after)) = (before, after) else { return };
        for (key, id) in before.iter().filter(|(key, _)| undeleted.contains(*key) || is_unread(key)) {
            after.entry(key.clone()).or_insert_with(|| id.clone());
        }
    };
    keep(&ended.before.target_ids, &mut after.target_ids, &targets);
    keep(&ended.before.filter_ids, &mut after.filter_ids, &filters);
}

/// Filters whose rules are not as planned say what is in AWS: the failure is reported as an error, so they may.
fn correct_rules(ended: &Ended<'_>, after: &mut Computed) {
    let Value::Known(lines) = &mut after.filter_rules else { return };
    let untried: Vec<String> = ended.apart.unread.keys().map(|place| format!("{place}/")).collect();
    let is_untried = |line: &str| untried.iter().any(|place| line.starts_with(place));
    lines.retain(|line, _| !is_untried(line));
    let stored = ended.before.filter_rules.as_ref().known().into_iter().flatten();
    lines
        .extend(stored.filter(|(line, _)| is_untried(line)).map(|(line, rule)| (line.clone(), rule.clone())));
    for key in unfinished_filters(ended.outcomes) {
        let prefix = format!("{key}/");
        lines.retain(|line, _| !line.starts_with(&prefix));
        lines.extend(rules::done(&key, ended.owned, ended.outcomes));
    }
}

/// What was planned as known comes back, though it vanished between plan and apply: Terraform refuses anything else.
/// The next refresh puts it right.
fn promised(planned: Value<String>, actual: Value<String>) -> Value<String> {
    if planned.is_known() { planned } else { actual }
}

fn active() -> Value<String> {
    Value::Known(PriorState::Active.as_str().to_owned())
}

fn known_or_null(value: Value<String>) -> Value<String> {
    if value.is_unknown() { Value::Null } else { value }
}

/// Outcomes by source, so that a thousand sessions are not searched a thousand times.
struct Fates<'a> {
    ended: &'a Ended<'a>,
    /// Sessions of nobody that became the fleet's.
    adopted: BTreeSet<&'a SessionId>,
    outcomes: BTreeMap<&'a MemberKey, Vec<(&'a Action, &'a Outcome)>>,
}

impl<'a> Fates<'a> {
    fn of(ended: &'a Ended<'a>) -> Self {
        let mut outcomes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for step in &ended.outcomes.steps {
            if let Action::CreateSession { key, .. }
            | Action::ModifySession { key, .. }
            | Action::DeleteSession { key, .. } = &step.action
            {
                outcomes.entry(key).or_default().push((&step.action, &step.outcome));
            }
        }
        let adopted = ended.outcomes.steps.iter().filter_map(|step| match (&step.action, &step.outcome) {
            (Action::Retag { resource: Resource::Session(id), .. }, Outcome::Done(_))
                if step.stage == Stage::Adoptions =>
            {
                Some(id)
            }
            _ => None,
        });
        Self { ended, adopted: adopted.collect(), outcomes }
    }

    fn of_source(&self, key: &MemberKey) -> Fate<'a> {
        let owned = self.ended.owned.sessions.get(key).into_iter().flatten().map(|session| &session.id);
        let adopted = self.ended.expansion.adopted.get(key).map(|one| &one.session);
        let adopted = adopted.filter(|id| self.adopted.contains(id));
        let existing = owned.chain(adopted).find(|id| !self.is_to_go(key, id));
        let mut fate = existing.map_or(Fate::Unmade, |id| Fate::Made(id.clone()));
        for (action, outcome) in self.outcomes.get(key).into_iter().flatten() {
            fate = match (action, outcome) {
                (Action::CreateSession { .. }, Outcome::Done(Some(Created::Session(id)))) => {
                    Fate::Made(id.clone())
                }
                (Action::CreateSession { .. } | Action::ModifySession { .. }, Outcome::SourceGone(_)) => {
                    return Fate::Gone;
                }
                (Action::CreateSession { .. }, _) => Fate::Unmade,
                (Action::ModifySession { .. }, Outcome::Done(_)) => fate,
                (Action::ModifySession { id, .. }, _) => Fate::Unchanged(id),
                // A duplicate.
                _ => fate,
            };
        }
        if matches!(fate, Fate::Unmade) && self.ended.plan.source_gone.contains(key) {
            Fate::Gone
        } else {
            fate
        }
    }

    /// Whether the plan removes this session, as a duplicate of the one that stays.
    fn is_to_go(&self, key: &MemberKey, id: &SessionId) -> bool {
        self.outcomes
            .get(key)
            .into_iter()
            .flatten()
            .any(|(action, _)| matches!(action, Action::DeleteSession { id: going, .. } if going == id))
    }

    /// Whether a source that was to lose its session still has it.
    fn is_left(&self, key: &MemberKey) -> bool {
        self.outcomes.get(key).into_iter().flatten().any(|(action, outcome)| {
            matches!(action, Action::DeleteSession { .. }) && !matches!(outcome, Outcome::Done(_))
        })
    }
}

type Ids = BTreeMap<String, Value<String>>;

/// Ids of the targets and filters that the apply made.
#[derive(Default)]
struct Made<'a> {
    targets: BTreeMap<&'a ObjectKey, &'a TargetId>,
    filters: BTreeMap<&'a ObjectKey, &'a FilterId>,
}

impl<'a> Made<'a> {
    fn by(outcomes: &'a Outcomes) -> Self {
        let mut made = Self::default();
        for step in &outcomes.steps {
            match (&step.action, &step.outcome) {
                (Action::CreateTarget { key, .. }, Outcome::Done(Some(Created::Target(id)))) => {
                    made.targets.insert(key, id);
                }
                (Action::CreateFilter { key, .. }, Outcome::Done(Some(Created::Filter(id)))) => {
                    made.filters.insert(key, id);
                }
                _ => {}
            }
        }
        made
    }

    fn target(&self, ended: &Ended<'_>, key: &ObjectKey) -> Option<String> {
        let existing = || {
            let Given::Known(destination) = &ended.expansion.targets.get(key)?.destination else {
                return None;
            };
            let targets = ended.owned.targets.get(key)?;
            targets.iter().find(|target| target.destination == *destination).map(|target| &target.id)
        };
        self.targets.get(key).copied().or_else(existing).map(ToString::to_string)
    }

    fn filter(&self, ended: &Ended<'_>, key: &ObjectKey) -> Option<String> {
        let existing = || ended.owned.filters.get(key)?.first().map(|filter| &filter.id);
        self.filters.get(key).copied().or_else(existing).map(ToString::to_string)
    }
}

/// Labels of targets that have another one now, with that one: the id is the same.
fn renamed(before: &Value<Ids>, after: &Value<Ids>) -> BTreeMap<String, String> {
    let label = |key: &String| key.parse().ok().map(|key: ObjectKey| key.label.to_string());
    let known = |ids: &Value<Ids>| -> Vec<(Option<String>, String)> {
        let ids = ids.as_ref().known().into_iter().flatten();
        ids.filter_map(|(key, id)| Some((label(key), id.as_ref().known()?.clone()))).collect()
    };
    let now: BTreeMap<String, String> =
        known(after).into_iter().filter_map(|(label, id)| Some((id, label?))).collect();
    let was = known(before).into_iter().filter_map(|(label, id)| Some((label?, now.get(&id)?.clone())));
    was.filter(|(was, is)| was != is).collect()
}

/// The planned keys with the ids that `find` knows. What was planned as known comes back: see [`promised`].
fn ids(planned: &Value<Ids>, find: impl Fn(&ObjectKey) -> Option<String>) -> Value<Ids> {
    let planned = planned.clone().known().unwrap_or_default();
    let found = |text: &str| text.parse().ok().and_then(|key| find(&key)).into();
    Value::Known(planned.into_iter().map(|(key, id)| (key.clone(), promised(id, found(&key)))).collect())
}
