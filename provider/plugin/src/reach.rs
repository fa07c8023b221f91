//! What the provider block gives to everything else: a way to reach AWS and the accounts it means, or the reason why
//! there is none yet.
//!
//! Terraform configures a provider before it knows everything (a role made in the same apply). Then resources that
//! exist must still plan, so the reason is kept and told only to those that need AWS. Which account is home and which ones an
//! organization has is asked of AWS when somebody needs it, and remembered for the rest of the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use enigma_fleet::given::Given;
use enigma_fleet::ids::{AccountId, Label, Place};
use enigma_fleet::partition::Partition;
use enigma_fleet::reach as core;
use enigma_reconcile::former::Former;
use enigma_reconcile::ports::{Cloud, Role};
use enigma_reconcile::recall::Recall;
use enigma_tfplugin::{AttributePath, Diagnostic};

use crate::diagnostics;
use crate::provider::{Account, Organization};

/// Tags as a person wrote them: by key, each value known or not.
pub(crate) type RawTags = BTreeMap<String, Given<String>>;

/// What the provider block says besides how to reach AWS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// Accounts that the provider's own credentials may belong to; empty is any.
    pub(crate) allowed_accounts: BTreeSet<AccountId>,
    /// `accounts`.
    pub(crate) accounts: BTreeMap<Label, Account>,
    /// `organization`.
    pub(crate) organization: Option<Organization>,
    /// `default_tags`.
    pub(crate) default_tags: Given<RawTags>,
}

/// Shared by the provider, which fills it once, and its resources and data sources.
#[derive(Clone, Default)]
pub(crate) struct Reach(Arc<OnceLock<Configured>>);

struct Configured {
    /// Remembers what it read, for a plan asks the same things several times.
    cloud: Result<Arc<dyn Cloud>, Vec<String>>,
    recall: Option<Arc<Recall>>,
    /// The same without a memory.
    direct: Option<Arc<dyn Cloud>>,
    terms: Terms,
}

/// AWS, and everything that the provider block means by it.
#[derive(Clone)]
pub(crate) struct Territory {
    /// The way to AWS.
    pub(crate) cloud: Arc<dyn Cloud>,
    /// Which accounts and Regions are read, and what people call them. Its home is that of the provider's own credentials.
    pub(crate) reach: core::Reach,
}

impl Reach {
    /// AWS can be reached, and the provider's own account is all there is; an empty set of accounts allows all.
    #[cfg(test)]
    pub(crate) fn open(&self, cloud: Arc<dyn Cloud>, allowed_accounts: BTreeSet<AccountId>) {
        self.open_to(cloud, Terms { allowed_accounts, ..Terms::default() });
    }

    /// AWS can be reached on these terms.
    pub(crate) fn open_to(&self, cloud: Arc<dyn Cloud>, terms: Terms) {
        let recall = Arc::new(Recall::new(Arc::clone(&cloud)));
        let remembering: Arc<dyn Cloud> = Arc::clone(&recall) as Arc<dyn Cloud>;
        self.set(Configured { cloud: Ok(remembering), recall: Some(recall), direct: Some(cloud), terms });
    }

    /// AWS cannot be reached yet: these attributes of the provider block are not known.
    pub(crate) fn postpone(&self, unknown: Vec<String>, terms: Terms) {
        self.set(Configured { cloud: Err(unknown), recall: None, direct: None, terms });
    }

    /// AWS as it is now, for an apply: nothing that was read before is believed, neither in it nor after it.
    pub(crate) fn direct(&self) -> Option<Arc<dyn Cloud>> {
        self.forget();
        self.0.get()?.direct.clone()
    }

    /// Believes nothing that was read before.
    pub(crate) fn forget(&self) {
        if let Some(recall) = self.0.get().and_then(|configured| configured.recall.as_ref()) {
            recall.forget();
        }
    }

