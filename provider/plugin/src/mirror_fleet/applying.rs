//! Carrying out a decision: look at what exists, find the difference, have it checked, execute it.
//!
//! The shell around the core for create, update and delete. Everything it needs is passed in; it decides nothing but
//! what may not be touched: objects that appeared after the review wait for the next plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enigma_fleet::actions::Resource;
use enigma_fleet::check;
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::expand::Expansion;
use enigma_fleet::finding::Finding;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{FleetName, MemberKey, ObjectKey, Place, TargetId};
use enigma_fleet::inventory::{Inventory, Tags};
use enigma_fleet::ownership::{Owned, own};
use enigma_fleet::plan::Plan;
use enigma_reconcile::execute::{Options, execute};
use enigma_reconcile::generation::{self, Superseded};
use enigma_reconcile::outcome::Outcomes;
use enigma_reconcile::pacing::Pacer;
use enigma_reconcile::ports::Cloud;
use enigma_reconcile::progress::Progress;
use enigma_tfplugin::{Diagnostic, Diagnostics};
use tokio_util::sync::CancellationToken;

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
    /// Places of sources that could not be read: nothing was tried there. With the reason.
    pub(super) unread: BTreeMap<Place, String>,
    /// Warnings of the difference and the check.
    pub(super) diagnostics: Diagnostics,
}

