//! A plan: actions in waves.
//!
//! Waves are carried out one after another. Within a wave, actions of different lanes are independent and may run at
//! the same time; those of one [`lane`](Action::lane) run in the order they are listed. A failed action stops its
//! lane only; what depends on it in later waves fails for want of its reference.

mod held_back;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::actions::{Action, Resource};
use crate::finding::Finding;
use crate::ids::{FleetName, MemberKey, ObjectKey, Place};

pub use held_back::{HeldBack, Holder};

/// What a wave is for, in the order of execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Sessions that leave an interface which becomes a target: AWS makes none of a source.
    FreedInterfaces,
    /// New targets.
    NewTargets,
    /// Shares of targets with other accounts: made, changed, widened.
    Shares,
    /// New filters, still without rules.
    NewFilters,
    /// Rules and network services of filters.
    Rules,
    /// Accounts that accept shares and wait for what they need; late, so that filters are made in the meantime.
    Joins,
    /// Tags that make what carries no fleet's tag the fleet's, before anything else is done to it: sessions that are
    /// taken over, and what somebody removed the tag from.
    Adoptions,
    /// Duplicates, and sessions that leave a target, a place or an interface which has no room for those that come. Several waves
    /// where a move waits for the one before; over all places of a Region, since targets have sources of many accounts.
    FreedSources,
    /// New sessions.
    NewSessions,
    /// Sessions changed in place.
    ChangedSessions,
    /// Sessions that leave.
    RemovedSessions,
    /// Tags of what stays.
    Tags,
    /// Filters that nobody needs any more.
    UnusedFilters,
    /// Accounts and targets that leave a share, and shares that nobody needs any more.
    WithdrawnShares,
    /// Targets that nobody needs any more.
    UnusedTargets,
}

impl Stage {
    /// Whether a plan may have several waves of it, one after another.
    #[must_use]
    pub fn may_repeat(self) -> bool {
        self == Self::FreedSources
    }
}

/// Actions that may run together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// What it is for.
    pub stage: Stage,
    /// At least one.
    pub actions: Vec<Action>,
}

/// Everything that must be done, decided; nothing is decided in execution.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The fleet.
    pub fleet: FleetName,
    /// In order of execution.
    pub waves: Vec<Wave>,
    /// Sources that were promised a session and are gone.
    pub source_gone: BTreeSet<MemberKey>,
    /// Sessions that others were quicker than: not made, or left at the number they have. All others go on.
    pub held_back: BTreeMap<MemberKey, HeldBack>,
    /// With an error there are no waves.
    pub findings: Vec<Finding>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waves.is_empty()
    }

    /// All actions in order of execution.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.waves.iter().flat_map(|wave| &wave.actions)
    }

    /// Whether some finding forbids going on.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}

/// Actions of one lane in one wave keep their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// One source.
    Member(MemberKey),
    /// One target or filter.
    Object(ObjectKey),
    /// One object that is tagged.
    Resource(Place, Resource),
    /// The share of a place, or the one that a place joins.
    Share(Place),
}

impl Action {
    /// Which actions of its wave it must not overtake.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::CreateTarget { key, .. }
            | Self::CreateFilter { key, .. }
            | Self::SetAmazonDns { key, .. }
            | Self::CreateRule { key, .. }
            | Self::ModifyRule { key, .. }
            | Self::DeleteRule { key, .. }
            | Self::DeleteFilter { key, .. }
            | Self::DeleteTarget { key, .. } => Lane::Object(key.clone()),
            Self::CreateSession { key, .. }
            | Self::ModifySession { key, .. }
            | Self::DeleteSession { key, .. } => Lane::Member(key.clone()),
            Self::CreateShare { place, .. }
            | Self::ModifyShare { place, .. }
            | Self::AddToShare { place, .. }
            | Self::JoinShare { place, .. }
            | Self::RemoveFromShare { place, .. }
            | Self::DeleteShare { place, .. } => Lane::Share(place.clone()),
            Self::Retag { place, resource, .. } => Lane::Resource(place.clone(), resource.clone()),
        }
    }

    /// Where it happens.
    #[must_use]
    pub fn place(&self) -> &Place {
        match self {
            Self::CreateTarget { key, .. }
            | Self::CreateFilter { key, .. }
            | Self::SetAmazonDns { key, .. }
            | Self::CreateRule { key, .. }
            | Self::ModifyRule { key, .. }
            | Self::DeleteRule { key, .. }
            | Self::DeleteFilter { key, .. }
            | Self::DeleteTarget { key, .. } => &key.place,
            Self::CreateSession { key, .. }
            | Self::ModifySession { key, .. }
            | Self::DeleteSession { key, .. } => &key.place,
            Self::CreateShare { place, .. }
            | Self::ModifyShare { place, .. }
            | Self::AddToShare { place, .. }
            | Self::JoinShare { place, .. }
            | Self::RemoveFromShare { place, .. }
            | Self::DeleteShare { place, .. }
            | Self::Retag { place, .. } => place,
        }
    }
}
