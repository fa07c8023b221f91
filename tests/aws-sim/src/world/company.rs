//! Accounts with their credentials and permissions, and the organization they stand in.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::build::problem;
use super::{AccountEntry, World, WorldError};
use crate::organization::{Organization, ROOT, Unit};
use crate::policy::{Policy, PolicyError};
use crate::state::{Account, Credential, Role, State};

/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html>, `State`.
const STATES: [&str; 5] = ["ACTIVE", "CLOSED", "PENDING_ACTIVATION", "PENDING_CLOSURE", "SUSPENDED"];

/// Name of the root, for `unit` and `parent`.
const ROOT_NAME: &str = "Root";

/// An organization. Accounts join it by their `unit`; the management account stands in the root unless it says so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrganizationEntry {
    /// Id; `o-simulated0` when absent.
    pub id: Option<String>,
    /// The management account.
    pub management_account: String,
    /// Accounts that may read the organization beside the management account.
    pub delegated_accounts: Vec<String>,
    /// Whether resource sharing inside is enabled.
    pub sharing: bool,
    /// Whether every list of Organizations and of RAM begins with an empty page and a token, as AWS may.
    pub empty_pages: bool,
    /// Organizational units.
    pub units: Vec<UnitEntry>,
}

/// An organizational unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnitEntry {
    /// Name, unique in the organization.
    pub name: String,
    /// Id; [`World::unit_id`] of the name when absent.
    pub id: Option<String>,
    /// Name of the unit above, listed earlier; the root when absent.
    pub parent: Option<String>,
}

impl World {
    /// The id a unit gets when it names none.
    pub fn unit_id(name: &str) -> String {
        let digits = crate::id::derive("ou", name).replace("ou-", "");
        format!("ou-root-{}", &digits[..12])
    }

    /// The id of the root of any organization.
    pub fn root_id() -> &'static str {
        ROOT
    }
}

/// The id of a unit or root given by name or id.
pub(crate) fn parent_of(organization: &Organization, wanted: &str) -> Option<String> {
    if wanted == ROOT_NAME || wanted == ROOT {
        return Some(ROOT.to_owned());
    }
    let mut units = organization.units.iter();
    units.find(|(id, unit)| *id == wanted || unit.name == wanted).map(|(id, _)| id.clone())
}

fn organization(world: &World, entry: &OrganizationEntry) -> Result<Organization, WorldError> {
    let listed = |id: &String| world.accounts.iter().any(|account| account.id == *id);
    for account in entry.delegated_accounts.iter().chain([&entry.management_account]) {
        if !listed(account) {
            let text = format!("account \"{account}\" is not listed under `accounts`");
            return Err(problem("organization", &entry.management_account, text));
        }
    }
    let mut made = Organization {
        id: entry.id.clone().unwrap_or_else(|| "o-simulated0".to_owned()),
        management: entry.management_account.clone(),
        delegated: entry.delegated_accounts.iter().cloned().collect(),
        sharing: entry.sharing,
        empty_pages: entry.empty_pages,
        units: BTreeMap::new(),
    };
    for unit in &entry.units {
        let parent = parent_of(&made, unit.parent.as_deref().unwrap_or(ROOT_NAME));
        let Some(parent) = parent else {
            return Err(problem("unit", &unit.name, "`parent` is not a unit listed before it"));
        };
        if parent_of(&made, &unit.name).is_some() {
            return Err(problem("unit", &unit.name, "is listed twice"));
        }
        let id = unit.id.clone().unwrap_or_else(|| World::unit_id(&unit.name));
        made.units.insert(id, Unit { name: unit.name.clone(), parent });
    }
    Ok(made)
}