/// What kind of apply this is.
pub(super) enum Occasion<'a> {
    /// The state knows nothing of the fleet; an interrupted create may have left some of it in these places.
    Create(&'a BTreeSet<Place>),
    /// These sources were in the state when the plan was reviewed; others are not touched. `former_tags` are the keys of tags a person had set.
    Update {
        /// Keys of the prior state.
        reviewed: BTreeSet<MemberKey>,
        /// The state says that these places hold some of the fleet.
        known: &'a BTreeSet<Place>,
        /// And that these of them share targets.
        shared: &'a BTreeSet<Place>,
        /// Tag keys.
        former_tags: BTreeSet<String>,
    },
    /// Everything that carries the fleet's tag goes.
    Destroy {
        /// The state says that these places hold some of it.
        known: &'a BTreeSet<Place>,
        /// And that these of them share targets.
        shared: &'a BTreeSet<Place>,
        /// The provider reaches these, so that another writer may have made some of it there.
        reached: &'a BTreeSet<Place>,
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
    /// See [`Applied::unread`].
    pub(super) unread: BTreeMap<Place, String>,
}

/// Looks at what exists, finds the difference and has it checked.
///
/// # Errors
/// Nothing may be done: what exists could not be seen, or the fleet is another's.
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
    let needed = expansion.targets.keys().map(|key| &key.place).chain([home]);
    for place in needed {
        // Without the targets no session can be made, and none of theirs be told from others'.
        if let Some(why) = inventory.unread.get(place) {
            return Err(Diagnostic::error(
                format!("Fleet {fleet} was not touched"),
                format!("What exists in {place} could not be read, so nothing was changed anywhere: {why}. Correct that, then try again."),
            )
            .into());
        }
    }
    let mut unread = inventory.unread.clone();
    unread.retain(|place, _| is_concerned(place, &expansion, occasion));
    leave_unread(&mut expansion, &inventory.unread);
    let mut owned = own(&fleet, &inventory.places);
    let mut around = Circumstances::default();
    match occasion {
        Occasion::Create(_) => {
            if is_complete(&owned) {
                return Err(exists(&fleet, &owned).into());
            }
            describe(&mut expansion, description, false);
        }
        Occasion::Update { reviewed, former_tags, .. } => {
            leave_unreviewed(&mut owned, &expansion, reviewed);
            around.former_tags = former_tags.clone();
            around.former_tags.extend(spec_tags::keys());
            describe(&mut expansion, description, true);
        }
        Occasion::Destroy { .. } => {}
    }
    let plan = diff(&expansion, &owned, &around);
    let mut findings = plan.findings.clone();
    findings.extend(check::plan(&plan, &owned, &expansion));
    Ok(Ready { expansion, inventory, owned, plan, findings, unread })
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
    let ready = prepare(means.cloud.as_ref(), means.home, expansion, description, occasion).await?;
    let findings: Diagnostics = ready.findings.iter().map(diagnostics::finding).collect();
    if findings.has_errors() {
        return Err(findings);
    }
    let Ready { expansion, inventory, owned, plan, unread, .. } = ready;
    if !matches!(occasion, Occasion::Create(_)) {
        // A create resumes what an earlier one left, so there a generation says nothing.
        let newest = generation::newest(&expansion.fleet, &inventory.places);
        generation::guard(&expansion.fleet, means.seen, newest).map_err(|stale| superseded(&stale))?;
    }
    let options = options(means, occasion, &owned, &plan);
    let outcomes = execute(&plan, Arc::clone(&means.cloud), &options, means.stop).await;
    Ok((expansion, Applied { owned, plan, outcomes, unread, diagnostics: findings }))
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

fn superseded(stale: &Superseded) -> Diagnostic {
    Diagnostic::error(
        format!("The plan of fleet {} is stale", stale.fleet),
        format!("Nothing was changed: {stale}."),
    )
}

/// Marks a fleet whose create ended as complete.
///
/// A failure is a warning: the fleet works, and the next update sets the tag.
pub(super) async fn mark_complete(
    means: &Means<'_>,
    targets: impl IntoIterator<Item = (ObjectKey, TargetId)>,
) -> Diagnostics {
    let tags = Tags::from([(COMPLETE_TAG.to_owned(), "true".to_owned())]);
    let mut diagnostics = Diagnostics::new();
    for (key, id) in targets {
        let marked = match means.cloud.open(&key.place).await {
            Ok(place) => place.retag(&Resource::Target(id), &tags, &[]).await,
            Err(error) => Err(error),
        };
        if let Err(error) = marked {
            diagnostics.push(unmarked(&error));
        }
    }
    diagnostics
}

fn unmarked(error: &enigma_reconcile::ports::AwsError) -> Diagnostic {
    Diagnostic::warning(
        "The fleet is not marked as complete",
        format!(
            "Everything was made, but the tag {COMPLETE_TAG} could not be set: {error}. The next change of the fleet sets it."
        ),
    )
}

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

/// Whether something was to be done in a place; not for sessions that are kept because it could not be read before.
fn is_concerned(place: &Place, expansion: &Expansion, occasion: &Occasion<'_>) -> bool {
    let mut wanted = expansion.sessions.keys().chain(&expansion.removed);
    wanted.any(|key| key.place == *place)
        || matches!(occasion, Occasion::Destroy { known, .. } if known.contains(place))
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

/// One account that cannot be reached must not stop the others: nothing is wanted of it in this apply.
fn leave_unread(expansion: &mut Expansion, unread: &BTreeMap<Place, String>) {
    expansion.sessions.retain(|key, _| !unread.contains_key(&key.place));
    expansion.adopted.retain(|key, _| !unread.contains_key(&key.place));
    expansion.filters.retain(|key, _| !unread.contains_key(&key.place));
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

/// Writes the fleet's description into the tags of its first target.
fn describe(expansion: &mut Expansion, description: &str, is_complete: bool) {
    let chunks = spec_tags::write(description);
    for (index, target) in expansion.targets.values_mut().enumerate() {
        let Given::Known(tags) = &mut target.tags else { continue };
        if index == 0 {
            tags.extend(chunks.clone());
        }
        if is_complete {
            tags.insert(COMPLETE_TAG.to_owned(), "true".to_owned());
        }
    }
}

/// A number that no earlier apply had. AWS answers a repeated client token with its first result, also when that object was deleted
/// since, so a fleet that is made again must not repeat the tokens of the one before.
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
