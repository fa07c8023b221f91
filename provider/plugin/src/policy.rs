//! `data "enigma_iam_policy"`: the permissions that a fleet needs, as policies to attach.
//!
//! What is needed is the core's to say; this module asks AWS for nothing but, where nobody writes it, which account
//! the provider's credentials belong to.

mod schema;

use std::collections::BTreeSet;
use std::str::FromStr;

use async_trait::async_trait;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{AccountId, FleetName, IdError};
use enigma_fleet::partition::Partition;
use enigma_fleet::permissions::{Permissions, Policy};
use enigma_tfplugin::{AttributePath, Context, DataSource, Diagnostic, Diagnostics, Dynamic, Found, Schema};

use crate::reach::{Reach, Terms};
use crate::written;

/// Most characters of a managed policy, white space not counted; a role's own policies together may have 10,240.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MANAGED_POLICY: usize = 6144;
/// Stands for every member account while a policy is made; AWS gives out no such id.
const ANY_ACCOUNT: &str = "000000000000";
/// The role's name where neither the data source nor the provider block has one.
const ROLE: &str = "enigma-mirror";

/// The data source type.
pub(crate) struct PolicyDocuments {
    reach: Reach,
}

impl PolicyDocuments {
    pub(crate) fn new(reach: Reach) -> Self {
        Self { reach }
    }
}

#[async_trait]
impl DataSource for PolicyDocuments {
    type Config = Dynamic;
    type State = Dynamic;

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate(&self, _cx: &Context, config: Dynamic) -> Diagnostics {
        Written::read(&config).1
    }

    async fn read(&self, _cx: &Context, config: Dynamic) -> Result<Found<Dynamic>, Diagnostics> {
        let (written, mistakes) = Written::read(&config);
        let written = mistakes.into_result(written)?;
        let (home, partition) = match (&written.home, written.partition) {
            (Some(home), Some(partition)) => (home.clone(), partition),
            (home, partition) => {
                let (_, found) = self.reach.home("The policies were not made").await?;
                (
                    home.clone().unwrap_or(found.account),
                    partition.unwrap_or_else(|| Partition::of(&found.region)),
                )
            }
        };
        let needs = written.needs(&config, home, partition, &self.reach.terms());
        let external_id = written::text(&config, "external_id").known().cloned();
        let (computed, told) = documents(&needs, external_id.as_deref());
        let mut state = config;
        if let Dynamic::Map(attributes) = &mut state {
            attributes.extend(computed.map(|(name, value)| (name.to_owned(), value)));
        }
        Ok(Found::new(state).with(told))
    }
}

/// The arguments that have a form.
#[derive(Default)]
struct Written {
    home: Option<AccountId>,
    members: Option<BTreeSet<AccountId>>,
    fleet: Option<FleetName>,
    partition: Option<Partition>,
}

impl Written {
    fn read(config: &Dynamic) -> (Self, Diagnostics) {
        let mut mistakes = Diagnostics::new();
        let home =
            parsed(&mut mistakes, "collector_account_id", written::text(config, "collector_account_id"));
        let fleet = parsed(&mut mistakes, "fleet", written::text(config, "fleet"));
        let members = written::texts(config, "member_account_ids").known().map(|ids| {
            ids.iter().filter_map(|id| parsed(&mut mistakes, "member_account_ids", id.clone())).collect()
        });
        let partition = written::text(config, "partition").known().and_then(|text| Partition::parse(text));
        (Self { home, members, fleet, partition }, mistakes)
    }

