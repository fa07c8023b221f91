//! Accounts that the configuration does not reach any more, by the roles with which it once did.
//!
//! Whoever takes an account out of a configuration wants its sessions gone, and the role that can remove them goes with the same
//! edit. The configured way goes first; only where it does not lead into an account does a remembered role get its
//! turn. It does not know where roles are remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use enigma_fleet::ids::{AccountId, Place};
use tracing::debug;

use crate::ports::{
    AwsError, BalancerPlace, Cloud, ErrorKind, MirrorPlace, OrganizationAccount, Role, SharePlace, UnitId,
};

/// A [`Cloud`] that knows further ways into accounts. Cheap to make; clients and credentials are the inner one's.
pub struct Former {
    cloud: Arc<dyn Cloud>,
    roles: BTreeMap<AccountId, Role>,
}

impl Former {
    /// `cloud` with these roles of accounts that it may not reach; the same one where there are none.
    #[must_use]
    pub fn with(cloud: Arc<dyn Cloud>, roles: BTreeMap<AccountId, Role>) -> Arc<dyn Cloud> {
        if roles.is_empty() { cloud } else { Arc::new(Self { cloud, roles }) }
    }
}

#[async_trait]
impl Cloud for Former {
    async fn home(&self) -> Result<Place, AwsError> {
        self.cloud.home().await
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn MirrorPlace>, AwsError> {
        match self.cloud.open(place).await {
            Err(error) if error.kind == ErrorKind::Credentials => match self.roles.get(&place.account) {
                Some(role) => {
                    debug!(%place, role = role.arn, "tried with a remembered role");
                    self.cloud.open_as(place, role).await
                }
                None => Err(error),
            },
            opened => opened,
        }
    }

    async fn open_as(&self, place: &Place, role: &Role) -> Result<Arc<dyn MirrorPlace>, AwsError> {
        self.cloud.open_as(place, role).await
    }

    // What a fleet shares and where its load balancers are is never in an account that it leaves: leaving takes EC2 alone.
    async fn shares(&self, place: &Place) -> Result<Arc<dyn SharePlace>, AwsError> {
        self.cloud.shares(place).await
    }

    async fn balancers(&self, place: &Place) -> Result<Arc<dyn BalancerPlace>, AwsError> {
        self.cloud.balancers(place).await
    }

    async fn organization_accounts(&self, units: &[UnitId]) -> Result<Vec<OrganizationAccount>, AwsError> {
        self.cloud.organization_accounts(units).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::{home, place};
    use crate::memory::MemoryAws;

    fn role(name: &str) -> Role {
        Role {
            arn: format!("arn:aws:iam::222222222222:role/{name}"),
            external_id: Some("sesame".to_owned()),
            session_name: None,
        }
    }

    #[tokio::test]
    async fn a_remembered_role_is_used_only_where_the_configured_way_ends() {
        let aws = MemoryAws::new(home());
        let away = place("222222222222/us-east-1");
        aws.add_place(&away);
        let known = || BTreeMap::from([(away.account.clone(), role("mirror"))]);
        let cloud: Arc<dyn Cloud> = Arc::new(aws.clone());
        let wrong = BTreeMap::from([(away.account.clone(), role("gone"))]);
        assert!(Former::with(Arc::clone(&cloud), wrong.clone()).open(&away).await.is_ok(), "configured");

        aws.only_with(&away.account, &role("mirror"));
        assert_eq!(cloud.open(&away).await.err().map(|error| error.kind), Some(ErrorKind::Credentials));
        assert!(Former::with(Arc::clone(&cloud), known()).open(&away).await.is_ok());
        let error = Former::with(Arc::clone(&cloud), wrong).open(&away).await.err().unwrap();
        assert_eq!((error.operation, error.code.as_str()), ("AssumeRole", "AccessDenied"));
        assert!(Former::with(cloud, known()).open(&home()).await.is_ok());
    }
}
