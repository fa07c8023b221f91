//! Which places a company's fleet looks at, and what people call their accounts.
//!
//! [`Reach::of`] joins what the provider block says (accounts by key, an organization's units) with what the organization said
//! about its accounts. [`Reach::resolve`] replaces keys in a selection by account ids, and [`Reach::places_for`] leaves out the
//! places that no rule can match. How accounts are listed and which credentials reach them is not known here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::given::Given;
use crate::ids::{AccountId, Place, Region, ZoneName};
use crate::problem::{Path, Problem, did_you_mean};
use crate::selection::{Outcome, RawSelection, RawSelector, SelectionSpec, Selector};

/// One account as its organization lists it (`ListAccountsForParent`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrganizationAccount {
    /// Its id.
    pub id: AccountId,
    /// Its name in the organization.
    pub name: String,
    /// AWS's status: `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`; only active ones can be used.
    pub status: String,
    /// The unit it was found in, such as `ou-abcd-12345678`.
    pub unit: String,
}

/// One entry of the provider's `accounts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAccount {
    /// Whose it is.
    pub id: AccountId,
    /// Regions to read; empty is the home Region.
    pub regions: BTreeSet<Region>,
}

/// The provider's `organization` with what was listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organization {
    /// All accounts below its units, in any order, perhaps more than once.
    pub accounts: Vec<OrganizationAccount>,
    /// Regions to read in each; empty is the home Region.
    pub regions: BTreeSet<Region>,
    /// Accounts to leave out.
    pub excluded: BTreeSet<AccountId>,
}

/// Why an account of the organization is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// A person excluded it.
    Excluded,
    /// It is not active: AWS's status.
    Inactive(String),
}

/// One account that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedAccount {
    /// Its key where a person gave one, else its name in the organization, else its id.
    pub name: String,
    /// Regions that are read. Not empty.
    pub regions: BTreeSet<Region>,
}

/// Every account that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    home: Place,
    accounts: BTreeMap<AccountId, ReachedAccount>,
    keys: BTreeMap<String, AccountId>,
    left_out: BTreeMap<AccountId, LeftOut>,
}

impl Reach {
    /// Joins everything. Without accounts and organization the home account's home Region is all there is; with
    /// either of them the home account is read only where it is among them. An account with a key keeps the Regions
    /// of its key, whatever the organization's are; an exclusion counts for the organization's accounts alone.
    #[must_use]
    pub fn of(
        home: &Place,
        named: &BTreeMap<String, NamedAccount>,
        organization: Option<&Organization>,
    ) -> Self {
        let or_home = |regions: &BTreeSet<Region>| {
            if regions.is_empty() { BTreeSet::from([home.region.clone()]) } else { regions.clone() }
        };
        let mut reach = Self {
            home: home.clone(),
            accounts: BTreeMap::new(),
            keys: named.iter().map(|(key, account)| (key.clone(), account.id.clone())).collect(),
            left_out: BTreeMap::new(),
        };
        for (key, account) in named {
            let regions = or_home(&account.regions);
            // Two keys of one account are a mistake that the provider refuses; read everything that either says.
            reach
                .accounts
                .entry(account.id.clone())
                .and_modify(|known| known.regions.extend(regions.clone()))
                .or_insert_with(|| ReachedAccount { name: key.clone(), regions });
        }
        for account in organization.into_iter().flat_map(|organization| &organization.accounts) {
            let Some(organization) = organization else { break };
            if reach.accounts.contains_key(&account.id) {
                continue;
            }
            let why = if organization.excluded.contains(&account.id) {
                Some(LeftOut::Excluded)
            } else if account.status != "ACTIVE" {
                Some(LeftOut::Inactive(account.status.clone()))
            } else {
                None
            };
            if let Some(why) = why {
                reach.left_out.insert(account.id.clone(), why);
                continue;
            }
            let name = if account.name.is_empty() { account.id.to_string() } else { account.name.clone() };
            let reached = ReachedAccount { name, regions: or_home(&organization.regions) };
            reach.accounts.insert(account.id.clone(), reached);
        }
        if named.is_empty() && organization.is_none() {
            let name = home.account.to_string();
            let reached = ReachedAccount { name, regions: or_home(&BTreeSet::new()) };
            reach.accounts.insert(home.account.clone(), reached);
        }
        reach
    }

    /// Where the provider's own credentials are.
    #[must_use]
    pub fn home(&self) -> &Place {
        &self.home
    }