    fn needs(&self, config: &Dynamic, home: AccountId, partition: Partition, terms: &Terms) -> Permissions {
        let flag = |name: &str| written::boolean(config, name).known().copied();
        let text = |name: &str| written::text(config, name).known().cloned();
        let of_provider = || terms.accounts.values().filter_map(|account| account.id.clone()).collect();
        let mut members: BTreeSet<AccountId> = self.members.clone().unwrap_or_else(of_provider);
        members.remove(&home);
        let uses_organization = flag("organization").unwrap_or_else(|| terms.organization.is_some());
        let has_members = uses_organization || !members.is_empty();
        let names_home = terms.accounts.values().any(|account| account.id.is_none());
        let rolled_out = terms.organization.as_ref().map(|organization| &organization.role);
        let name = text("role_name").or_else(|| rolled_out.map(|role| role.name.clone()));
        let path = text("role_path").or_else(|| rolled_out.and_then(|role| role.path.clone()));
        let path = path.unwrap_or_default();
        Permissions {
            members,
            fleet: self.fleet.clone(),
            mirrors_home: flag("mirror_collector_account").unwrap_or(!has_members || names_home),
            role: format!("{}{}", path.trim_start_matches('/'), name.as_deref().unwrap_or(ROLE)),
            adopts: flag("adopt").unwrap_or(false),
            shares: flag("share").unwrap_or(has_members),
            accepts_invitations: flag("accept_invitations").unwrap_or(false),
            looks_at_balancers: flag("check_load_balancers").unwrap_or(true),
            uses_organization,
            members_have_targets: flag("member_targets").unwrap_or(false),
            ..Permissions::of(partition, home)
        }
    }
}

fn parsed<T: FromStr<Err = IdError>>(
    mistakes: &mut Diagnostics,
    name: &str,
    text: Given<String>,
) -> Option<T> {
    let wrong = |why: IdError| {
        Diagnostic::error("Invalid value", format!("{why}.\n\nAttribute: {name}")).at(AttributePath::of(name))
    };
    text.known()?.parse().map_err(|why| mistakes.push(wrong(why))).ok()
}

/// The computed attributes, and a warning for each policy that is too long for one managed policy.
fn documents(needs: &Permissions, external_id: Option<&str>) -> ([(&'static str, Dynamic); 5], Diagnostics) {
    let member = of_any_account(needs);
    let home = needs.home_account();
    let each =
        needs.members.iter().map(|account| (account.to_string(), needs.member_role(account).to_json()));
    let rows =
        [("member_role", &member), ("collector_account", &home)].into_iter().flat_map(|(policy, of)| {
            of.0.iter().map(move |statement| {
                Dynamic::map([
                    ("policy", Dynamic::from(policy)),
                    ("sid", statement.sid.into()),
                    ("feature", Dynamic::from_typed(&statement.feature).unwrap_or_default()),
                    ("actions", Dynamic::list(statement.actions.iter().copied())),
                    ("resources", Dynamic::list(statement.resources.iter().map(String::as_str))),
                ])
            })
        });
    let (member_json, home_json) = (member.to_json(), home.to_json());
    let told = [("member_role_json", &member_json), ("collector_account_json", &home_json)]
        .into_iter()
        .filter(|(_, json)| json.chars().filter(|letter| !letter.is_whitespace()).count() > MANAGED_POLICY)
        .map(|(name, json)| {
            Diagnostic::warning(
                "Policy too long for one managed policy",
                format!(
                    "`{name}` has {} characters, and AWS takes {MANAGED_POLICY} in a managed policy. Make it a policy of the role itself \
                     (10,240), or several policies from `statements`. With `organization = true` the roles to assume are one pattern.",
                    json.len()
                ),
            )
        });
    let told = told.collect();
    let computed = [
        ("member_role_json", Dynamic::from(member_json)),
        ("member_role_json_by_account", Dynamic::map(each)),
        ("collector_account_json", home_json.into()),
        ("trust_policy_json", needs.trust_json(external_id).into()),
        ("statements", Dynamic::list(rows)),
    ];
    (computed, told)
}

/// A member role's policy that fits every account, as stack sets roll it out. A role reaches only what its own
/// account lets it, so a pattern for the account allows no more.
fn of_any_account(needs: &Permissions) -> Policy {
    let Ok(any) = ANY_ACCOUNT.parse::<AccountId>() else { return Policy::default() };
    let mut policy = needs.member_role(&any);
    for resource in policy.0.iter_mut().flat_map(|statement| &mut statement.resources) {
        *resource = resource.replace(&format!(":{ANY_ACCOUNT}:"), ":*:");
    }
    policy
}

#[cfg(test)]
mod tests;
