//! From one rule set to another, one AWS call at a time.
//!
//! AWS replaces no rule set at once. Steps are ordered so that what both the old and the new rules mirror is mirrored at every
//! moment, and, where possible, nothing is mirrored that neither wants. Judged exactly on classes of packets, not by rule of
//! thumb.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::filter::space::{Region, classes};
use crate::ids::{FilterRuleId, RuleNumber};
use crate::inventory::{Direction, FilterRule, ObservedRule, RuleAction};
use crate::quota::RULES_PER_FILTER;

/// Classes beyond which exact judgement is given up (a filter of ten rules with ten port ranges on both sides and as many
/// networks); the order is then accepts first, deletes last.
const MAX_CLASSES: usize = 200_000;

/// One edit of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleStep {
    /// Add a rule.
    Create(FilterRule),
    /// Remove a rule.
    Delete(FilterRuleId),
    /// Change a rule in place.
    Modify {
        /// The rule that exists.
        id: FilterRuleId,
        /// What it is now.
        before: FilterRule,
        /// What it becomes.
        after: FilterRule,
    },
}

/// Ordered edits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transition {
    /// To be carried out one after another.
    pub steps: Vec<RuleStep>,
    /// Whether some packet that both rule sets mirror may not be mirrored for a moment: ten rules leave no room, or
    /// there are too many kinds of packets to tell.
    pub is_narrower_for_a_moment: bool,
}

/// One edit over positions in the list of all rules involved.
#[derive(Clone, Debug)]
enum Edit {
    Create(usize),
    Delete(usize),
    Modify { old: usize, new: usize },
}

/// The edits from `current` to `desired`. Rules that are equal stay untouched; descriptions count.
#[must_use]
pub fn transition(current: &[ObservedRule], desired: &[FilterRule]) -> Transition {
    let mut old: Vec<&ObservedRule> = current.iter().collect();
    let mut new: Vec<&FilterRule> = desired.iter().collect();
    let mut kept: Vec<&FilterRule> = Vec::new();
    new.retain(|rule| {
        let found = old.iter().position(|have| have.rule == **rule);
        found.map(|position| kept.push(&old.remove(position).rule)).is_none()
    });
    if old.is_empty() && new.is_empty() {
        return Transition::default();
    }
    // Bits of a class mask are positions here: kept rules, then old ones, then new ones, then old ones on their way.
    let mut rules: Vec<FilterRule> = kept
        .into_iter()
        .chain(old.iter().map(|have| &have.rule))
        .chain(new.iter().copied())
        .cloned()
        .collect();
    let first_new = rules.len() - new.len();
    let first_old = first_new - old.len();
    let mut ids: BTreeMap<usize, &FilterRuleId> =
        old.iter().enumerate().map(|(index, have)| (first_old + index, &have.id)).collect();
    let mut edits = pair(&rules, first_old, first_new);
    let mut judge = Judge::new(&rules, first_old, first_new);
    let mut state: Vec<usize> = (0..first_new).collect();
    let mut transition =
        Transition { is_narrower_for_a_moment: judge.classes.is_none(), ..Transition::default() };
    while !edits.is_empty() {
        let (position, is_narrower) = judge.choose(&rules, &state, &edits);
        let edit = match position.filter(|_| !is_narrower) {
            Some(position) => edits.remove(position),
            None => {
                match relocate(&mut rules, &mut judge, &state, &mut edits, first_new..first_new + new.len()) {
                    Some((old, moved)) => {
                        ids.extend(ids.get(&old).copied().map(|id| (moved, id)));
                        Edit::Modify { old, new: moved }
                    }
                    None => {
                        transition.is_narrower_for_a_moment = true;
                        match position {
                            Some(position) => edits.remove(position),
                            None => break_cycle(&mut edits),
                        }
                    }
                }
            }
        };
        state = after(&state, &edit);
        let id = |position: usize| ids.get(&position).map(|id| (*id).clone());
        transition.steps.extend(match edit {
            Edit::Create(new) => Some(RuleStep::Create(rules[new].clone())),
            Edit::Delete(old) => id(old).map(RuleStep::Delete),
            Edit::Modify { old, new } => id(old).map(|id| RuleStep::Modify {
                id,
                before: rules[old].clone(),
                after: rules[new].clone(),
            }),
        });
    }
    transition
}