pub(super) fn add_accounts(world: &World, state: &mut State, now: Timestamp) -> Result<(), WorldError> {
    state.organization = world.organization.as_ref().map(|entry| organization(world, entry)).transpose()?;
    for entry in &world.accounts {
        if entry.id.len() != 12 || !entry.id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(problem("account", &entry.id, "an account id has twelve digits"));
        }
        let made = account(state, entry, now)?;
        if state.accounts.insert(entry.id.clone(), made).is_some() {
            return Err(problem("account", &entry.id, "is listed twice"));
        }
        for key in &entry.access_keys {
            let credential = Credential {
                account: entry.id.clone(),
                arn: format!("arn:{}:iam::{}:user/simulated", state.partition, entry.id),
                user_id: "AIDASIMULATEDUSER0000".to_owned(),
                session: None,
            };
            if state.credentials.insert(key.clone(), credential).is_some() {
                return Err(problem("access key", key, "belongs to two accounts"));
            }
        }
    }
    Ok(())
}

fn account(state: &State, entry: &AccountEntry, now: Timestamp) -> Result<Account, WorldError> {
    let keys: BTreeSet<&String> = entry.access_keys.iter().collect();
    if let Some(key) = entry.allowed_actions.keys().find(|key| !keys.contains(key)) {
        let text = format!("`allowed_actions` names \"{key}\", which is not one of its `access_keys`");
        return Err(problem("account", &entry.id, text));
    }
    let organization = state.organization.as_ref();
    let is_management = organization.is_some_and(|organization| organization.management == entry.id);
    let parent = match (entry.unit.as_deref(), organization) {
        (Some(unit), Some(organization)) => match parent_of(organization, unit) {
            Some(parent) => Some(parent),
            None => return Err(problem("account", &entry.id, format!("there is no unit \"{unit}\""))),
        },
        (Some(_), None) => {
            return Err(problem("account", &entry.id, "has a `unit`, but there is no `organization`"));
        }
        (None, _) => is_management.then(|| ROOT.to_owned()),
    };
    let or = |given: &str, default: String| if given.is_empty() { default } else { given.to_owned() };
    let status = or(&entry.status, "ACTIVE".to_owned());
    if !STATES.contains(&status.as_str()) {
        return Err(problem("account", &entry.id, format!("`status` is one of {}", STATES.join(", "))));
    }
    let unfit = |what: &str| {
        let what = what.to_owned();
        move |error: PolicyError| problem("account", &entry.id, format!("{what}: {error}"))
    };
    if let Some(key) = entry.policies.keys().find(|key| !keys.contains(key)) {
        let text = format!("`policies` names \"{key}\", which is not one of its `access_keys`");
        return Err(problem("account", &entry.id, text));
    }
    let policies = entry.policies.iter().map(|(key, text)| {
        let policy = Policy::of_identity(text).map_err(unfit(&format!("policy of \"{key}\"")))?;
        Ok((key.clone(), policy))
    });
    let policies = policies.collect::<Result<_, WorldError>>()?;
    let roles = entry.roles.iter().map(|role| {
        let policy = role.policy.as_deref().map(Policy::of_identity).transpose();
        let trust = role.trust_policy.as_deref().map(Policy::of_trust).transpose();
        let known = Role {
            external_id: role.external_id.clone(),
            trusted_accounts: role.trusted_accounts.clone(),
            max_duration: role.max_duration.unwrap_or(3600),
            ends_after: role.ends_after_milliseconds.map(jiff::SignedDuration::from_millis),
            denied_actions: role.denied_actions.clone(),
            allowed_actions: role.allowed_actions.clone(),
            policy: policy.map_err(unfit(&format!("policy of role \"{}\"", role.name)))?,
            trust: trust.map_err(unfit(&format!("trust policy of role \"{}\"", role.name)))?,
        };
        Ok((role.name.clone(), known))
    });
    let roles = roles.collect::<Result<_, WorldError>>()?;
    Ok(Account {
        name: or(&entry.name, format!("account-{}", entry.id)),
        email: or(&entry.email, format!("{}@example.com", entry.id)),
        status,
        parent,
        joined: now,
        allowed_actions: entry.allowed_actions.clone(),
        policies,
        roles,
    })
}
