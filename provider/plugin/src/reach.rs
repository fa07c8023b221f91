//! What the provider block gives to everything else: a way to reach AWS, or the reason why there is none yet.
//!
//! Terraform configures a provider before it knows everything (a role made in the same apply). Then resources that
//! exist must still plan, so the reason is kept and told only to those that need AWS.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use enigma_fleet::ids::{AccountId, Place};
use enigma_reconcile::ports::Cloud;
use enigma_tfplugin::Diagnostic;

use crate::diagnostics;

/// Shared by the provider, which fills it once, and its resources and data sources.
#[derive(Clone, Default)]
pub(crate) struct Reach(Arc<OnceLock<Configured>>);

struct Configured {
    cloud: Result<Arc<dyn Cloud>, Vec<String>>,
    allowed_accounts: BTreeSet<AccountId>,
}

impl Reach {
    /// AWS can be reached; an empty set of accounts allows all.
    pub(crate) fn open(&self, cloud: Arc<dyn Cloud>, allowed_accounts: BTreeSet<AccountId>) {
        self.set(Configured { cloud: Ok(cloud), allowed_accounts });
    }

    /// AWS cannot be reached yet: these attributes of the provider block are not known.
    pub(crate) fn postpone(&self, unknown: Vec<String>) {
        self.set(Configured { cloud: Err(unknown), allowed_accounts: BTreeSet::new() });
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

    /// AWS, and the account and Region of the provider's credentials.
    ///
    /// # Errors
    /// A diagnostic that says what did not happen because of it: `doing` completes "... was not".
    pub(crate) async fn home(&self, doing: &str) -> Result<(Arc<dyn Cloud>, Place), Diagnostic> {
        let Some(configured) = self.0.get() else {
            return Err(Diagnostic::error(
                "Provider is not configured",
                format!(
                    "{doing}: Terraform called before it configured the provider. Please report this as a defect."
                ),
            ));
        };
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
        let home = cloud.home().await.map_err(|error| diagnostics::aws(doing, &error))?;
        if !configured.allowed_accounts.is_empty() && !configured.allowed_accounts.contains(&home.account) {
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
}
