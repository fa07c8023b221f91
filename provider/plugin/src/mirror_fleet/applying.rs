//! Carrying out a decision: look at what exists, find the difference, have it checked, execute it.
//!
//! The shell around the core for create, update and delete. Everything it needs is passed in; it decides nothing but
//! what may not be touched: objects that appeared after the review wait for the next plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enigma_fleet::actions::{Action, Resource};
use enigma_fleet::check;
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::expand::Expansion;
use enigma_fleet::finding::Finding;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{FleetName, MemberKey, ObjectKey, Place, TargetId};
use enigma_fleet::inventory::{Inventory, Tags};
use enigma_fleet::ownership::{Known, OUR_PREFIX, Owned, own_known};
use enigma_fleet::plan::{Plan, Stage, Wave};
use enigma_fleet::quota::TAGS_PER_RESOURCE;
use enigma_reconcile::execute::{Options, execute};
use enigma_reconcile::generation::{self, GENERATION_TAG, Superseded};
use enigma_reconcile::outcome::{Outcome, Outcomes, Step, describe as describe_action};
use enigma_reconcile::pacing::Pacer;
use enigma_reconcile::ports::Cloud;
use enigma_reconcile::progress::Progress;
use enigma_tfplugin::{Diagnostic, Diagnostics};
use tokio_util::sync::CancellationToken;

use super::apart::{self, Apart};
use super::forgetting::Forgotten;
use super::looking::see;
use super::spec_tags;
use crate::diagnostics;

/// Set on the fleet's targets when its create has ended, so that a create which finds the fleet can tell an interrupted one,
/// to be finished, from one that another state manages.
pub(super) const COMPLETE_TAG: &str = "enigma:complete";

/// The means of one apply.
pub(super) struct Means<'a> {
    pub(super) cloud: Arc<dyn Cloud>,
    pub(super) home: &'a Place,
    pub(super) pacer: Arc<Pacer>,
    pub(super) stop: &'a CancellationToken,
    /// How long it may take; then it is as if Terraform had said stop.
    pub(super) limit: Duration,
    /// Part of every client token, and written on targets.
    pub(super) generation: u64,
    /// The newest generation that the plan knows.
    pub(super) seen: Option<u64>,
    /// Who watches.
    pub(super) progress: Option<Arc<dyn Progress>>,
}

/// What came of it.
pub(super) struct Applied {
    pub(super) owned: Owned,
    pub(super) plan: Plan,
    pub(super) outcomes: Outcomes,
    /// What was left alone, because a place could not be read.
    pub(super) apart: Apart,
    /// Warnings of the difference and the check.
    pub(super) diagnostics: Diagnostics,
}

/// What kind of apply this is.
pub(super) enum Occasion<'a> {
    /// The state knows nothing of the fleet; an interrupted create may have left some of it in these places.
    Create(&'a BTreeSet<Place>),
    /// These sources were in the state when the plan was reviewed; others are not touched. `former_tags` are the keys
    /// of tags a person had set.
    Update {
        /// Keys of the prior state.
        reviewed: BTreeSet<MemberKey>,
        /// The state says that these places hold some of the fleet.
        known: &'a BTreeSet<Place>,
        /// And that these of them share targets.
        shared: &'a BTreeSet<Place>,
        /// And that these objects are the fleet's.
        ids: Known,
        /// Tag keys.
        former_tags: BTreeSet<String>,
        /// Accounts that are gone for good: that they cannot be read concerns nobody.
        forgotten: &'a Forgotten,
        /// Targets that stay as they are.
        settled: BTreeSet<ObjectKey>,
    },
    /// Everything that carries the fleet's tag goes.
    Destroy {
        /// The state says that these places hold some of it.
        known: &'a BTreeSet<Place>,
        /// And that these of them share targets.
        shared: &'a BTreeSet<Place>,
        /// And that these objects are the fleet's.
        ids: Known,
        /// The provider reaches these, so that another writer may have made some of it there.
        reached: &'a BTreeSet<Place>,
        /// As in an update.
        forgotten: &'a Forgotten,
    },
}

