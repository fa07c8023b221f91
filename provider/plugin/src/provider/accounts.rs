//! `accounts` and `organization` of the provider block: whose interfaces are reached, and with which roles.
//!
//! All mistakes of one run, each at its path. Values are known here; whether a role works shows when it is assumed,
//! and whether two keys name the provider's own account when AWS has said which that is.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use enigma_aws::{AssumeRole, OrganizationRole};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{AccountId, IdError, Label, Region};
use enigma_fleet::ownership::{AWS_PREFIX, OUR_PREFIX};
use enigma_fleet::partition::Partition;
use enigma_fleet::quota::{TAG_KEY_LENGTH, TAG_VALUE_LENGTH};
use enigma_reconcile::ports::UnitId;
use enigma_tfplugin::{AttributePath, Diagnostic, Diagnostics, Dynamic};

use super::{role, texts};
use crate::reach::RawTags;
use crate::written;

/// One entry of `accounts`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Account {
    /// The role there; `None` for the provider's own credentials, and then it is the provider's own account.
    pub(crate) role: Option<AssumeRole>,
    /// The account of that role.
    pub(crate) id: Option<AccountId>,
    /// Empty for the provider's own Region.
    pub(crate) regions: BTreeSet<Region>,
}

/// `organization`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Organization {
    pub(crate) units: Vec<UnitId>,
    /// The role in each of its accounts.
    pub(crate) role: OrganizationRole,
    /// Empty for the provider's own Region.
    pub(crate) regions: BTreeSet<Region>,
    pub(crate) excluded: BTreeSet<AccountId>,
}

/// Reads a provider block; each part has its own mistakes, so that all of them are told.
pub(super) struct Reader<'a> {
    pub(super) home: Option<&'a Region>,
    /// Whether the provider's credentials are a role's for certain.
    pub(super) is_chained: bool,
    pub(super) mistakes: &'a mut Diagnostics,
}

