//! Organizations: accounts in a tree of units, read with pages.
//!
//! <https://docs.aws.amazon.com/organizations/latest/APIReference/>. Only the management account and those it has
//! delegated to may read the tree; members may only ask which organization they are in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::page::{ORGANIZATIONS, Page};
use crate::query::Params;
use crate::service::epoch;
use crate::state::{Account, State};

/// The only root an organization has.
pub(crate) const ROOT: &str = "r-root";

#[derive(Debug, Clone)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) management: String,
    /// Accounts that may read the tree beside the management account.
    pub(crate) delegated: BTreeSet<String>,
    /// Whether resource shares inside need no invitation (`EnableSharingWithAwsOrganization`).
    pub(crate) sharing: bool,
    /// Whether every list of this service and of resource sharing begins with an empty page, which AWS says may
    /// happen at any time.
    pub(crate) empty_pages: bool,
    /// Unit id -> unit.
    pub(crate) units: BTreeMap<String, Unit>,
}

#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) name: String,
    /// Id of a unit or of the root.
    pub(crate) parent: String,
}

impl Organization {
    /// An ARN of something in the organization; all of them belong to the management account.
    fn arn(&self, partition: &str, kind: &str, id: Option<&str>) -> String {
        let tail = id.map(|id| format!("/{id}")).unwrap_or_default();
        format!("arn:{partition}:organizations::{}:{kind}/{}{tail}", self.management, self.id)
    }

    pub(crate) fn own_arn(&self, partition: &str) -> String {
        self.arn(partition, "organization", None)
    }

    pub(crate) fn unit_arn(&self, partition: &str, unit: &str) -> String {
        self.arn(partition, "ou", Some(unit))
    }

    /// Whether a unit or the root is, or stands above, another.
    pub(crate) fn is_above(&self, above: &str, below: &str) -> bool {
        let mut at = below;
        // A tree has no deeper path than it has units; the bound ends a cycle that no world file can make.
        for _ in 0..=self.units.len() {
            if at == above {
                return true;
            }
            match self.units.get(at) {
                Some(unit) => at = &unit.parent,
                None => return false,
            }
        }
        false
    }
}

/// Carries out one call.
pub(crate) fn answer(
    state: &State,
    caller: &str,
    action: &str,
    mut params: Params,
) -> Result<Value, ApiError> {
    let is_member = state.accounts.get(caller).is_some_and(|account| account.parent.is_some());
    let Some(organization) = state.organization.as_ref().filter(|_| is_member) else {
        let message = "Your account is not a member of an organization.";
        return Err(ApiError::new("AWSOrganizationsNotInUseException", message));
    };
    let partition = &state.partition;
    if action == "DescribeOrganization" {
        params.finish()?;
        return Ok(json!({"Organization": {
            "Id": organization.id,
            "Arn": organization.own_arn(partition),
            "FeatureSet": "ALL",
            "MasterAccountArn": organization.arn(partition, "account", Some(&organization.management)),
            "MasterAccountId": organization.management,
            "MasterAccountEmail": state.accounts.get(&organization.management).map(|account| &account.email),
            "AvailablePolicyTypes": [],
        }}));
    }
    if caller != organization.management && !organization.delegated.contains(caller) {
        let message = "You don't have permissions to access this resource.";
        return Err(ApiError::new("AccessDeniedException", message));
    }
    let listing = Listing { organization, partition, scope: format!("{caller}/{action}") };
    match action {
        "ListAccounts" => {
            let members = state.accounts.iter().filter(|(_, account)| account.parent.is_some());
            listing.accounts(params, members.collect())
        }
        "ListAccountsForParent" => {
            let parent = listing.parent(&mut params)?;
            let members = state.accounts.iter().filter(|(_, account)| account.parent == Some(parent.clone()));
            listing.accounts(params, members.collect())
        }
        "ListOrganizationalUnitsForParent" => {
            let parent = listing.parent(&mut params)?;
            let units = organization.units.iter().filter(|(_, unit)| unit.parent == parent);
            listing.page(
                params,
                "OrganizationalUnits",
                units.collect(),
                |id, unit| json!({"Id": id, "Arn": organization.unit_arn(partition, id), "Name": unit.name}),
            )
        }
        "ListRoots" => {
            let root = (ROOT.to_owned(), ());
            listing.page(params, "Roots", vec![(&root.0, &root.1)], |id, ()| {
                let arn = organization.arn(partition, "root", Some(id));
                json!({"Id": id, "Arn": arn, "Name": "Root", "PolicyTypes": []})
            })
        }
        _ => Err(ApiError::new("UnknownOperationException", format!("{action} is not simulated"))),
    }
}

/// What all list calls have in common.
struct Listing<'a> {
    organization: &'a Organization,
    partition: &'a str,
    /// What tokens are bound to beside the parameters.
    scope: String,
}

impl Listing<'_> {
    fn parent(&self, params: &mut Params) -> Result<String, ApiError> {
        // Peeked at rather than read: the token is bound to it.
        let parent = params.pairs().get("ParentId").cloned().ok_or_else(|| ApiError::missing("ParentId"))?;
        let well_formed = parent.starts_with("r-") || parent.starts_with("ou-");
        if !well_formed {
            return Err(ApiError::value("ParentId", &parent, "Expecting the id of a root or unit."));
        }
        if parent != ROOT && !self.organization.units.contains_key(&parent) {
            let message = "You specified parent that doesn't exist.";
            return Err(ApiError::new("ParentNotFoundException", message));
        }
        Ok(parent)
    }

    fn accounts(&self, params: Params, rows: Vec<(&String, &Account)>) -> Result<Value, ApiError> {
        self.page(params, "Accounts", rows, |id, account| {
            json!({
                "Id": id,
                "Arn": self.organization.arn(self.partition, "account", Some(id)),
                "Email": account.email,
                "Name": account.name,
                // `Status`, which said the same before, has been retired.
                "State": account.status,
                "JoinedMethod": "CREATED",
                "JoinedTimestamp": epoch(account.joined),
            })
        })
    }

    fn page<T>(
        &self,
        mut params: Params,
        set: &str,
        rows: Vec<(&String, &T)>,
        shape: impl Fn(&str, &T) -> Value,
    ) -> Result<Value, ApiError> {
        let page = Page::read(&mut params, ORGANIZATIONS, &self.scope)?;
        let page = page.after_an_empty_one(self.organization.empty_pages);
        params.text("ParentId");
        params.finish()?;
        let rows = rows.into_iter().map(|(id, row)| (id.clone(), row)).collect();
        let (rows, next) = page.cut(rows);
        let mut reply = json!({set: rows.iter().map(|(id, row)| shape(id, row)).collect::<Vec<_>>()});
        if let Some(next) = next {
            reply["NextToken"] = Value::String(next);
        }
        Ok(reply)
    }
}
