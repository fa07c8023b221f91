//! Who depends on whom, and what has happened so far.
//!
//! An action depends on the actions before it on the same object (in its lane and in earlier waves), and on those in
//! earlier waves on the objects it refers to. So a filter whose new rule was refused keeps its old rules, a session
//! is not made with a filter that has only some of its rules, and whatever refers to an object that was not made is
//! left out. Pure but for one lock; no I/O, no time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use enigma_fleet::actions::{Action, Ref, Resource};
use enigma_fleet::ids::{AccountId, FilterId, MemberKey, ObjectKey, Place, SessionId, ShareArn, TargetId};
use enigma_fleet::inventory::Destination;
use enigma_fleet::plan::{Lane, Plan, Stage};

use crate::outcome::{Because, Created, Outcome, Outcomes, Step};
use crate::ports::AwsError;

/// An object in the sense of dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Target(ObjectKey),
    Filter(ObjectKey),
    /// A filter that exists, named by a session; the same object as a `Filter` whose actions name this id.
    FilterId(Place, FilterId),
    Member(MemberKey),
    /// A session that exists, whoever it belongs to until now.
    Session(Place, SessionId),
    /// The share of a place.
    Share(Place),
    /// A target of another account in the eyes of a place.
    Sight(Place, TargetName),
}

/// A target by whatever name an action gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum TargetName {
    Existing(TargetId),
    Planned(ObjectKey),
}

impl TargetName {
    fn of(reference: &Ref<TargetId>) -> Self {
        match reference {
            Ref::Existing(id) => Self::Existing(id.clone()),
            Ref::Planned(key) => Self::Planned(key.clone()),
        }
    }
}

pub(super) struct Ledger {
    stages: Vec<Stage>,
    /// Wave and action.
    entries: Vec<(usize, Action)>,
    /// Indices of the actions on each object.
    on: HashMap<Subject, Vec<usize>>,
    /// Waves in which sessions make room for others, with the places that do.
    freeing: BTreeSet<(usize, Place)>,
    outcomes: Mutex<Vec<Option<Outcome>>>,
    unmarked: Mutex<Vec<AwsError>>,
}

impl Ledger {
    pub(super) fn new(plan: &Plan) -> Self {
        let entries: Vec<(usize, Action)> = plan
            .waves
            .iter()
            .enumerate()
            .flat_map(|(index, wave)| wave.actions.iter().map(move |action| (index, action.clone())))
            .collect();
        let mut on: HashMap<Subject, Vec<usize>> = HashMap::new();
        for (index, (_, action)) in entries.iter().enumerate() {
            for subject in changed_by(action) {
                on.entry(subject).or_default().push(index);
            }
        }
        let freeing = entries
            .iter()
            .filter(|(wave, _)| {
                matches!(plan.waves[*wave].stage, Stage::FreedInterfaces | Stage::FreedSources)
            })
            .map(|(wave, action)| (*wave, action.place().clone()))
            .collect();
        let outcomes = Mutex::new(vec![None; entries.len()]);
        Self {
            stages: plan.waves.iter().map(|wave| wave.stage).collect(),
            entries,
            on,
            freeing,
            outcomes,
            unmarked: Mutex::default(),
        }
    }

    /// The generation could not be written on a target.
    pub(super) fn leave_unmarked(&self, why: AwsError) {
        self.unmarked.lock().unwrap_or_else(PoisonError::into_inner).push(why);
    }

    pub(super) fn waves(&self) -> usize {
        self.stages.len()
    }

    pub(super) fn stage(&self, wave: usize) -> Stage {
        self.stages[wave]
    }

    pub(super) fn action(&self, index: usize) -> &Action {
        &self.entries[index].1
    }

    /// For each place and wave with anything to do, the lanes, and in each the actions in order.
    pub(super) fn by_place(&self) -> BTreeMap<Place, BTreeMap<usize, Vec<Vec<usize>>>> {
        let mut lanes: BTreeMap<Place, BTreeMap<usize, Vec<Vec<usize>>>> = BTreeMap::new();
        let mut known: HashMap<(usize, Lane), usize> = HashMap::new();
        for (index, (wave, action)) in self.entries.iter().enumerate() {
            let of_wave = lanes.entry(action.place().clone()).or_default().entry(*wave).or_default();
            let lane = *known.entry((*wave, action.lane())).or_insert(of_wave.len());
            if lane == of_wave.len() {
                of_wave.push(Vec::new());
            }
            of_wave[lane].push(index);
        }
        lanes
    }