/// Everything decided, and nothing done yet.
pub(super) struct Ready {
    /// What was asked for, without what cannot be had now, and with descriptions.
    pub(super) expansion: Expansion,
    /// What was seen.
    pub(super) inventory: Inventory,
    /// What of it is the fleet's.
    pub(super) owned: Owned,
    /// What is to be done.
    pub(super) plan: Plan,
    /// Of the difference and the check; with an error nothing may be done.
    pub(super) findings: Vec<Finding>,
    /// See [`Applied::apart`].
    pub(super) apart: Apart,
}

/// Looks at what exists, finds the difference and has it checked.
///
/// # Errors
/// Nothing may be done: no target could be seen, or the fleet is another's.
pub(super) async fn prepare(
    cloud: &dyn Cloud,
    home: &Place,
    mut expansion: Expansion,
    description: &str,
    occasion: &Occasion<'_>,
) -> Result<Ready, Diagnostics> {
    let fleet = expansion.fleet.clone();
    let places = places(home, &expansion, occasion);
    let nowhere = BTreeSet::new();
    let shared = match occasion {
        Occasion::Create(_) => &nowhere,
        Occasion::Update { shared, .. } | Occasion::Destroy { shared, .. } => shared,
    };
    let inventory = see(cloud, &places, shared).await;
    if let Some(why) = blind(&expansion, &inventory.unread) {
        return Err(Diagnostic::error(
            format!("Fleet {fleet} was not touched"),
            format!("None of its targets could be looked for, so nothing was changed anywhere: {why}. Correct that, then try again."),
        )
        .into());
    }
    let nothing = Known::default();
    let ids = match occasion {
        Occasion::Create(_) => &nothing,
        Occasion::Update { ids, .. } | Occasion::Destroy { ids, .. } => ids,
    };
    let mut owned = own_known(&fleet, &inventory.places, ids);
    owned.relabel(&expansion.labels());
    let concerned =
        inventory.unread.keys().filter(|place| is_concerned(place, &expansion, occasion)).cloned().collect();
    let none = BTreeSet::new();
    let settled = match occasion {
        Occasion::Update { settled, .. } => settled,
        Occasion::Create(_) | Occasion::Destroy { .. } => &none,
    };
    let apart = apart::set(&mut expansion, &owned, &inventory.unread, concerned, settled);
    let mut around = Circumstances::default();
    match occasion {
        Occasion::Create(_) => {
            if is_complete(&owned) {
                return Err(exists(&fleet, &owned).into());
            }
            describe(&mut expansion, description, &owned, None);
        }
        Occasion::Update { reviewed, former_tags, .. } => {
            leave_unreviewed(&mut owned, &expansion, reviewed);
            around.former_tags = former_tags.clone();
            around.former_tags.extend(spec_tags::keys());
            describe(&mut expansion, description, &owned, Some(&around.former_tags));
        }
        Occasion::Destroy { .. } => {}
    }
    let plan = diff(&expansion, &owned, &around);
    let mut findings = plan.findings.clone();
    findings.extend(check::plan(&plan, &owned, &expansion));
    Ok(Ready { expansion, inventory, owned, plan, findings, apart })
}

/// Brings `expansion` about.
///
/// # Errors
/// Nothing was done.
pub(super) async fn apply(
    means: &Means<'_>,
    expansion: Expansion,
    description: &str,
    occasion: &Occasion<'_>,
) -> Result<(Expansion, Applied), Diagnostics> {
    let looking = prepare(means.cloud.as_ref(), means.home, expansion, description, occasion);
    let ready = unless_stopped(means.stop, looking).await??;
    let findings: Diagnostics = ready.findings.iter().map(diagnostics::finding).collect();
    if findings.has_errors() {
        return Err(findings);
    }
    let Ready { expansion, inventory, owned, plan, apart, .. } = ready;
    if !matches!(occasion, Occasion::Create(_)) {
        // A create resumes what an earlier one left, so there a generation says nothing.
        let newest = generation::newest(&expansion.fleet, &inventory.places);
        generation::guard(&expansion.fleet, means.seen, newest).map_err(|stale| superseded(&stale))?;
    }
    let options = options(means, occasion, &owned, &plan);
    let outcomes = execute(&plan, Arc::clone(&means.cloud), &options, means.stop).await;
    Ok((expansion, Applied { owned, plan, outcomes, apart, diagnostics: findings }))
}

