//! What AWS must do for us, in our words.
//!
//! Small traits: [`Cloud`] opens places and reads the organization, [`MirrorPlace`] is EC2 traffic mirroring in one account and
//! Region, [`SharePlace`] its resource shares, [`BalancerPlace`] its load balancers. Reads return everything (adapters page
//! inside) or an error, never a part. Writes are one AWS call each, so that an outcome belongs to one action. No method may be
//! retried blindly by callers: adapters retry single calls, callers decide how much to attempt.
//!
//! Cancellation: dropping a read's future is safe. A write's future must be polled to its end once started, or its effect is
//! unknown; executors therefore stop *between* writes.

mod balancer;
mod error;
mod mirror;
mod organization;
mod role;
mod share;

use std::sync::Arc;

use async_trait::async_trait;
use enigma_fleet::ids::Place;

pub use balancer::{Balancer, BalancerPlace, Group, Listener, Receiver};
pub use error::{AwsError, ErrorKind};
pub use mirror::{
    ClientToken, DryRun, InterfaceScope, MirrorPlace, MirrorScope, NewSession, Refusal, SessionPatch,
};
pub use organization::{NotAUnit, OrganizationAccount, UnitId};
pub use role::Role;
pub use share::{Invitation, NewShare, ShareParts, SharePlace};

/// Opens places. One instance serves a whole provider: it caches clients and credentials.
///
/// Opening calls AWS only for credentials. An account whose role cannot be assumed fails the same way for all its places, with
/// one attempt between them.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// The account and Region of the provider's own credentials (`sts:GetCallerIdentity`).
    ///
    /// # Errors
    /// [`AwsError`] when the credentials cannot be used.
    async fn home(&self) -> Result<Place, AwsError>;

    /// EC2 in one place.
    ///
    /// # Errors
    /// [`AwsError`] when the account cannot be reached.
    async fn open(&self, place: &Place) -> Result<Arc<dyn MirrorPlace>, AwsError>;

    /// EC2 in one place of an account that the configuration need not know, by a role that the caller names; in the home account
    /// with the home credentials all the same, for those need no role.
    ///
    /// # Errors
    /// [`AwsError`] when the role cannot be assumed.
    async fn open_as(&self, place: &Place, role: &Role) -> Result<Arc<dyn MirrorPlace>, AwsError>;

    /// RAM in one place.
    ///
    /// # Errors
    /// [`AwsError`] when the account cannot be reached.
    async fn shares(&self, place: &Place) -> Result<Arc<dyn SharePlace>, AwsError>;

    /// Elastic Load Balancing in one place.
    ///
    /// # Errors
    /// [`AwsError`] when the account cannot be reached.
    async fn balancers(&self, place: &Place) -> Result<Arc<dyn BalancerPlace>, AwsError>;

    /// All accounts in these units and in the units below them, once each, by ascending id; with the home credentials, which must
    /// be of the management account or of one that administers Organizations or a service for it
    /// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccountsForParent.html>. Accounts of every
    /// status are listed.
    ///
    /// # Errors
    /// [`AwsError`]: no organization, no permission, no such unit.
    async fn organization_accounts(&self, units: &[UnitId]) -> Result<Vec<OrganizationAccount>, AwsError>;
}
