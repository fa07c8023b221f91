//! `safety.forget_accounts`: accounts that nobody will reach again, closed ones or those whose roles are lost for good.
//!
//! What is in a place that cannot be read is kept, since a lost role must not look like a removal; so an account that
//! is gone would stay in the state for ever. A person who names it here says that it is gone: its rows leave the
//! state and nothing is done in AWS. Only what cannot be read is forgotten; where the account can be read after all,
//! its sessions are removed or go on as everywhere. Pure.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::expand::Prior;
use enigma_fleet::ids::{AccountId, FleetName, MemberKey, Place};
use enigma_fleet::spec::FleetSpec;
use enigma_tfplugin::{Attribute, AttributePath, Diagnostic, Diagnostics, Dynamic, Type};

use super::apart::Apart;
use super::memory::Memory;
use super::planning::remembered;
use super::state::Computed;

/// Accounts named for being forgotten.
pub(super) type Forgotten = BTreeSet<AccountId>;

/// The attribute's name inside of `safety`.
const NAME: &str = "forget_accounts";

/// The argument.
pub(super) fn argument() -> Attribute {
    Attribute::set(Type::String).description(
        "Ids of accounts that are gone for good: closed, or without a role that works. What the fleet has in an account is kept while the \
         account cannot be read; of one that is named here it leaves the state instead, with a warning, and nothing is done in AWS. An \
         account that can be read is not forgotten. Unset: none.",
    )
}

fn at() -> AttributePath {
    AttributePath::of("safety").attribute(NAME)
}

/// The accounts that are named in these arguments; `None` while they are not known.
///
/// # Errors
/// Something there is no account id.
pub(super) fn accounts(arguments: &Dynamic) -> Result<Option<Forgotten>, Diagnostics> {
    let Some(safety) = arguments.get("safety") else { return Ok(Some(Forgotten::new())) };
    let written = safety.get(NAME);
    if matches!(safety, Dynamic::Unknown) || written.is_some_and(|list| !list.is_wholly_known()) {
        return Ok(None);
    }
    let mut mistakes = Diagnostics::new();
    let mut accounts = Forgotten::new();
    for entry in written.and_then(Dynamic::as_list).into_iter().flatten() {
        let text = entry.as_str().unwrap_or_default();
        match text.parse() {
            Ok(account) => drop(accounts.insert(account)),
            Err(_) => mistakes.push(
                Diagnostic::error(
                    "Invalid account",
                    format!(
                        "{text:?} is not the id of an account, which has 12 digits.\n\nAttribute: {}",
                        at()
                    ),
                )
                .at(at()),
            ),
        }
    }
    mistakes.into_result(Some(accounts))
}

/// Whether a target is wanted in an account that is to be forgotten: one of the two is a mistake.
pub(super) fn contradictions(spec: &FleetSpec, home: &Place, forgotten: &Forgotten) -> Diagnostics {
    let places = spec.targets.iter().map(|(label, target)| (label, target.place(home)));
    let wanted = places.filter(|(_, place)| forgotten.contains(&place.account));
    wanted
        .map(|(label, place)| {
            Diagnostic::error(
                format!("Target {label} is in an account to forget"),
                format!(
                    "Nothing was planned: account {} is in `safety.forget_accounts`, and `targets[\"{label}\"]` is to be there. Remove one \
                     of the two.\n\nAttribute: {}",
                    place.account,
                    at()
                ),
            )
            .at(at())
        })
        .collect()
}

/// Takes what lies in places that cannot be read, of accounts to forget, out of what is remembered, and tells what that means.
pub(super) fn forget(fleet: &FleetName, known: &mut Prior, forgotten: &Forgotten) -> Option<Diagnostic> {
    let is_gone =
        |key: &MemberKey| forgotten.contains(&key.place.account) && known.unread.contains(&key.place);
    let mut counts: BTreeMap<&Place, usize> = BTreeMap::new();
    for key in known.sessions.keys().filter(|key| is_gone(key)) {
        *counts.entry(&key.place).or_default() += 1;
    }
    if counts.is_empty() {
        return None;
    }
    let lines: String = counts.iter().map(|(place, count)| format!("\n  - {place}: {count}")).collect();
    let total: usize = counts.values().sum();
    let gone: BTreeSet<Place> = counts.into_keys().cloned().collect();
    known.sessions.retain(|key, _| !gone.contains(&key.place));
    let sessions = if total == 1 { "session is" } else { "sessions are" };
    Some(
        Diagnostic::warning(
            format!("{total} {sessions} forgotten"),
            format!(
                "They leave the state and nothing is done in AWS, because their accounts cannot be read and `safety.forget_accounts` names \
                 them. If such an account is closed, AWS deletes what is in it 90 days later. If it is not, its sessions go on: they mirror, they cost, and \
                 they and their filters stay until somebody deletes there what carries the tag enigma:fleet = {fleet}. By place:{lines}"
            ),
        )
        .at(at()),
    )
}

/// The same of a destroy that could not read some places.
pub(super) fn of_destroy(
    fleet: &FleetName,
    before: &Computed,
    apart: &Apart,
    forgotten: &Forgotten,
) -> Option<Diagnostic> {
    let memory = Memory { unread: apart.blind.clone(), ..Memory::default() };
    forget(fleet, &mut remembered(before.rows(), &memory), forgotten)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(list: Dynamic) -> Dynamic {
        Dynamic::map([("safety", Dynamic::map([(NAME, list)]))])
    }

    #[test]
    fn accounts_are_written_as_ids() {
        let two = accounts(&named(Dynamic::list(["222222222222", "333333333333"]))).unwrap().unwrap();
        assert_eq!(two.iter().map(AccountId::as_str).collect::<Vec<_>>(), ["222222222222", "333333333333"]);
        for nothing in [named(Dynamic::Null), Dynamic::map([("safety", Dynamic::Null)])] {
            assert_eq!(accounts(&nothing).unwrap(), Some(Forgotten::new()));
        }
        for unknown in [named(Dynamic::Unknown), Dynamic::map([("safety", Dynamic::Unknown)])] {
            assert_eq!(accounts(&unknown).unwrap(), None);
        }
        let told = accounts(&named(Dynamic::list(["payments"]))).unwrap_err();
        let one = told.iter().next().unwrap();
        assert!(one.detail.contains("12 digits") && one.attribute == at(), "{one:?}");
    }
}