    /// How many waves other places must have finished before this action may begin.
    pub(super) fn waits_for(&self, index: usize, places: &[Place]) -> Vec<(Place, usize)> {
        let (wave, action) = &self.entries[index];
        if is_withdrawal(action) {
            // Sessions of any account may use it.
            return places.iter().map(|place| (place.clone(), *wave)).collect();
        }
        let needed = needed_by(action);
        let earlier = needed
            .iter()
            .flat_map(|subject| self.on.get(subject).into_iter().flatten())
            .filter(|earlier| self.entries[**earlier].0 < *wave)
            .map(|earlier| (self.entries[*earlier].1.place().clone(), self.entries[*earlier].0 + 1));
        // AWS counts the sources of a target, and the sessions of an interface, over all accounts.
        let region = &action.place().region;
        let makes_room = |(freed, place): &&(usize, Place)| freed < wave && place.region == *region;
        let freed = self.freeing.iter().filter(|_| takes_room(action)).filter(makes_room);
        earlier.chain(freed.map(|(freed, place)| (place.clone(), freed + 1))).collect()
    }

    /// The source of this action's session, where an earlier action on it found it gone: then there is nothing to
    /// change, but a delete still makes sure.
    pub(super) fn gone_before(&self, index: usize) -> Option<AwsError> {
        let (_, action) = &self.entries[index];
        let subjects = match action {
            Action::ModifySession { key, id, .. } => {
                [Some(Subject::Member(key.clone())), Some(Subject::Session(key.place.clone(), id.clone()))]
            }
            Action::Retag { place, resource: Resource::Session(id), .. } => {
                [Some(Subject::Session(place.clone(), id.clone())), None]
            }
            _ => return None,
        };
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = subjects.iter().flatten().flat_map(|one| self.on.get(one)).flatten();
        earlier.filter(|earlier| **earlier < index).find_map(|earlier| match &outcomes[*earlier] {
            Some(Outcome::SourceGone(error)) => Some(error.clone()),
            _ => None,
        })
    }

    /// The first earlier action that stands in the way of this one, if any.
    pub(super) fn blocked_by(&self, index: usize) -> Option<Because> {
        let (wave, action) = &self.entries[index];
        if let Some(user) = self.left_in_share(index) {
            return Some(Because::StillUsed(user));
        }
        let own = changed_by(action);
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_delete = matches!(action, Action::DeleteSession { .. });
        let failed = |earlier: &usize| match outcomes[*earlier] {
            Some(Outcome::SourceGone(_)) => !is_delete,
            Some(Outcome::Done(_)) => false,
            _ => true,
        };
        needed_by(action)
            .iter()
            .flat_map(|subject| {
                let is_own = own.contains(subject);
                let on = self.on.get(subject).into_iter().flatten();
                on.filter(move |earlier| {
                    let earlier_wave = self.entries[**earlier].0;
                    earlier_wave < *wave || (is_own && earlier_wave == *wave && **earlier < index)
                })
            })
            .find(|earlier| failed(earlier))
            .map(|earlier| Because::DependsOn(*earlier))
    }

    /// AWS would take a target away under sessions of other accounts, and nobody would see what happens to those: so
    /// nothing leaves a share, and no target is deleted, while a session that was to go before has not.
    fn left_in_share(&self, index: usize) -> Option<usize> {
        let (wave, action) = &self.entries[index];
        let leaves: Box<dyn Fn(&Place) -> bool> = match action {
            // Which targets a session used is not known here, so with targets all other accounts count.
            Action::RemoveFromShare { place, principals, targets, .. } if targets.is_empty() => {
                Box::new(move |user| {
                    user.region == place.region && principals.contains(user.account.as_str())
                })
            }
            Action::RemoveFromShare { place, .. } | Action::DeleteShare { place, .. } => {
                Box::new(move |user| user.region == place.region && user.account != place.account)
            }
            // AWS refuses it while sessions use the target, but of a shared one it also says that sessions of others
            // become inactive then, which no field shows: what it refuses there is not on record.
            // <https://docs.aws.amazon.com/vpc/latest/mirroring/tm-sharing.html>
            Action::DeleteTarget { key, .. } => {
                Box::new(move |user| user.region == key.place.region && user.account != key.place.account)
            }
            _ => return None,
        };
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        self.entries.iter().zip(outcomes.iter()).position(|((earlier_wave, earlier), outcome)| {
            earlier_wave < wave
                && frees_target(earlier)
                && leaves(earlier.place())
                && !has_freed(outcome.as_ref())
        })
    }