fn options(means: &Means<'_>, occasion: &Occasion<'_>, owned: &Owned, plan: &Plan) -> Options {
    let mut options = Options::new(means.generation, Arc::clone(&means.pacer));
    options.deadline = Some(means.limit);
    options.progress.clone_from(&means.progress);
    // A plan without actions undoes nothing, and what a destroy leaves is found again by its tags.
    if !plan.is_empty() && !matches!(occasion, Occasion::Destroy { .. }) {
        let targets = owned.targets.iter().flat_map(|(key, list)| list.iter().map(move |one| (key, one)));
        options.stamps = Some(targets.map(|(key, one)| (key.place.clone(), one.id.clone())).collect());
    }
    options
}

/// Looks at AWS until Terraform is told to stop: looking changes nothing, so nobody need wait for its end.
///
/// # Errors
/// It was told to.
pub(super) async fn unless_stopped<T>(
    stop: &CancellationToken,
    looking: impl Future<Output = T>,
) -> Result<T, Diagnostic> {
    tokio::select! {
        seen = looking => Ok(seen),
        () = stop.cancelled() => Err(Diagnostic::error(
            "Interrupted",
            "Nothing was changed, because Terraform was told to stop while the fleet was looked at.",
        )),
    }
}

fn superseded(stale: &Superseded) -> Diagnostic {
    Diagnostic::error(
        format!("The plan of fleet {} is stale", stale.fleet),
        format!("Nothing was changed: {stale}."),
    )
}

/// Marks a fleet whose create ended as complete, as patiently as anything else is written, and says on how many
/// targets that did not come about.
///
/// Each is a warning: the fleet works, and the next apply sets the tag.
pub(super) async fn mark_complete(
    means: &Means<'_>,
    fleet: &FleetName,
    targets: impl IntoIterator<Item = (ObjectKey, TargetId)>,
) -> (Diagnostics, usize) {
    let mark = |(key, id): (ObjectKey, TargetId)| Action::Retag {
        place: key.place,
        resource: Resource::Target(id),
        set: Tags::from([(COMPLETE_TAG.to_owned(), "true".to_owned())]),
        remove: Vec::new(),
    };
    let actions = targets.into_iter().map(mark).collect();
    let plan = Plan {
        fleet: fleet.clone(),
        waves: vec![Wave { stage: Stage::Tags, actions }],
        source_gone: BTreeSet::new(),
        held_back: BTreeMap::new(),
        findings: Vec::new(),
    };
    let options = Options::new(means.generation, Arc::clone(&means.pacer));
    let outcomes = execute(&plan, Arc::clone(&means.cloud), &options, means.stop).await;
    // One mark is enough to be told apart.
    let is_marked = outcomes.counts().done > 0;
    let told: Diagnostics = outcomes.incomplete().map(|(_, step)| unmarked(fleet, step, is_marked)).collect();
    let count = told.len();
    (told, count)
}

fn unmarked(fleet: &FleetName, step: &Step, is_marked: bool) -> Diagnostic {
    let why = match &step.outcome {
        Outcome::Failed(error) | Outcome::SourceGone(error) => error.to_string(),
        _ => "Terraform was told to stop before its turn".to_owned(),
    };
    Diagnostic::warning(
        format!("Fleet {fleet} is not marked as complete"),
        format!(
            "Everything was made and works, but the tag {COMPLETE_TAG} could not be set by {}: {why}. The next apply of this fleet sets \
             it.{}",
            describe_action(&step.action),
            if is_marked { "" } else { UNTIL_THEN }
        ),
    )
}

/// What it means that no target of a fleet is marked.
const UNTIL_THEN: &str = " Until then, another configuration that makes a fleet of the same name takes this one for its own, left by an \
     interrupted create, and goes on with it instead of being refused.";

fn places(home: &Place, expansion: &Expansion, occasion: &Occasion<'_>) -> BTreeSet<Place> {
    let mut places = BTreeSet::from([home.clone()]);
    places.extend(expansion.sessions.keys().map(|key| key.place.clone()));
    places.extend(expansion.targets.keys().map(|key| key.place.clone()));
    match occasion {
        Occasion::Create(more) | Occasion::Update { known: more, .. } => places.extend(more.iter().cloned()),
        Occasion::Destroy { known, reached, .. } => places.extend(known.union(reached).cloned()),
    }
    places
}