    fn set(&self, configured: Configured) {
        // Terraform configures once per process; were it to repeat, the first configuration stands.
        if self.0.set(configured).is_err() {
            tracing::warn!("the provider was configured twice; the first configuration stands");
        }
    }

    /// Whether AWS cannot be reached because part of the provider block is unknown.
    pub(crate) fn is_postponed(&self) -> bool {
        self.0.get().is_some_and(|configured| configured.cloud.is_err())
    }

    /// What the provider block says; nothing before it was read.
    pub(crate) fn terms(&self) -> Terms {
        self.0.get().map(|configured| configured.terms.clone()).unwrap_or_default()
    }

    /// The tags that the provider block puts on everything; those of a fleet go over them.
    pub(crate) fn default_tags(&self) -> Given<RawTags> {
        self.0.get().map_or(Given::Absent, |configured| configured.terms.default_tags.clone())
    }

    /// AWS, and the account and Region of the provider's credentials.
    ///
    /// # Errors
    /// A diagnostic that says what did not happen because of it: `doing` completes "... was not".
    pub(crate) async fn home(&self, doing: &str) -> Result<(Arc<dyn Cloud>, Place), Diagnostic> {
        let (configured, cloud) = self.configured(doing)?;
        let home = cloud.home().await.map_err(|error| diagnostics::aws(doing, &error))?;
        let allowed = &configured.terms.allowed_accounts;
        if !allowed.is_empty() && !allowed.contains(&home.account) {
            return Err(Diagnostic::error(
                "AWS account is not allowed",
                format!(
                    "{doing}: the provider's credentials belong to account {}, which is not in `allowed_account_ids`. Use other \
                     credentials, or add the account there.",
                    home.account
                ),
            ));
        }
        Ok((Arc::clone(cloud), home))
    }

    fn configured(&self, doing: &str) -> Result<(&Configured, &Arc<dyn Cloud>), Diagnostic> {
        let configured = self.0.get().ok_or_else(|| {
            Diagnostic::error(
                "Provider is not configured",
                format!(
                    "{doing}: Terraform called before it configured the provider. Please report this as a defect."
                ),
            )
        })?;
        let cloud = configured.cloud.as_ref().map_err(|unknown| {
            Diagnostic::error(
                "Provider configuration is not known yet",
                format!(
                    "{doing}: {} of the provider \"enigma\" depend on something that is made in the same apply. Add `depends_on` with \
                     that object to the data source, so that it is read after the object exists, or apply the object first.",
                    unknown.join(", ")
                ),
            )
        })?;
        Ok((configured, cloud))
    }

    /// The account with a key of the provider block, or with that id. Asks nobody.
    pub(crate) fn account(&self, written: &str, home: &Place) -> Option<AccountId> {
        let terms = self.terms();
        let named = written.parse::<Label>().ok().and_then(|key| terms.accounts.get(&key).cloned());
        named
            .map(|account| account.id.unwrap_or_else(|| home.account.clone()))
            .or_else(|| written.parse().ok())
    }

    /// The role that the provider block has for an account: the one written in `accounts`, else the organization's,
    /// whether or not the account is in it. Asks nobody.
    pub(crate) fn role(&self, account: &AccountId, home: &Place) -> Option<Role> {
        if *account == home.account {
            return None;
        }
        let terms = &self.0.get()?.terms;
        let named = terms.accounts.values().find(|named| named.id.as_ref() == Some(account));
        let role = match named {
            Some(named) => named.role.clone()?,
            None => {
                let partition = Partition::of(&home.region);
                terms.organization.as_ref()?.role.in_account(partition.as_str(), account)
            }
        };
        Some(Role { arn: role.role_arn, external_id: role.external_id, session_name: role.session_name })
    }

    /// Whether `accounts` has a role for this account.
    pub(crate) fn is_named(&self, account: &AccountId) -> bool {
        let accounts = self.0.get().map(|configured| &configured.terms.accounts);
        accounts.is_some_and(|accounts| accounts.values().any(|one| one.id.as_ref() == Some(account)))
    }

