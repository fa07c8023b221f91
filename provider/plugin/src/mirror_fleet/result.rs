//! From what a plan promised and what happened to the state that is stored. Pure.
//!
//! The state tells what exists, also after a failure, an interruption or half a destroy. Where Terraform demands that planned values come
//! back (a create that succeeded with warnings), what is missing is `pending` and counted.

use std::collections::BTreeMap;

use enigma_fleet::actions::Action;
use enigma_fleet::expand::{Expansion, PriorState};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{FilterId, MemberKey, ObjectKey, SessionId, TargetId};
use enigma_fleet::ownership::Owned;
use enigma_fleet::plan::Plan;
use enigma_reconcile::outcome::{Created, Outcome, Outcomes};
use enigma_tfplugin::Value;

use super::memory::unfinished;
use super::state::{Computed, Rows};

/// What an apply knows when it ends.
pub(super) struct Ended<'a> {
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
    for (text, planned) in ended.planned.rows() {
        let Ok(key) = text.parse::<MemberKey>() else { continue };
        if ended.expansion.kept.contains_key(&key) {
            rows.insert(text, planned);
            continue;
        }
        let mut row = planned;
        match fates.of_source(&key) {
            Fate::Made(id) => {
                row.session_id = promised(row.session_id, Value::Known(id.to_string()));
                row.state = promised(row.state, Value::Known(PriorState::Active.as_str().to_owned()));
            }
            Fate::Gone => {
                row.session_id = known_or_null(row.session_id);
                row.state = promised(row.state, Value::Known(PriorState::SourceGone.as_str().to_owned()));
            }
            Fate::Unchanged(id) => match old_rows.get(&text) {
                // Reported as an error, so what really is may be stored in place of what was planned.
                Some(old) => row = old.clone(),
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
        rows.insert(text, row);
    }
    for (text, old) in old_rows {
        let Ok(key) = text.parse::<MemberKey>() else { continue };
        if !rows.contains_key(&text) && fates.is_left(&key) {
            rows.insert(text, old);
        }
    }
    let mut after = Computed {
        id: Value::Known(ended.expansion.fleet.to_string()),
        sessions: Value::Known(rows),
        target_ids: promised_ids(&ended.planned.target_ids, target_ids(ended)),
        filter_ids: promised_ids(&ended.planned.filter_ids, filter_ids(ended)),
        ..ended.planned.clone()
    };
    after.count();
    after.count_more(unfinished(ended.outcomes));
    after
}

/// What is left of the computed attributes after a destroy that did not finish.
pub(super) fn left(before: &Computed, owned: &Owned, outcomes: &Outcomes) -> Computed {
    // Of duplicates every one must be gone.
    let is_gone = |is_it: &dyn Fn(&Action) -> bool| {
        let mut deletes = outcomes.steps.iter().filter(|step| is_it(&step.action)).peekable();
        deletes.peek().is_some() && deletes.all(|step| matches!(step.outcome, Outcome::Done(_)))
    };
    let is_left = |key: &MemberKey| {
        owned.sessions.contains_key(key)
            && !is_gone(&|action| matches!(action, Action::DeleteSession { key: k, .. } if k == key))
    };
    let mut rows = before.rows();
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
    after.count();
    after
}

/// What was planned as known comes back, though it vanished between plan and apply: Terraform refuses anything else. The next refresh
/// puts it right.
fn promised(planned: Value<String>, actual: Value<String>) -> Value<String> {
    if planned.is_known() { planned } else { actual }
}

/// The same for a map of ids.
fn promised_ids(planned: &Value<Ids>, actual: Ids) -> Value<Ids> {
    let mut planned = planned.clone().known().unwrap_or_default();
    let keep = |(key, id)| {
        let id = promised(planned.remove(&key).unwrap_or_default(), id);
        (key, id)
    };
    Value::Known(actual.into_iter().map(keep).collect())
}

fn known_or_null(value: Value<String>) -> Value<String> {
    if value.is_unknown() { Value::Null } else { value }
}

/// Outcomes by source, so that a thousand sessions are not searched a thousand times.
struct Fates<'a> {
    ended: &'a Ended<'a>,
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
        Self { ended, outcomes }
    }

    fn of_source(&self, key: &MemberKey) -> Fate<'a> {
        let existing = self
            .ended
            .owned
            .sessions
            .get(key)
            .and_then(|sessions| sessions.iter().find(|session| !self.is_to_go(key, &session.id)))
            .map(|session| &session.id);
        let mut fate = existing.map_or(Fate::Unmade, |id| Fate::Made(id.clone()));
        for (action, outcome) in self.outcomes.get(key).into_iter().flatten() {
            fate = match (action, outcome) {
                (Action::CreateSession { .. }, Outcome::Done(Some(Created::Session(id)))) => {
                    Fate::Made(id.clone())
                }
                (Action::CreateSession { .. }, Outcome::SourceGone(_)) => return Fate::Gone,
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

fn target_ids(ended: &Ended<'_>) -> Ids {
    let made = |key: &ObjectKey| {
        ended.outcomes.steps.iter().find_map(|step| match (&step.action, &step.outcome) {
            (Action::CreateTarget { key: k, .. }, Outcome::Done(Some(Created::Target(id)))) if k == key => {
                Some(id.clone())
            }
            _ => None,
        })
    };
    let existing = |key: &ObjectKey| -> Option<TargetId> {
        let Given::Known(destination) = &ended.expansion.targets.get(key)?.destination else { return None };
        ended
            .owned
            .targets
            .get(key)?
            .iter()
            .find(|target| target.destination == *destination)
            .map(|target| target.id.clone())
    };
    let keys = ended.expansion.targets.keys();
    keys.map(|key| (key.to_string(), made(key).or_else(|| existing(key)).map(|id| id.to_string()).into()))
        .collect()
}

fn filter_ids(ended: &Ended<'_>) -> Ids {
    let made = |key: &ObjectKey| {
        ended.outcomes.steps.iter().find_map(|step| match (&step.action, &step.outcome) {
            (Action::CreateFilter { key: k, .. }, Outcome::Done(Some(Created::Filter(id)))) if k == key => {
                Some(id.clone())
            }
            _ => None,
        })
    };
    let existing = |key: &ObjectKey| -> Option<FilterId> {
        ended.owned.filters.get(key)?.first().map(|filter| filter.id.clone())
    };
    let keys = ended.expansion.filters.keys();
    keys.map(|key| (key.to_string(), made(key).or_else(|| existing(key)).map(|id| id.to_string()).into()))
        .collect()
}