    /// For an object that AWS says is still used: an earlier action on a session, in reach of the object, that did not succeed.
    pub(super) fn kept_in_use_by(&self, index: usize) -> Option<Because> {
        let (wave, action) = &self.entries[index];
        let place = action.place();
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        self.entries
            .iter()
            .zip(outcomes.iter())
            .position(|((earlier_wave, earlier), outcome)| {
                let in_reach = match action {
                    // Another account's sessions may use it, in the same Region.
                    Action::DeleteTarget { .. } => earlier.place().region == place.region,
                    _ => earlier.place() == place,
                };
                earlier_wave < wave
                    && in_reach
                    && matches!(earlier, Action::DeleteSession { .. } | Action::ModifySession { .. })
                    && !has_freed(outcome.as_ref())
            })
            .map(Because::StillUsed)
    }

    /// The target that a reference means, and whether this run made it.
    pub(super) fn target(&self, reference: &Ref<TargetId>) -> Result<(TargetId, bool), Because> {
        match reference {
            Ref::Existing(id) => Ok((id.clone(), false)),
            Ref::Planned(key) => self
                .made(&Subject::Target(key.clone()), |made| match made {
                    Created::Target(id) => Some(id.clone()),
                    _ => None,
                })
                .map(|id| (id, true))
                .ok_or_else(|| Because::NothingMakes(format!("target {key}"))),
        }
    }

    /// The filter that a reference means, and whether this run made it.
    pub(super) fn filter(&self, reference: &Ref<FilterId>) -> Result<(FilterId, bool), Because> {
        match reference {
            Ref::Existing(id) => Ok((id.clone(), false)),
            Ref::Planned(key) => self
                .made(&Subject::Filter(key.clone()), |made| match made {
                    Created::Filter(id) => Some(id.clone()),
                    _ => None,
                })
                .map(|id| (id, true))
                .ok_or_else(|| Because::NothingMakes(format!("filter {key}"))),
        }
    }

    /// The share that this run made in a place.
    pub(super) fn share_made(&self, place: &Place) -> Option<ShareArn> {
        self.made(&Subject::Share(place.clone()), |made| match made {
            Created::Share(arn) => Some(arn.clone()),
            _ => None,
        })
    }

    /// Whether this plan puts an account into the share of a place.
    pub(super) fn is_added(&self, sharing: &Place, account: &AccountId) -> bool {
        self.on.get(&Subject::Share(sharing.clone())).into_iter().flatten().any(|index| {
            match &self.entries[*index].1 {
                Action::CreateShare { principals, .. } | Action::AddToShare { principals, .. } => {
                    principals.contains(account)
                }
                _ => false,
            }
        })
    }

    fn made<T>(&self, subject: &Subject, pick: impl Fn(&Created) -> Option<T>) -> Option<T> {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        self.on.get(subject)?.iter().rev().find_map(|index| match &outcomes[*index] {
            Some(Outcome::Done(Some(created))) => pick(created),
            _ => None,
        })
    }

    pub(super) fn record(&self, index: usize, outcome: Outcome) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(outcome);
    }

    /// The outcomes of these actions, for progress.
    pub(super) fn outcomes_of(&self, lanes: &[Vec<usize>]) -> Vec<Outcome> {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.iter().flatten().filter_map(|index| outcomes[*index].clone()).collect()
    }

    /// Everything; what was never reached counts as cancelled.
    pub(super) fn outcomes(&self) -> Outcomes {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let steps = self.entries.iter().zip(outcomes.iter()).map(|((wave, action), outcome)| Step {
            stage: self.stages[*wave],
            action: action.clone(),
            outcome: outcome.clone().unwrap_or(Outcome::Cancelled),
        });
        let unmarked = self.unmarked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Outcomes { steps: steps.collect(), unmarked }
    }
}

/// Whether an action takes something away that sessions of other accounts may use.
fn is_withdrawal(action: &Action) -> bool {
    matches!(
        action,
        Action::DeleteTarget { .. } | Action::RemoveFromShare { .. } | Action::DeleteShare { .. }
    )
}

/// Whether an action sends to a target from where nothing was sent to it before.
fn takes_room(action: &Action) -> bool {
    match action {
        // An interface is no target while it is a source, and whoever owns its subnet may have made that session.
        Action::CreateTarget { destination: Destination::Interface(_), .. }
        | Action::CreateSession { .. } => true,
        Action::ModifySession { change, .. } => change.target.is_some(),
        _ => false,
    }
}

