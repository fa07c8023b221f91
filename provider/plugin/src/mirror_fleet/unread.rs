//! Places that could not be read, in words: one diagnostic for each account and reason, since a lost role is lost in
//! every Region.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::ids::{AccountId, Place};
use enigma_tfplugin::{Diagnostic, Diagnostics};

use super::apart::Apart;

/// Of a refresh: what the state has is kept; it has something in the places of `holding`.
///
/// `name` is how people call an account. The data source tells of the same account in the same plan: with the same summary, which
/// Terraform shows once.
pub(super) fn kept(
    unread: &BTreeMap<Place, String>,
    holding: &BTreeSet<Place>,
    name: impl Fn(&AccountId) -> String,
) -> Diagnostics {
    accounts(unread)
        .map(|(account, why)| {
            let holds = unread.keys().any(|place| place.account == *account && holding.contains(place));
            let what = if holds {
                "The fleet's sessions there are kept as the state knows them, and none of them is removed. To let the account go, let the \
                 provider reach it until an apply has removed them; if nobody can reach it any more, name it in `safety.forget_accounts`."
            } else {
                "The state knows nothing of the fleet there."
            };
            Diagnostic::warning(
                format!("Account {} could not be read", name(account)),
                format!("{what}\n{why}"),
            )
        })
        .collect()
}

/// Of a plan: targets that could not be read, with how many sessions wait for that.
pub(super) fn waiting(apart: &Apart) -> Diagnostics {
    let mut waiting: BTreeMap<&Place, usize> = BTreeMap::new();
    for place in apart.waiting.values().filter(|place| apart.unread.contains_key(*place)) {
        *waiting.entry(place).or_default() += 1;
    }
    waiting
        .into_iter()
        .map(|(place, count)| {
            let why = apart.unread.get(place).map_or("", String::as_str);
            Diagnostic::warning(
                format!("Targets in {place} could not be read"),
                format!(
                    "While that is so, an apply neither makes nor changes the sessions that send there ({count}), and does the rest: {why}."
                ),
            )
        })
        .collect()
}

/// Of an apply: nothing was tried there. A warning where an error would taint the fleet.
pub(super) fn untouched(unread: &BTreeMap<Place, String>, as_warning: bool) -> Diagnostics {
    let make = if as_warning { Diagnostic::warning } else { Diagnostic::error };
    accounts(unread)
        .map(|(account, why)| {
            make(
                format!("Account {account} could not be reached"),
                format!(
                    "Nothing was changed there, and the other accounts went on without it. What the state says of it is as before; the next \
                     apply tries again.\n{why}"
                ),
            )
        })
        .collect()
}

/// Accounts with a line for each reason, which begins with the Regions that have it.
fn accounts(unread: &BTreeMap<Place, String>) -> impl Iterator<Item = (&AccountId, String)> {
    let mut reasons: BTreeMap<&AccountId, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for (place, why) in unread {
        reasons.entry(&place.account).or_default().entry(why).or_default().push(place.region.as_str());
    }
    reasons.into_iter().map(|(account, reasons)| {
        let lines = reasons.into_iter().map(|(why, regions)| format!("\n  - {}: {why}", regions.join(", ")));
        (account, lines.collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_role_is_told_once() {
        let place = |account: &str, region: &str| Place {
            account: account.parse().unwrap(),
            region: region.parse().unwrap(),
        };
        let unread = BTreeMap::from([
            (place("222222222222", "us-east-1"), "the role cannot be assumed".to_owned()),
            (place("222222222222", "us-west-2"), "the role cannot be assumed".to_owned()),
            (place("333333333333", "us-east-1"), "no reply".to_owned()),
        ]);
        let holding = BTreeSet::from([place("222222222222", "us-west-2")]);
        let name = |account: &AccountId| match account.as_str() {
            "222222222222" => format!("payments ({account})"),
            _ => account.to_string(),
        };
        let told = kept(&unread, &holding, name);
        let summaries: Vec<&str> = told.iter().map(|d| d.summary.as_str()).collect();
        assert_eq!(
            summaries,
            ["Account payments (222222222222) could not be read", "Account 333333333333 could not be read"]
        );
        let first = &told.iter().next().unwrap().detail;
        assert!(first.contains("us-east-1, us-west-2") && first.contains("cannot be assumed"), "{first}");
        assert!(untouched(&unread, false).has_errors() && !untouched(&unread, true).has_errors());
    }
}