impl Reader<'_> {
    pub(super) fn accounts(&mut self, config: &Dynamic) -> BTreeMap<Label, Account> {
        let at = AttributePath::of("accounts");
        let mut accounts: BTreeMap<Label, Account> = BTreeMap::new();
        let written = config.get("accounts").and_then(Dynamic::as_map);
        if written.is_some_and(BTreeMap::is_empty) {
            self.wrong(
                &at,
                "No accounts",
                "With an empty map no interface would be read. Write an entry, or remove the attribute to use the provider's own account.",
            );
        }
        for (key, entry) in written.into_iter().flatten().filter(|(_, entry)| entry.is_wholly_known()) {
            let at = at.clone().key(key);
            let Some(label) = self.parse::<Label>(&at, key) else { continue };
            if label
                .as_str()
                .parse::<AccountId>()
                .is_ok_and(|id| self.account_of(entry).is_some_and(|a| a != id))
            {
                self.wrong(
                    &at,
                    "Misleading account key",
                    format!("The key {key} is the id of another account than the one of its role. Rules may name accounts by id, so choose another key."),
                );
            }
            if entry.is_null() {
                self.wrong(
                    &at,
                    "Null account",
                    "Write the account's role, `{}` for the provider's own account, or remove the entry.",
                );
                continue;
            }
            if let Some(account) = self.account(&at, entry) {
                self.unlike_the_others(&at, &account, &accounts);
                accounts.insert(label, account);
            }
        }
        accounts
    }

    fn account_of(&self, entry: &Dynamic) -> Option<AccountId> {
        role(entry).account()
    }

    fn account(&mut self, at: &AttributePath, entry: &Dynamic) -> Option<Account> {
        let before = self.mistakes.len();
        let regions = self.regions(&at.clone().attribute("regions"), entry);
        let session = role(entry);
        let role = (!session.role_arn.is_empty() || !entry.get("role_arn").is_none_or(Dynamic::is_null))
            .then_some(session);
        if let Some(role) = &role {
            self.role(at, role);
        } else {
            for name in ["external_id", "session_name", "duration"] {
                if entry.get(name).is_some_and(|value| !value.is_null()) {
                    self.wrong(
                        &at.clone().attribute(name),
                        &format!("{name} without a role"),
                        "Without `role_arn` the provider's own credentials are used, and no role is assumed. Write `role_arn`, or remove this.",
                    );
                }
            }
        }
        let id = role.as_ref().and_then(AssumeRole::account);
        (self.mistakes.len() == before).then_some(Account { role, id, regions })
    }

    fn unlike_the_others(
        &mut self,
        at: &AttributePath,
        account: &Account,
        others: &BTreeMap<Label, Account>,
    ) {
        let Some((other, _)) = others.iter().find(|(_, other)| other.id == account.id) else { return };
        match &account.id {
            Some(id) => self.wrong(
                &at.clone().attribute("role_arn"),
                "Two keys for one account",
                format!("Account {id} is `accounts[\"{other}\"]` already. Write it once, with all its Regions."),
            ),
            None => self.wrong(
                at,
                "Two keys for the provider's own account",
                format!(
                    "Neither this entry nor `accounts[\"{other}\"]` has a `role_arn`, so both would be the provider's own account. Write it \
                     once, with all its Regions."
                ),
            ),
        }
    }

    fn role(&mut self, at: &AttributePath, role: &AssumeRole) {
        let at_arn = at.clone().attribute("role_arn");
        if role.account().is_none() {
            self.wrong(
                &at_arn,
                "Invalid role",
                format!(
                    "{:?} is not the ARN of a role such as arn:aws:iam::111111111111:role/enigma-mirror.",
                    role.role_arn
                ),
            );
        } else if let Some(home) = self.home {
            let (found, expected) =
                (role.role_arn.split(':').nth(1).unwrap_or_default(), Partition::of(home).as_str());
            if found != expected {
                self.wrong(
                    &at_arn,
                    "Role of another partition",
                    format!(
                        "The role is in the partition {found}, and the provider's Region {home} in {expected}. Credentials of one partition \
                         mean nothing in another: use a provider block of its own for it."
                    ),
                );
            }
        }
        self.session(at, role);
    }

    /// What `sts:AssumeRole` accepts.
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
    fn session(&mut self, at: &AttributePath, role: &AssumeRole) {
        let is_word = |text: &str, also: &str| {
            text.chars().all(|letter| {
                letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter) || also.contains(letter)
            })
        };
        if let Some(id) = &role.external_id
            && !((2..=1224).contains(&id.len()) && is_word(id, ":/"))
        {
            self.wrong(
                &at.clone().attribute("external_id"),
                "Invalid external id",
                "AWS accepts 2 to 1224 letters, digits and _ + = , . @ : / -.",
            );
        }
        if let Some(name) = &role.session_name
            && !((2..=64).contains(&name.len()) && is_word(name, ""))
        {
            self.wrong(
                &at.clone().attribute("session_name"),
                "Invalid session name",
                "AWS accepts 2 to 64 letters, digits and _ + = , . @ -.",
            );
        }
        let seconds = role.duration.map(|duration| duration.as_secs());
        if let Some(seconds) = seconds.filter(|seconds| !(900..=43_200).contains(seconds)) {
            self.wrong(
                &at.clone().attribute("duration"),
                "Duration out of range",
                format!("{seconds} seconds are not between 15 minutes and 12 hours, which AWS accepts."),
            );
        } else if self.is_chained && seconds.is_some_and(|seconds| seconds > 3600) {
            self.wrong(
                &at.clone().attribute("duration"),
                "Duration too long for a chained role",
                "The provider's credentials are those of `assume_role`, and AWS gives a role that is assumed with another at most 1 hour. \
                 Credentials are renewed in time, so a long apply needs no more.",
            );
        }
    }

    fn regions(&mut self, at: &AttributePath, object: &Dynamic) -> BTreeSet<Region> {
        if object.get("regions").and_then(Dynamic::as_list).is_some_and(<[_]>::is_empty) {
            self.wrong(
                at,
                "No Regions",
                "Nothing would be read. Name a Region, or remove the attribute to use the provider's own.",
            );
        }
        let mut regions = BTreeSet::new();
        for text in texts(object, "regions") {
            let Some(region) = self.parse::<Region>(at, &text) else { continue };
            if let Some(home) = self.home.filter(|home| Partition::of(home) != Partition::of(&region)) {
                self.wrong(
                    at,
                    "Region of another partition",
                    format!(
                        "{region} is in the partition {}, and the provider's Region {home} in {}. Use a provider block of its own for it.",
                        Partition::of(&region).as_str(),
                        Partition::of(home).as_str()
                    ),
                );
            }
            regions.insert(region);
        }
        regions
    }

    pub(super) fn organization(
        &mut self,
        config: &Dynamic,
        accounts: &BTreeMap<Label, Account>,
    ) -> Option<Organization> {
        let written = config.get("organization").filter(|it| !it.is_null() && it.is_wholly_known())?;
        let at = AttributePath::of("organization");
        let at_units = at.clone().attribute("unit_ids");
        let unit_ids = texts(written, "unit_ids");
        if unit_ids.is_empty() {
            self.wrong(
                &at_units,
                "No units",
                "Name at least one organizational unit, or the root for every account.",
            );
        }
        let units = unit_ids.iter().filter_map(|text| {
            text.parse::<UnitId>()
                .map_err(|why| self.wrong(&at_units, "Invalid unit", format!("{why}.")))
                .ok()
        });
        let units: Vec<UnitId> = units.collect();
        let role_name = written::text(written, "role_name").known().cloned().unwrap_or_default();
        let role_path = written::text(written, "role_path").known().cloned();
        let session = role(written);
        // Name, path and duration are the adapter's to check, since nothing here depends on them.
        self.session(&at, &AssumeRole { duration: None, ..session.clone() });
        let role = OrganizationRole {
            name: role_name,
            path: role_path,
            external_id: session.external_id,
            session_name: session.session_name,
            duration: session.duration,
        };
        let regions = self.regions(&at.clone().attribute("regions"), written);
        let at_excluded = at.attribute("exclude_account_ids");
        let excluded: BTreeSet<AccountId> = texts(written, "exclude_account_ids")
            .iter()
            .filter_map(|id| self.parse(&at_excluded, id))
            .collect();
        for (key, account) in accounts {
            if let Some(id) = account.id.as_ref().filter(|id| excluded.contains(*id)) {
                self.wrong(
                    &at_excluded,
                    "Account both excluded and named",
                    format!("Account {id} is excluded here, and `accounts[\"{key}\"]` names it. Remove one of the two."),
                );
            }
        }
        Some(Organization { units, role, regions, excluded })
    }

    /// Keys and values as AWS takes them, and no key that the fleet sets or AWS keeps for itself.
    pub(super) fn default_tags(&mut self, config: &Dynamic) -> Given<RawTags> {
        let tags = written::attribute(config, "default_tags", |block| {
            Some(written::map(block, "tags", written::to_text))
        });
        let at = AttributePath::of("default_tags").attribute("tags");
        let tags = match tags {
            Given::Known(tags) => tags,
            Given::Unknown => Given::Unknown,
            Given::Absent => Given::Absent,
        };
        for (key, value) in tags.known().into_iter().flatten() {
            let at = at.clone().key(key);
            if [OUR_PREFIX, AWS_PREFIX].iter().any(|prefix| key.starts_with(prefix)) {
                self.wrong(
                    &at,
                    "Reserved tag key",
                    format!(
                        "{key:?} begins with a prefix that is the fleet's or AWS's own. Write another key."
                    ),
                );
            }
            if key.is_empty() || key.chars().count() > TAG_KEY_LENGTH {
                self.wrong(
                    &at,
                    "Tag key of a wrong length",
                    format!("Write 1 to {TAG_KEY_LENGTH} characters."),
                );
            }
            match value {
                Given::Known(text) if text.chars().count() > TAG_VALUE_LENGTH => {
                    self.wrong(
                        &at,
                        "Tag value too long",
                        format!("Write at most {TAG_VALUE_LENGTH} characters."),
                    );
                }
                Given::Absent => self.wrong(&at, "Null tag value", "Write a value, or remove the tag."),
                _ => {}
            }
        }
        tags
    }

    fn parse<T: FromStr<Err = IdError>>(&mut self, at: &AttributePath, text: &str) -> Option<T> {
        text.parse().map_err(|why: IdError| self.wrong(at, "Invalid value", format!("{why}."))).ok()
    }

    fn wrong(&mut self, at: &AttributePath, summary: &str, detail: impl Into<String>) {
        let detail = format!("{}\n\nAttribute: {at}", detail.into());
        self.mistakes.push(Diagnostic::error(summary, detail).at(at.clone()));
    }
}