    /// `cloud`, and into accounts that `accounts` does not name (any more) these roles too.
    pub(crate) fn with_former(
        &self,
        cloud: Arc<dyn Cloud>,
        home: &Place,
        roles: &BTreeMap<AccountId, Role>,
    ) -> Arc<dyn Cloud> {
        let is_former = |(account, role): &(&AccountId, &Role)| {
            // A role that was corrected or broken in `accounts` must show what it does, and not what the one before
            // did; and what the organization's role could not do need not be tried twice.
            !self.is_named(account) && self.role(account, home).as_ref() != Some(*role)
        };
        let former = roles.iter().filter(is_former).map(|(account, role)| (account.clone(), role.clone()));
        Former::with(cloud, former.collect())
    }

    /// AWS, and every account and Region that the provider block means. Asks the organization, where there is one,
    /// for its accounts.
    ///
    /// # Errors
    /// As [`Self::home`]; and the organization could not be read, so that nobody knows whom it has; and two entries
    /// mean one account.
    pub(crate) async fn territory(&self, doing: &str) -> Result<Territory, Diagnostic> {
        let (cloud, home) = self.home(doing).await?;
        let (configured, _) = self.configured(doing)?;
        let named = named(&configured.terms.accounts, &home, doing)?;
        let organization = match &configured.terms.organization {
            None => None,
            Some(wanted) => Some(listed(cloud.as_ref(), wanted, doing).await?),
        };
        let reach = core::Reach::of(&home, &named, organization.as_ref());
        tracing::debug!(
            accounts = reach.accounts().len(),
            left_out = reach.left_out().len(),
            "accounts reached"
        );
        Ok(Territory { cloud, reach })
    }
}

/// The accounts of the organization, as AWS has them now.
async fn listed(
    cloud: &dyn Cloud,
    wanted: &Organization,
    doing: &str,
) -> Result<core::Organization, Diagnostic> {
    let listed = cloud.organization_accounts(&wanted.units).await.map_err(|error| {
            Diagnostic::error(
                "The organization could not be read",
                format!(
                    "{doing}: whose interfaces the provider's `organization` means is not known. {error}. The provider's credentials must be \
                     those of the management account or of a delegated administrator, with the permissions \
                     organizations:ListAccountsForParent and organizations:ListOrganizationalUnitsForParent; name the accounts in \
                     `accounts` where that cannot be."
                ),
            )
        })?;
    let accounts = listed.iter().map(|account| core::OrganizationAccount {
        id: account.id.clone(),
        name: account.name.clone(),
        status: account.status.clone(),
        unit: account.units.last().map(ToString::to_string).unwrap_or_default(),
    });
    Ok(core::Organization {
        accounts: accounts.collect(),
        regions: wanted.regions.clone(),
        excluded: wanted.excluded.clone(),
    })
}

/// The accounts by key, now that it is known which one is the provider's own.
fn named(
    accounts: &BTreeMap<Label, Account>,
    home: &Place,
    doing: &str,
) -> Result<BTreeMap<String, core::NamedAccount>, Diagnostic> {
    for (key, account) in accounts {
        // Its own account is reached with its own credentials, so the role would be passed over without a word.
        if account.id.as_ref() == Some(&home.account) {
            return Err(Diagnostic::error(
                "Role of the provider's own account",
                format!(
                    "{doing}: `accounts[\"{key}\"].role_arn` is a role of account {}, which the provider's credentials belong to. Remove \
                     `role_arn` there to use these credentials, or name the role in `assume_role` of the provider block to use it for \
                     everything.",
                    home.account
                ),
            )
            .at(AttributePath::root()));
        }
    }
    let named = accounts.iter().map(|(key, account)| {
        let id = account.id.clone().unwrap_or_else(|| home.account.clone());
        (key.to_string(), core::NamedAccount { id, regions: account.regions.clone() })
    });
    Ok(named.collect())
}