/// Whether an action may be what a target waits for to be used no longer.
fn frees_target(action: &Action) -> bool {
    match action {
        Action::DeleteSession { .. } => true,
        Action::ModifySession { change, .. } => change.target.is_some(),
        _ => false,
    }
}

/// Whether the session of an action uses nothing any more that it was to stop using: it does what it should, or went
/// with its source.
fn has_freed(outcome: Option<&Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Done(_) | Outcome::SourceGone(_)))
}

/// The objects that an action changes.
fn changed_by(action: &Action) -> Vec<Subject> {
    match action {
        Action::CreateTarget { key, .. } | Action::DeleteTarget { key, .. } => {
            vec![Subject::Target(key.clone())]
        }
        Action::CreateFilter { key, .. }
        | Action::ModifyRule { key, .. }
        | Action::DeleteRule { key, .. } => {
            vec![Subject::Filter(key.clone())]
        }
        Action::SetAmazonDns { key, filter, .. } | Action::CreateRule { key, filter, .. } => match filter {
            Ref::Existing(id) => {
                vec![Subject::Filter(key.clone()), Subject::FilterId(key.place.clone(), id.clone())]
            }
            Ref::Planned(_) => vec![Subject::Filter(key.clone())],
        },
        Action::DeleteFilter { key, .. } => vec![Subject::Filter(key.clone())],
        Action::CreateSession { key, .. }
        | Action::ModifySession { key, .. }
        | Action::DeleteSession { key, .. } => vec![Subject::Member(key.clone())],
        // Nobody needs a share's tags.
        Action::ModifyShare { allows_external: None, .. } => Vec::new(),
        Action::CreateShare { place, .. }
        | Action::ModifyShare { place, .. }
        | Action::AddToShare { place, .. }
        | Action::RemoveFromShare { place, .. }
        | Action::DeleteShare { place, .. } => vec![Subject::Share(place.clone())],
        Action::JoinShare { place, targets, .. } => {
            targets.iter().map(|target| Subject::Sight(place.clone(), TargetName::of(target))).collect()
        }
        Action::Retag { place, resource: Resource::Session(id), .. } => {
            vec![Subject::Session(place.clone(), id.clone())]
        }
        Action::Retag { .. } => Vec::new(),
    }
}

/// The objects that must be as planned before an action makes sense: those it changes and those it refers to.
fn needed_by(action: &Action) -> Vec<Subject> {
    let mut needed = changed_by(action);
    let planned = |targets: &[Ref<TargetId>]| {
        let keys = targets.iter().filter_map(|target| match target {
            Ref::Planned(key) => Some(Subject::Target(key.clone())),
            Ref::Existing(_) => None,
        });
        keys.collect::<Vec<_>>()
    };
    let (place, target, filter) = match action {
        Action::CreateSession { key, settings, .. } => {
            (&key.place, Some(&settings.target), Some(&settings.filter))
        }
        Action::ModifySession { key, id, change } => {
            needed.push(Subject::Session(key.place.clone(), id.clone()));
            (&key.place, change.target.as_ref(), change.filter.as_ref())
        }
        Action::DeleteSession { key, id } => {
            needed.push(Subject::Session(key.place.clone(), id.clone()));
            return needed;
        }
        Action::CreateShare { targets, .. } | Action::AddToShare { targets, .. } => {
            needed.extend(planned(targets));
            return needed;
        }
        Action::JoinShare { place, share, sender, targets } => {
            // Shares are regional: an existing one is in the Region of whoever joins.
            let region = place.region.clone();
            let sharing = match share {
                Ref::Planned(sharing) => sharing.clone(),
                Ref::Existing(_) => Place { account: sender.clone(), region },
            };
            needed.push(Subject::Share(sharing));
            needed.extend(planned(targets));
            return needed;
        }
        _ => return needed,
    };
    if let Some(target) = target {
        needed.push(Subject::Sight(place.clone(), TargetName::of(target)));
    }
    if let Some(Ref::Planned(key)) = target {
        needed.push(Subject::Target(key.clone()));
    }
    match filter {
        Some(Ref::Planned(key)) => needed.push(Subject::Filter(key.clone())),
        Some(Ref::Existing(id)) => needed.push(Subject::FilterId(place.clone(), id.clone())),
        None => {}
    }
    needed
}

#[cfg(test)]
mod tests;
