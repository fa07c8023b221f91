//! Resource shares (AWS RAM) in one account and Region: [`SharePlace`] and the values it takes.
//!
//! What an association does takes time: RAM answers a write while the association is still on its way, so a reader looks at its
//! status, and a consumer at whether it sees the target.

use std::collections::BTreeSet;

use async_trait::async_trait;
use enigma_fleet::calls::{SHARE_PARTS, share_calls};
use enigma_fleet::ids::{AccountId, Place, ShareArn, TargetId};
use enigma_fleet::inventory::{ResourceShare, Tags};

use super::{AwsError, ClientToken, MirrorScope};

/// Everything `CreateResourceShare` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewShare {
    /// Shown in consoles.
    pub name: String,
    /// The accounts and targets it begins with.
    pub parts: ShareParts,
    /// `allowExternalPrincipals`: whether accounts outside the organization may be among the principals.
    pub allows_external: bool,
    /// Tags set with the creation.
    pub tags: Tags,
    /// Makes a repeated call the same call.
    pub token: ClientToken,
}

/// Principals and targets of a share. The principals of a fleet are account numbers; others may have added ARNs, which stay
/// verbatim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareParts {
    /// With whom.
    pub principals: BTreeSet<String>,
    /// Targets of the share's own account and Region.
    pub targets: BTreeSet<TargetId>,
}

impl ShareParts {
    /// The same parts, no more in each than one call takes ([`SHARE_PARTS`]), in an order that is always the same;
    /// one empty where there are none.
    #[must_use]
    pub fn by_call(&self) -> Vec<Self> {
        let (mut principals, mut targets) = (self.principals.iter(), self.targets.iter());
        (0..share_calls(self.principals.len(), self.targets.len()))
            .map(|_| Self {
                principals: principals.by_ref().take(SHARE_PARTS).cloned().collect(),
                targets: targets.by_ref().take(SHARE_PARTS).cloned().collect(),
            })
            .collect()
    }
}

/// An invitation that waits for an answer of the account that reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its ARN, by which it is accepted.
    pub arn: String,
    /// The share it is to.
    pub share: ShareArn,
    /// The account that shares.
    pub sender: AccountId,
}

/// RAM in one account and Region. Shares are regional.
#[async_trait]
pub trait SharePlace: Send + Sync {
    /// Which account and Region this is.
    fn place(&self) -> &Place;

    /// The account's own shares that are not deleted, with their associations: `GetResourceShares` and
    /// `GetResourceShareAssociations`, all pages.
    async fn shares(&self, scope: &MirrorScope) -> Result<Vec<ResourceShare>, AwsError>;
    /// `GetResourceShareInvitations`, all pages: those to this account that are pending.
    async fn invitations(&self) -> Result<Vec<Invitation>, AwsError>;

    /// `CreateResourceShare`. Of parts, each write takes [`SHARE_PARTS`] principals and as many targets.
    async fn create_share(&self, share: &NewShare) -> Result<ShareArn, AwsError>;
    /// `UpdateResourceShare` of `allowExternalPrincipals`.
    async fn set_allows_external(&self, share: &ShareArn, allowed: bool) -> Result<(), AwsError>;
    /// `TagResource`, then `UntagResource`; either only with something to do.
    async fn retag_share(&self, share: &ShareArn, set: &Tags, remove: &[String]) -> Result<(), AwsError>;
    /// `AssociateResourceShare`. AWS refuses the whole call where one part is in the share already or still leaving
    /// it; the same call with the same token is the same call.
    async fn associate(
        &self,
        share: &ShareArn,
        parts: &ShareParts,
        token: &ClientToken,
    ) -> Result<(), AwsError>;
    /// `DisassociateResourceShare`. AWS refuses the whole call where one part, or the share, is gone already:
    /// [`NotFound`](super::ErrorKind::NotFound).
    async fn disassociate(&self, share: &ShareArn, parts: &ShareParts) -> Result<(), AwsError>;
    /// `DeleteResourceShare`. A share that is gone already is success.
    async fn delete_share(&self, share: &ShareArn) -> Result<(), AwsError>;
    /// `AcceptResourceShareInvitation`. One that is accepted already is success.
    async fn accept(&self, invitation: &Invitation) -> Result<(), AwsError>;
}
