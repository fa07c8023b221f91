//! The permissions that a fleet needs, as statements of IAM policies with the feature each serves.
//!
//! [`Permissions`] says what a fleet does; from it come the policy of the role in each member account, that of the account whose
//! credentials the provider has, and the role's trust policy. Actions, resource types and condition keys are those of the Service
//! Authorization Reference: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html> and
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsresourceaccessmanager.html>. Nothing
//! here knows which permissions somebody has.

mod statements;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use crate::ids::{AccountId, FleetName};
use crate::partition::Partition;

/// What a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Taking over sessions that no fleet owns (`safety.adopt`).
    Adoption,
    /// Assuming the roles of member accounts.
    AssumeRoles,
    /// Looking at load balancers before a plan and in `enigma_mirror_target`.
    Balancers,
    /// Finding interfaces and mirroring objects: every plan.
    Discovery,
    /// Filters, their rules and sessions of the fleet.
    Mirroring,
    /// Finding an organization's accounts.
    Organization,
    /// Sharing targets with other accounts.
    Sharing,
    /// Accepting shares from outside the organization, or where sharing inside it is not turned on.
    Invitations,
    /// Making and removing targets.
    Targets,
}

/// What a fleet does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Where.
    pub partition: Partition,
    /// The account whose credentials the provider has, with the targets.
    pub home: AccountId,
    /// Accounts whose interfaces are mirrored with a role of theirs; empty stands for any account.
    pub members: BTreeSet<AccountId>,
    /// Only this fleet's objects may be changed; `None` allows those of every fleet.
    pub fleet: Option<FleetName>,
    /// Whether interfaces of the home account are mirrored too.
    pub mirrors_home: bool,
    /// Name of the role in each member account, with its path: `enigma-mirror`, `security/enigma-mirror`.
    pub role: String,
    /// Whether sessions that no fleet owns are taken over.
    pub adopts: bool,
    /// Whether targets are shared with members.
    pub shares: bool,
    /// Whether members must accept what is shared with them.
    pub accepts_invitations: bool,
    /// Whether load balancers are looked at. Those of targets are the home account's: members' targets are endpoints.
    pub looks_at_balancers: bool,
    /// Whether accounts are found through an organization.
    pub uses_organization: bool,
    /// Whether member accounts have targets of their own: Gateway Load Balancer endpoints.
    pub members_have_targets: bool,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its `Sid`: letters and digits, unique in its policy.
    pub sid: &'static str,
    /// What needs it.
    pub feature: Feature,
    /// `service:Action`, without wildcards.
    pub actions: Vec<&'static str>,
    /// ARNs, with wildcards for ids, or `*` where AWS takes nothing else.
    pub resources: Vec<String>,
    /// Operator, key, accepted values.
    pub conditions: BTreeMap<&'static str, BTreeMap<String, Vec<String>>>,
}

/// An identity policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy(pub Vec<Statement>);

/// The version of the policy language.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>
const VERSION: &str = "2012-10-17";

impl Policy {
    /// The policy document.
    #[must_use]
    pub fn to_json(&self) -> String {
        let statement = |one: &Statement| {
            let mut json = json!({
                "Sid": one.sid,
                "Effect": "Allow",
                "Action": one.actions,
                "Resource": one.resources,
            });
            if let (false, Some(object)) = (one.conditions.is_empty(), json.as_object_mut()) {
                object.insert("Condition".to_owned(), json!(one.conditions));
            }
            json
        };
        let statements: Vec<Value> = self.0.iter().map(statement).collect();
        json!({ "Version": VERSION, "Statement": statements }).to_string()
    }

    /// Every action that some statement allows.
    #[must_use]
    pub fn actions(&self) -> BTreeSet<&'static str> {
        self.0.iter().flat_map(|statement| statement.actions.iter().copied()).collect()
    }
}

impl Permissions {
    /// Everything a fleet in one account and nothing else needs; the fields say more.
    #[must_use]
    pub fn of(partition: Partition, home: AccountId) -> Self {
        Self {
            partition,
            home,
            members: BTreeSet::new(),
            fleet: None,
            mirrors_home: true,
            role: "enigma-mirror".to_owned(),
            adopts: false,
            shares: false,
            accepts_invitations: false,
            looks_at_balancers: true,
            uses_organization: false,
            members_have_targets: false,
        }
    }

    /// The policy of the role in a member account.
    #[must_use]
    pub fn member_role(&self, account: &AccountId) -> Policy {
        let mut statements = vec![statements::discovery()];
        statements.extend(statements::mirroring(self, account));
        if self.members_have_targets {
            statements.extend(statements::targets(self, account));
        }
        if self.accepts_invitations {
            statements.extend(statements::invitations(self));
        }
        statements.extend(statements::tags(self, account, true, self.members_have_targets));
        Policy(statements)
    }

    /// The policy for the provider's own credentials.
    #[must_use]
    pub fn home_account(&self) -> Policy {
        let mut statements = vec![statements::discovery()];
        if self.looks_at_balancers {
            statements.push(statements::balancers());
        }
        statements.extend(statements::targets(self, &self.home));
        if self.mirrors_home {
            statements.extend(statements::mirroring(self, &self.home));
        }
        statements.extend(statements::tags(self, &self.home, self.mirrors_home, true));
        if self.shares {
            statements.extend(statements::sharing(self));
        }
        if self.uses_organization {
            statements.push(statements::organization());
        }
        if !self.members.is_empty() || self.uses_organization {
            statements.push(statements::assume_roles(self));
        }
        Policy(statements)
    }

    /// Who may assume the role in a member account: the home account, with this external id if there is one. A whole account is
    /// named, so that its own policies decide who of it may.
    #[must_use]
    pub fn trust_json(&self, external_id: Option<&str>) -> String {
        let mut statement = json!({
            "Sid": "EnigmaMirrorFleet",
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:{}:iam::{}:root", self.partition.as_str(), self.home) },
            "Action": "sts:AssumeRole",
        });
        if let (Some(id), Some(object)) = (external_id, statement.as_object_mut()) {
            object.insert("Condition".to_owned(), json!({ "StringEquals": { "sts:ExternalId": id } }));
        }
        json!({ "Version": VERSION, "Statement": [statement] }).to_string()
    }
}

#[cfg(test)]
mod tests;
