//! The accounts of an AWS organization, as far as a fleet asks for them.

use std::fmt;
use std::str::FromStr;

use enigma_fleet::ids::AccountId;
use thiserror::Error;

/// The id of an organizational unit (`ou-...`) or of the root (`r-...`).
/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccountsForParent.html>
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(String);

/// Why a text names no unit.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "{0:?} is not the id of an organizational unit such as ou-ab12-3cdefghi, nor of a root such as r-ab12"
)]
pub struct NotAUnit(String);

impl UnitId {
    /// As AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UnitId {
    type Err = NotAUnit;
    fn from_str(text: &str) -> Result<Self, NotAUnit> {
        let word = |part: &str, most: usize, least: usize| {
            (least..=most).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let is_root = text.strip_prefix("r-").is_some_and(|rest| word(rest, 32, 4));
        let is_unit = text
            .strip_prefix("ou-")
            .and_then(|rest| rest.split_once('-'))
            .is_some_and(|(root, own)| word(root, 32, 4) && word(own, 32, 8));
        if is_root || is_unit { Ok(Self(text.to_owned())) } else { Err(NotAUnit(text.to_owned())) }
    }
}

/// One account of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationAccount {
    /// Its number.
    pub id: AccountId,
    /// The name that people gave it.
    pub name: String,
    /// AWS's word: `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`, ...; kept verbatim, since AWS adds words.
    pub status: String,
    /// The units it is in, from the one that was asked for down to its own.
    pub units: Vec<UnitId>,
}

impl OrganizationAccount {
    /// Whether roles in it can be used: AWS refuses everything in an account that is suspended or closed.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_that_aws_documents() {
        for good in ["r-ab12", "r-root", "ou-ab12-3cdefghi", "ou-root-workloads1"] {
            assert_eq!(good.parse::<UnitId>().unwrap().as_str(), good);
        }
        for bad in
            ["", "r-", "r-abc", "ou-ab12", "ou-ab12-short", "OU-ab12-3cdefghi", "o-ab12cdefgh", "r-ab12/ou-1"]
        {
            let error = bad.parse::<UnitId>().unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