/// Why nothing can be told apart: without any target no session can be made, and nobody can say whether a newer apply was there.
fn blind<'u>(expansion: &Expansion, unread: &'u BTreeMap<Place, String>) -> Option<&'u String> {
    let mut whys = expansion.targets.keys().map(|key| unread.get(&key.place));
    let first = whys.next()??;
    whys.all(|why| why.is_some()).then_some(first)
}

/// Whether something was to be done with sources of a place; not for sessions that are kept because it could not be read before.
fn is_concerned(place: &Place, expansion: &Expansion, occasion: &Occasion<'_>) -> bool {
    let is_here = |key: &MemberKey| key.place == *place;
    let goes = expansion.removed.iter().any(is_here)
        || matches!(occasion, Occasion::Destroy { known, .. } if known.contains(place));
    let is_forgotten = match occasion {
        Occasion::Create(_) => false,
        Occasion::Update { forgotten, .. } | Occasion::Destroy { forgotten, .. } => {
            forgotten.contains(&place.account)
        }
    };
    expansion.sessions.keys().any(is_here) || (goes && !is_forgotten)
}

/// Whether a create of this fleet ended some time.
fn is_complete(owned: &Owned) -> bool {
    owned.targets.values().flatten().any(|target| target.tags.contains_key(COMPLETE_TAG))
}

fn exists(fleet: &FleetName, owned: &Owned) -> Diagnostic {
    Diagnostic::error(
        format!("Fleet {fleet} exists already"),
        format!(
            "Nothing was made: a fleet of this name with {} sessions exists and this state does not know it. If it is yours, take it over with \
             `terraform import ADDRESS {fleet}`; if another configuration manages it, choose another `name`.",
            owned.sessions.len()
        ),
    )
}

/// Objects that nobody reviewed stay: they are hidden from the difference, and what they use counts as used.
fn leave_unreviewed(owned: &mut Owned, expansion: &Expansion, reviewed: &BTreeSet<MemberKey>) {
    let unreviewed: Vec<MemberKey> = owned
        .sessions
        .keys()
        .filter(|key| !reviewed.contains(*key) && !expansion.sessions.contains_key(*key))
        .cloned()
        .collect();
    for key in unreviewed {
        for session in owned.sessions.remove(&key).into_iter().flatten() {
            owned.targets_of_strangers.insert(session.target);
            owned.filters_of_strangers.insert(session.filter);
        }
    }
}

/// Writes the fleet's description into the tags of its first target. `former` are the keys of tags that an update
/// takes away; a create has none, and is not complete yet.
fn describe(expansion: &mut Expansion, description: &str, owned: &Owned, former: Option<&BTreeSet<String>>) {
    for (index, (key, target)) in expansion.targets.iter_mut().enumerate() {
        let Given::Known(tags) = &mut target.tags else { continue };
        if index == 0 {
            let existing = owned.targets.get(key).into_iter().flatten();
            let stays =
                |key: &&String| !tags.contains_key(*key) && former.is_none_or(|keys| !keys.contains(*key));
            let others =
                existing.map(|one| one.tags.keys().filter(stays).filter(|key| !is_ours(key)).count());
            tags.extend(spec_tags::write(description, room(tags, others.max().unwrap_or_default())));
        }
        if former.is_some() {
            tags.insert(COMPLETE_TAG.to_owned(), "true".to_owned());
        }
    }
}

fn is_ours(key: &str) -> bool {
    key.starts_with(OUR_PREFIX)
}

/// How many tags a target takes beside these, those of others, and those that an apply adds: its generation, and that
/// it is complete.
fn room(tags: &Tags, others: usize) -> usize {
    let added = [GENERATION_TAG, COMPLETE_TAG].into_iter().filter(|key| !tags.contains_key(*key));
    TAGS_PER_RESOURCE.saturating_sub(tags.len() + others + added.count())
}

/// A number that no earlier apply had. AWS answers a repeated client token with its first result, also when that
/// object was deleted since, so a fleet that is made again must not repeat the tokens of the one before.
pub(super) fn next_generation(used: u64) -> u64 {
    // Two applies may end within one millisecond, and a clock may be set back.
    new_generation().max(used.saturating_add(1))
}

/// The same where no earlier apply is remembered.
pub(super) fn new_generation() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

/// The time of a refresh or an apply; a plan has none.
pub(super) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