    /// The accounts that are read.
    #[must_use]
    pub fn accounts(&self) -> &BTreeMap<AccountId, ReachedAccount> {
        &self.accounts
    }

    /// The organization's accounts that are not read, and why.
    #[must_use]
    pub fn left_out(&self) -> &BTreeMap<AccountId, LeftOut> {
        &self.left_out
    }

    /// Every place that is read.
    #[must_use]
    pub fn places(&self) -> BTreeSet<Place> {
        let of = |(id, account): (&AccountId, &ReachedAccount)| {
            let id = id.clone();
            let regions = account.regions.clone();
            regions.into_iter().map(move |region| Place { account: id.clone(), region })
        };
        self.accounts.iter().flat_map(of).collect()
    }

    /// The account with a key or id.
    #[must_use]
    pub fn account(&self, written: &str) -> Option<AccountId> {
        self.keys.get(written).cloned().or_else(|| written.parse().ok())
    }

    /// A place as people call it: `payments (111111111111) in us-east-1`, or without a name of its own `111111111111/us-east-1`.
    #[must_use]
    pub fn name_of(&self, place: &Place) -> String {
        match self.own_name(&place.account) {
            Some(name) => format!("{name} ({}) in {}", place.account, place.region),
            None => place.to_string(),
        }
    }

    /// An account as people call it: `payments (111111111111)`, or without a name of its own `111111111111`.
    #[must_use]
    pub fn name_of_account(&self, account: &AccountId) -> String {
        match self.own_name(account) {
            Some(name) => format!("{name} ({account})"),
            None => account.to_string(),
        }
    }

    fn own_name(&self, account: &AccountId) -> Option<&str> {
        let name = self.accounts.get(account)?.name.as_str();
        (name != account.as_str()).then_some(name)
    }

    /// The selection with account ids instead of keys, and one problem for each text that is neither. An id that is not read is
    /// no mistake: accounts leave organizations.
    #[must_use]
    pub fn resolve(&self, raw: &RawSelection) -> (RawSelection, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut resolved = raw.clone();
        let Given::Known(rules) = &mut resolved.rules else { return (resolved, problems) };
        for (label, rule) in rules {
            let at = Path::root().attr("rules").key(label);
            let Given::Known(rule) = rule else { continue };
            self.resolve_selector(&at, &mut rule.selector, &mut problems);
            if let Given::Known(exclude) = &mut rule.exclude {
                self.resolve_selector(&at.attr("exclude"), exclude, &mut problems);
            }
        }
        (resolved, problems)
    }

    fn resolve_selector(&self, at: &Path, selector: &mut RawSelector, problems: &mut Vec<Problem>) {
        let Given::Known(accounts) = &mut selector.accounts else { return };
        for (index, written) in accounts.iter_mut().enumerate() {
            let Given::Known(text) = written else { continue };
            if let Some(id) = self.keys.get(text) {
                *written = Given::Known(id.to_string());
            } else if !text.bytes().all(|b| b.is_ascii_digit()) {
                // Text of digits is judged as an id, with its own message.
                let keys = self.keys.keys().map(String::as_str);
                let known: Vec<&str> = keys.clone().collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                problems.push(Problem {
                    path: at.attr("accounts").index(index),
                    summary: format!("There is no account {text:?}"),
                    detail: format!(
                        "Write a 12-digit account id or a key of the provider's accounts: {known}.{}",
                        did_you_mean(text, keys)
                    ),
                });
                *written = Given::Unknown;
            }
        }
    }

    /// The places where some rule can match an interface and mirror it; nothing else need be read for the selection.
    #[must_use]
    pub fn places_for(&self, selection: &SelectionSpec) -> BTreeSet<Place> {
        let mut places = self.places();
        places.retain(|place| {
            selection.rules.values().any(|rule| {
                matches!(rule.outcome, Outcome::Mirror { .. }) && can_match(&rule.selector, place)
            })
        });
        places
    }
}

fn can_match(selector: &Selector, place: &Place) -> bool {
    // Names of zones, local ones too, begin with their Region.
    // <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-regions-availability-zones.html>
    let is_here = |zone: &ZoneName| zone.as_str().starts_with(place.region.as_str());
    selector.accounts.as_ref().is_none_or(|accounts| accounts.contains(&place.account))
        && selector.regions.as_ref().is_none_or(|regions| regions.contains(&place.region))
        && selector.zones.as_ref().is_none_or(|zones| zones.iter().any(is_here))
}

#[cfg(test)]
mod tests;
