//! An independent look at a plan before it is carried out.
//!
//! The checker replays a plan on what exists, action by action, and says what AWS would refuse or what must never happen. It
//! shares no code with [`crate::diff`], so that a mistake there is found here and nothing is done.

mod path;
mod preflight;
mod replay;

use std::fmt;

pub use path::{PathKind, PathLimits};
pub use preflight::{
    Answers, BalancerFacts, Headroom, InterfaceFacts, Paths, Preflight, ReceiverFacts, Refusal, Scene,
    preflight,
};

use crate::expand::Expansion;
use crate::finding::{Finding, FindingKind};
use crate::ownership::Owned;
use crate::plan::{Plan, Stage};
use crate::problem::Path;

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// Two sessions of the fleet have one VNI afterwards.
    DuplicateVni { vni: u32, sessions: Vec<String> },
    /// An interface is made a target that is one already, or that is mirrored by then.
    InterfaceTaken { target: String, by: String },
    /// A number is taken on the interface, or two rules of a filter and direction have one number.
    NumberTaken { object: String, number: u16 },
    /// A target is used from a place that it is not shared with by then, or from another Region.
    NotShared { object: String, target: String },
    /// An object is touched that does not belong to the fleet, or does not exist.
    NotOurs { object: String },
    /// A reference to something that no earlier action makes.
    ReferenceMissing { object: String, reference: String },
    /// More rules, sessions on an interface or in a place, or sources of a target than AWS allows, if only for a moment.
    TooMany { object: String, what: &'static str, count: usize },
    /// Something is deleted that sessions or rules still use.
    StillUsed { object: String, by: String },
    /// A session of nobody is taken over that may not be.
    WronglyAdopted { object: String, why: &'static str },
    /// A session is left out although nobody took what it was to get, or is said to be left out and is not.
    WronglyHeldBack { object: String, why: &'static str },
    /// Waves are not in the order of stages.
    WavesOutOfOrder,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateVni { vni, sessions } => {
                write!(f, "sessions {} would have the same VNI {vni}", sessions.join(", "))
            }
            Self::InterfaceTaken { target, by } => {
                write!(f, "target {target} would be made on an interface that {by} uses")
            }
            Self::NumberTaken { object, number } => write!(f, "number {number} is taken on {object}"),
            Self::NotShared { object, target } => {
                write!(f, "{object} would need target {target}, which is not shared with its account by then")
            }
            Self::NotOurs { object } => write!(f, "{object} does not belong to the fleet"),
            Self::ReferenceMissing { object, reference } => {
                write!(f, "{object} needs {reference}, which nothing makes before it")
            }
            Self::TooMany { object, what, count } => write!(f, "{object} would have {count} {what}"),
            Self::StillUsed { object, by } => write!(f, "{object} would be deleted while {by} uses it"),
            Self::WronglyAdopted { object, why } => write!(f, "{object} would be taken over, but {why}"),
            Self::WronglyHeldBack { object, why } => write!(f, "{object} would be held back, but {why}"),
            Self::WavesOutOfOrder => f.write_str("the waves are out of order"),
        }
    }
}

/// Everything that is wrong with a plan for what was `desired`, as errors; empty is good.
#[must_use]
pub fn plan(plan: &Plan, owned: &Owned, desired: &Expansion) -> Vec<Finding> {
    let mut flaws = Vec::new();
    let is_next = |before: Stage, after: Stage| before < after || (before == after && after.may_repeat());
    if !plan.waves.windows(2).all(|pair| is_next(pair[0].stage, pair[1].stage)) {
        flaws.push(Flaw::WavesOutOfOrder);
    }
    flaws.extend(replay::replay(plan, owned, desired));
    flaws.into_iter().map(|flaw| Finding::at(Path::root(), FindingKind::PlanFlawed { flaw })).collect()
}

#[cfg(test)]
mod tests;
