//! Places that could not be read, in words: one diagnostic for each account and reason, since a lost role is lost in every Region.

use std::collections::BTreeMap;

use enigma_fleet::ids::{AccountId, Place};
use enigma_tfplugin::{Diagnostic, Diagnostics};

/// Of a refresh: sessions there are kept.
pub(super) fn kept(unread: &BTreeMap<Place, String>) -> Diagnostics {
    accounts(unread)
        .map(|(account, why)| {
            Diagnostic::warning(
                format!("Account {account} could not be read"),
                format!(
                    "The fleet's sessions there are kept as the state knows them, and none of them is removed. If the account has left for \
                     good, let the provider reach it until an apply has removed them, or delete them there by hand.\n{why}"
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
        let told = kept(&unread);
        let summaries: Vec<&str> = told.iter().map(|d| d.summary.as_str()).collect();
        assert_eq!(
            summaries,
            ["Account 222222222222 could not be read", "Account 333333333333 could not be read"]
        );
        let first = &told.iter().next().unwrap().detail;
        assert!(first.contains("us-east-1, us-west-2") && first.contains("cannot be assumed"), "{first}");
        assert!(untouched(&unread, false).has_errors() && !untouched(&unread, true).has_errors());
    }
}