/// Gives an old rule that stands in a new one's place another number, so that both can be there for a while: what it does stays
/// the same. Returns its old and its new position.
fn relocate(
    rules: &mut Vec<FilterRule>,
    judge: &mut Judge,
    state: &[usize],
    edits: &mut Vec<Edit>,
    wanted: Range<usize>,
) -> Option<(usize, usize)> {
    for position in 0..edits.len() {
        let Edit::Modify { old, new } = edits[position] else { continue };
        // A rule on its way moves on to its end only; so this comes to an end.
        if old >= wanted.end || rules.len() >= u64::BITS as usize {
            continue;
        }
        let direction = rules[old].direction;
        let taken: BTreeSet<RuleNumber> = state
            .iter()
            .copied()
            .chain(wanted.clone())
            .filter(|rule| rules[*rule].direction == direction)
            .map(|rule| rules[rule].number)
            .collect();
        let beside = |number: &RuleNumber| [i64::from(*number) - 1, i64::from(*number) + 1];
        let free = taken.iter().flat_map(beside).filter_map(|number| RuleNumber::try_from(number).ok());
        for number in free.filter(|number| !taken.contains(number)) {
            let moved = rules.len();
            rules.push(FilterRule { number, ..rules[old].clone() });
            judge.copy(old, moved);
            if judge.judge(rules, &after(state, &Edit::Modify { old, new: moved })).0 {
                rules.pop();
                judge.forget(moved);
                continue;
            }
            edits.remove(position);
            // With room the new one comes before the old one goes.
            if state.len() < RULES_PER_FILTER && Region::of(&rules[old]) != Region::of(&rules[new]) {
                edits.extend([Edit::Create(new), Edit::Delete(moved)]);
            } else {
                edits.push(Edit::Modify { old: moved, new });
            }
            return Some((old, moved));
        }
    }
    None
}

/// Pairs rules that become one another (same number, else same packets), so that a change is one call and costs no room.
fn pair(rules: &[FilterRule], first_old: usize, first_new: usize) -> Vec<Edit> {
    let mut old: Vec<usize> = (first_old..first_new).collect();
    let mut new: Vec<usize> = (first_new..rules.len()).collect();
    let mut edits = Vec::new();
    let same_number = |a: &FilterRule, b: &FilterRule| a.direction == b.direction && a.number == b.number;
    let same_packets =
        |a: &FilterRule, b: &FilterRule| a.action == b.action && Region::of(a) == Region::of(b);
    for is_pair in [&same_packets as &dyn Fn(&FilterRule, &FilterRule) -> bool, &same_number] {
        new.retain(|&wanted| {
            let found = old.iter().position(|&have| is_pair(&rules[have], &rules[wanted]));
            found
                .map(|position| edits.push(Edit::Modify { old: old.remove(position), new: wanted }))
                .is_none()
        });
    }
    edits.extend(new.into_iter().map(Edit::Create));
    edits.extend(old.into_iter().map(Edit::Delete));
    // Ties are broken by this order: accepts appear first, rejects and removals last.
    edits.sort_by_key(|edit| match edit {
        Edit::Create(new) if rules[*new].action == RuleAction::Accept => 0,
        Edit::Modify { .. } => 1,
        Edit::Delete(old) if rules[*old].action == RuleAction::Reject => 2,
        Edit::Create(_) => 3,
        Edit::Delete(_) => 4,
    });
    edits
}

fn break_cycle(edits: &mut Vec<Edit>) -> Edit {
    let modify = edits.iter().position(|edit| matches!(edit, Edit::Modify { .. })).unwrap_or(0);
    match edits.remove(modify) {
        Edit::Modify { old, new } => {
            edits.push(Edit::Create(new));
            Edit::Delete(old)
        }
        other => other,
    }
}

