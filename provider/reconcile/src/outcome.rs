//! What happened to each action of a plan: data, never an error.
//!
//! An execution always ends with one outcome per action. Whoever reads it decides what a person is told and what the next
//! attempt has to do; nothing is retried from here.

use std::fmt;

use enigma_fleet::actions::{Action, Resource};
use enigma_fleet::ids::{FilterId, FilterRuleId, MemberKey, SessionId, ShareArn, TargetId};
use enigma_fleet::inventory::Direction;
use enigma_fleet::plan::Stage;

use crate::ports::AwsError;

/// The object that a create made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// By `CreateTrafficMirrorTarget`.
    Target(TargetId),
    /// By `CreateTrafficMirrorFilter`.
    Filter(FilterId),
    /// By `CreateTrafficMirrorFilterRule`.
    Rule(FilterRuleId),
    /// By `CreateTrafficMirrorSession`.
    Session(SessionId),
    /// By `CreateResourceShare`.
    Share(ShareArn),
}

impl fmt::Display for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(id) => id.fmt(f),
            Self::Filter(id) => id.fmt(f),
            Self::Rule(id) => id.fmt(f),
            Self::Session(id) => id.fmt(f),
            Self::Share(arn) => arn.fmt(f),
        }
    }
}

/// Why an action was not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// An earlier action on something it depends on did not succeed: its index in [`Outcomes::steps`].
    DependsOn(usize),
    /// AWS says the object is still used, and the earlier action with this index, which would have freed it, did not succeed.
    StillUsed(usize),
    /// It refers to an object that no action of the plan makes: a defect of the plan.
    NothingMakes(String),
}

/// What happened to one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect. Creates carry what they made.
    Done(Option<Created>),
    /// AWS refused it or could not be reached. With [`ErrorKind::NoReply`](crate::ports::ErrorKind::NoReply) it may have taken
    /// effect: observe before the next plan.
    Failed(AwsError),
    /// The source interface of a new session no longer exists.
    SourceGone(AwsError),
    /// It was not tried.
    Skipped(Because),
    /// It was not tried, because the run was cancelled before its turn.
    Cancelled,
}

/// One action with what happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What its wave was for.
    pub stage: Stage,
    /// What was asked.
    pub action: Action,
    /// What happened.
    pub outcome: Outcome,
}

/// What happened to every action of a plan, in the plan's order.
#[must_use = "an outcome that nobody reads is a lost object"]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// One per action.
    pub steps: Vec<Step>,
    /// Why the generation could not be written on a target, for each: nothing is wrong with the fleet, but a plan
    /// older than this one would not be stopped ([`crate::generation`]).
    pub unmarked: Vec<AwsError>,
}

/// How many actions ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Took effect.
    pub done: usize,
    /// Refused or without reply.
    pub failed: usize,
    /// Sources that no longer exist.
    pub source_gone: usize,
    /// Not tried because of a failure.
    pub skipped: usize,
    /// Not tried because of cancellation.
    pub cancelled: usize,
}

impl Counts {
    pub(crate) fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            *match outcome {
                Outcome::Done(_) => &mut counts.done,
                Outcome::Failed(_) => &mut counts.failed,
                Outcome::SourceGone(_) => &mut counts.source_gone,
                Outcome::Skipped(_) => &mut counts.skipped,
                Outcome::Cancelled => &mut counts.cancelled,
            } += 1;
        }
        counts
    }
}

impl Outcomes {
    /// How many actions ended how.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::of(self.steps.iter().map(|step| &step.outcome))
    }

    /// Whether every action took effect. A vanished source is not one that did.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.outcome, Outcome::Done(_)))
    }

    /// Everything that did not take effect, with its index.
    pub fn incomplete(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate().filter(|(_, step)| !matches!(step.outcome, Outcome::Done(_)))
    }

    /// The session that the plan made for a member, if it did.
    #[must_use]
    pub fn session_made_for(&self, member: &MemberKey) -> Option<&SessionId> {
        self.steps.iter().find_map(|step| match (&step.action, &step.outcome) {
            (Action::CreateSession { key, .. }, Outcome::Done(Some(Created::Session(id))))
                if key == member =>
            {
                Some(id)
            }
            _ => None,
        })
    }

    /// Why a skipped step was not tried, in words for people; `None` for other outcomes.
    #[must_use]
    pub fn why_skipped(&self, step: &Step) -> Option<String> {
        let name = |index: &usize| {
            self.steps.get(*index).map_or_else(|| "an earlier action".to_owned(), |s| describe(&s.action))
        };
        match &step.outcome {
            Outcome::Skipped(Because::DependsOn(index)) => {
                Some(format!("it depends on {}, which did not succeed", name(index)))
            }
            Outcome::Skipped(Because::StillUsed(index)) => Some(format!(
                "it is still used, and {}, which would have freed it, did not succeed",
                name(index)
            )),
            Outcome::Skipped(Because::NothingMakes(what)) => Some(format!(
                "the plan makes no {what}, which it refers to; this is a defect of the plan, please report it"
            )),
            _ => None,
        }
    }
}

/// One action in words: verb, kind and key.
#[must_use]
pub fn describe(action: &Action) -> String {
    match action {
        Action::CreateTarget { key, .. } => format!("creating target {key}"),
        Action::CreateFilter { key, .. } => format!("creating filter {key}"),
        Action::SetAmazonDns { key, enabled, .. } => {
            format!("{} amazon-dns of filter {key}", if *enabled { "adding" } else { "removing" })
        }
        Action::CreateRule { key, rule, .. } => {
            let direction = match rule.direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            };
            format!("creating {direction} rule {} of filter {key}", rule.number)
        }
        Action::ModifyRule { key, id, .. } => format!("changing rule {id} of filter {key}"),
        Action::DeleteRule { key, id } => format!("deleting rule {id} of filter {key}"),
        Action::CreateSession { key, .. } => format!("creating the session of {key}"),
        Action::ModifySession { key, id, .. } => format!("changing session {id} of {key}"),
        Action::DeleteSession { key, id } => format!("deleting session {id} of {key}"),
        Action::DeleteFilter { key, id } => format!("deleting filter {id} ({key})"),
        Action::DeleteTarget { key, id } => format!("deleting target {id} ({key})"),
        Action::CreateShare { place, .. } => format!("sharing the targets of {place}"),
        Action::ModifyShare { place, .. } => format!("changing the resource share of {place}"),
        Action::AddToShare { place, .. } => format!("adding to the resource share of {place}"),
        Action::JoinShare { place, sender, .. } => {
            format!("joining the resource share of {sender} in {place}")
        }
        Action::RemoveFromShare { place, .. } => format!("removing from the resource share of {place}"),
        Action::DeleteShare { place, .. } => format!("deleting the resource share of {place}"),
        Action::Retag { place, resource, .. } => {
            format!("changing tags of {} in {place}", resource_id(resource))
        }
    }
}

pub(crate) fn resource_id(resource: &Resource) -> &str {
    match resource {
        Resource::Target(id) => id.as_str(),
        Resource::Filter(id) => id.as_str(),
        Resource::FilterRule(id) => id.as_str(),
        Resource::Session(id) => id.as_str(),
    }
}
