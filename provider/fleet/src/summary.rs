//! The sentence a reviewer reads first.

use std::collections::BTreeMap;
use std::fmt;

use crate::expand::Expansion;
use crate::ids::MemberKey;
use crate::selection::{Selection, SkipReason, Skipped};

/// How the sessions of a plan differ from those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New ones.
    pub added: usize,
    /// Those that differ in target, filter, number, VNI or packet length.
    pub changed: usize,
    /// Those that leave, whether they still exist or not.
    pub removed: usize,
}

impl Changes {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{} -{} ~{}", self.added, self.removed, self.changed)
    }
}

/// `9 unsupported_instance_type, 7 excluded`, most frequent first.
fn reasons(skipped: &BTreeMap<MemberKey, Skipped>) -> String {
    let mut counts: BTreeMap<SkipReason, usize> = BTreeMap::new();
    for skip in skipped.values() {
        *counts.entry(skip.reason).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(reason, count)| (usize::MAX - count, *reason));
    counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn of_selection(selection: &Selection) -> String {
    let mut text =
        format!("{} of {} matched interfaces can be mirrored", selection.members.len(), selection.matched());
    if !selection.skipped.is_empty() {
        text += &format!(", {} skipped: {}", selection.skipped.len(), reasons(&selection.skipped));
    }
    if selection.unmatched > 0 {
        text += &format!("; {} matched by no rule", selection.unmatched);
    }
    if !selection.unread.is_empty() {
        text += &format!("; {} accounts or Regions could not be read", selection.unread.len());
    }
    text
}

/// Without and with what changes.
pub(crate) fn of_expansion(plan: &Expansion, members: usize) -> (String, String) {
    let fleet = &plan.fleet;
    let mirrored = plan.sessions.len();
    let mut rest = String::new();
    // Only the headline: after the apply they are the fleet's like any other.
    let mut adopted = String::new();
    if !plan.not_mirrored.is_empty() {
        rest += &format!(", {} not mirrored: {}", plan.not_mirrored.len(), reasons(&plan.not_mirrored));
    }
    if !plan.adopted.is_empty() {
        adopted = format!(", {} taken over", plan.adopted.len());
    }
    if !plan.kept.is_empty() {
        rest += &format!(", {} kept in places that could not be read", plan.kept.len());
    }
    let head = format!("{fleet}: {mirrored} of {members} interfaces mirrored");
    (format!("{head}{rest}"), format!("{head} ({}{adopted}){rest}", plan.changes))
}