fn after(state: &[usize], edit: &Edit) -> Vec<usize> {
    let without = |gone: usize| state.iter().copied().filter(move |rule| *rule != gone);
    match edit {
        Edit::Create(new) => state.iter().copied().chain([*new]).collect(),
        Edit::Delete(old) => without(*old).collect(),
        Edit::Modify { old, new } => without(*old).chain([*new]).collect(),
    }
}

/// Knows which packets must and which may be mirrored on the way.
struct Judge {
    /// Class mask, mirrored by the old and by the new rules; `None` where there are too many classes.
    classes: Option<Vec<(u64, bool, bool)>>,
}

impl Judge {
    fn new(rules: &[FilterRule], kept: usize, first_new: usize) -> Self {
        // A mask has 64 bits; ten old and ten new rules need twenty, a filter edited by others at most as many again.
        let regions: Vec<Region> = rules.iter().map(Region::of).collect();
        let masks = if rules.len() <= 64 { classes(&regions, MAX_CLASSES) } else { None };
        let before: Vec<usize> = (0..first_new).collect();
        let end: Vec<usize> = (0..kept).chain(first_new..rules.len()).collect();
        let classes = masks.map(|masks| {
            masks
                .into_iter()
                .map(|mask| (mask, mirrors(rules, &before, mask), mirrors(rules, &end, mask)))
                .collect()
        });
        Self { classes }
    }

    /// Whether something is not mirrored that must be, and whether something is that neither wants.
    fn judge(&self, rules: &[FilterRule], state: &[usize]) -> (bool, bool) {
        self.classes.iter().flatten().fold((false, false), |(narrower, beyond), (mask, old, new)| {
            let now = mirrors(rules, state, *mask);
            (narrower || (*old && *new && !now), beyond || (now && !*old && !*new))
        })
    }

    /// A rule at a new position matches what the one at `old` does.
    fn copy(&mut self, old: usize, new: usize) {
        for (mask, _, _) in self.classes.iter_mut().flatten() {
            *mask |= (*mask >> old & 1) << new;
        }
    }

    fn forget(&mut self, position: usize) {
        for (mask, _, _) in self.classes.iter_mut().flatten() {
            *mask &= !(1 << position);
        }
    }

    /// The first possible edit that keeps both promises, else the first that keeps the important one, else the first possible;
    /// and whether something is not mirrored meanwhile that must be.
    fn choose(&self, rules: &[FilterRule], state: &[usize], edits: &[Edit]) -> (Option<usize>, bool) {
        let mut wider = None;
        let mut any = None;
        for (position, edit) in edits.iter().enumerate() {
            let next = after(state, edit);
            // More than ten rules cannot be, but if AWS ever allows them, removing some must stay possible.
            if !is_possible(rules, &next, RULES_PER_FILTER.max(state.len())) {
                continue;
            }
            let (narrower, beyond) = self.judge(rules, &next);
            match (narrower, beyond) {
                (false, false) => return (Some(position), false),
                (false, true) => {
                    wider.get_or_insert(position);
                }
                (true, _) => {
                    any.get_or_insert(position);
                }
            }
        }
        (wider.or(any), wider.is_none() && any.is_some())
    }
}

fn is_possible(rules: &[FilterRule], state: &[usize], room: usize) -> bool {
    let mut numbers: Vec<(Direction, RuleNumber)> =
        state.iter().map(|rule| (rules[*rule].direction, rules[*rule].number)).collect();
    numbers.sort_unstable();
    let count = numbers.len();
    numbers.dedup();
    count <= room && numbers.len() == count
}

fn mirrors(rules: &[FilterRule], state: &[usize], mask: u64) -> bool {
    // All rules of a class have one direction, so numbers alone order them.
    state
        .iter()
        .filter(|rule| mask & (1 << **rule) != 0)
        .min_by_key(|rule| rules[**rule].number)
        .is_some_and(|rule| rules[*rule].action == RuleAction::Accept)
}
