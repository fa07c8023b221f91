//! Which number each session has on its source.
//!
//! The first from a base upwards that no stranger holds there. A source has three sessions at most, so a number that was found
//! so lies within two of its base; one that lies there and that no stranger holds stays, even after a stranger before it has
//! left, and one elsewhere shows that the base was changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::expand::{Prior, strangers};
use crate::finding::{Finding, FindingKind, Sources};
use crate::ids::{MemberKey, SessionNumber};
use crate::problem::Path;
use crate::quota::SESSIONS_PER_SOURCE;
use crate::selection::Member;
use crate::spec::FleetSpec;

/// The number of every member, unless numbers end before one is free.
pub(super) fn allocate<'a>(
    spec: &FleetSpec,
    members: &BTreeMap<&'a MemberKey, &Member>,
    prior: &Prior,
    findings: &mut Vec<Finding>,
) -> BTreeMap<&'a MemberKey, SessionNumber> {
    let mut numbers = BTreeMap::new();
    let mut exhausted = Vec::new();
    for (key, member) in members {
        let base = member.number.unwrap_or(spec.session.number);
        let held: BTreeSet<SessionNumber> =
            strangers(&spec.name, member).map(|session| session.number).collect();
        let before = prior.sessions.get(*key).map(|session| session.number);
        match before.filter(|number| stays(*number, base, &held)).or_else(|| first_free(base, &held)) {
            Some(number) => {
                numbers.insert(*key, number);
            }
            None => exhausted.push((*key).clone()),
        }
    }
    if !exhausted.is_empty() {
        let kind = FindingKind::NumbersExhausted { sources: Sources::of(exhausted) };
        findings.push(Finding::at(Path::root().attr("session").attr("number"), kind));
    }
    numbers
}

fn stays(number: SessionNumber, base: SessionNumber, held: &BTreeSet<SessionNumber>) -> bool {
    let distance = usize::from(number.get()).checked_sub(usize::from(base.get()));
    distance.is_some_and(|distance| distance < SESSIONS_PER_SOURCE) && !held.contains(&number)
}

fn first_free(base: SessionNumber, held: &BTreeSet<SessionNumber>) -> Option<SessionNumber> {
    (i64::from(base)..=i64::from(SessionNumber::MAX))
        .filter_map(|number| SessionNumber::try_from(number).ok())
        .find(|number| !held.contains(number))
}
