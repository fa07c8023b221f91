//! Places whose calls survive credentials that end before their time: any port, each call of it made once more with new ones.
//!
//! One decorator for all services, so that none of them knows how long credentials live. See [`Remembered::renewing`].

use std::collections::BTreeSet;

use async_trait::async_trait;
use enigma_fleet::actions::Resource;
use enigma_fleet::ids::{FilterId, FilterRuleId, Place, SessionId, ShareArn, TargetId};
use enigma_fleet::inventory::{
    Destination, FilterRule, Instance, Interface, MirrorFilter, MirrorSession, MirrorTarget, ResourceShare,
    Subnet, Tags,
};
use enigma_reconcile::ports::{
    AwsError, Balancer, BalancerPlace, ClientToken, DryRun, InterfaceScope, Invitation, MirrorPlace,
    MirrorScope, NewSession, NewShare, Refusal, SessionPatch, ShareParts, SharePlace,
};

use crate::credentials::Remembered;

/// A place of any port, and the credentials that its calls are signed with.
pub(crate) struct Renewing<P> {
    place: P,
    credentials: Remembered,
}

impl<P> Renewing<P> {
    pub(crate) fn new(place: P, credentials: Remembered) -> Self {
        Self { place, credentials }
    }
}

#[async_trait]
impl<P: MirrorPlace> MirrorPlace for Renewing<P> {
    fn place(&self) -> &Place {
        self.place.place()
    }

    async fn interfaces(&self, scope: &InterfaceScope) -> Result<Vec<Interface>, AwsError> {
        self.credentials.renewing(|| self.place.interfaces(scope)).await
    }
    async fn instances(&self) -> Result<Vec<Instance>, AwsError> {
        self.credentials.renewing(|| self.place.instances()).await
    }
    async fn subnets(&self) -> Result<Vec<Subnet>, AwsError> {
        self.credentials.renewing(|| self.place.subnets()).await
    }
    async fn targets(&self, scope: &MirrorScope) -> Result<Vec<MirrorTarget>, AwsError> {
        self.credentials.renewing(|| self.place.targets(scope)).await
    }
    async fn visible_targets(&self, ids: &BTreeSet<TargetId>) -> Result<BTreeSet<TargetId>, AwsError> {
        self.credentials.renewing(|| self.place.visible_targets(ids)).await
    }
    async fn filters(&self, scope: &MirrorScope) -> Result<Vec<MirrorFilter>, AwsError> {
        self.credentials.renewing(|| self.place.filters(scope)).await
    }
    async fn sessions(&self, scope: &MirrorScope) -> Result<Vec<MirrorSession>, AwsError> {
        self.credentials.renewing(|| self.place.sessions(scope)).await
    }

    async fn create_target(
        &self,
        destination: &Destination,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<TargetId, AwsError> {
        self.credentials.renewing(|| self.place.create_target(destination, description, tags, token)).await
    }
    async fn delete_target(&self, id: &TargetId) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.delete_target(id)).await
    }
    async fn create_filter(
        &self,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterId, AwsError> {
        self.credentials.renewing(|| self.place.create_filter(description, tags, token)).await
    }
    async fn set_amazon_dns(&self, id: &FilterId, enabled: bool) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.set_amazon_dns(id, enabled)).await
    }
    async fn delete_filter(&self, id: &FilterId) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.delete_filter(id)).await
    }
    async fn create_rule(
        &self,
        filter: &FilterId,
        rule: &FilterRule,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterRuleId, AwsError> {
        self.credentials.renewing(|| self.place.create_rule(filter, rule, tags, token)).await
    }
    async fn modify_rule(
        &self,
        id: &FilterRuleId,
        before: &FilterRule,
        after: &FilterRule,
    ) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.modify_rule(id, before, after)).await
    }
    async fn delete_rule(&self, id: &FilterRuleId) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.delete_rule(id)).await
    }
    async fn create_session(&self, session: &NewSession) -> Result<SessionId, AwsError> {
        self.credentials.renewing(|| self.place.create_session(session)).await
    }
    async fn modify_session(&self, id: &SessionId, patch: &SessionPatch) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.modify_session(id, patch)).await
    }
    async fn delete_session(&self, id: &SessionId) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.delete_session(id)).await
    }
    async fn retag(&self, resource: &Resource, set: &Tags, remove: &[String]) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.retag(resource, set, remove)).await
    }
    async fn try_out(&self, write: &DryRun) -> Result<Option<Refusal>, AwsError> {
        self.credentials.renewing(|| self.place.try_out(write)).await
    }
}

#[async_trait]
impl<P: SharePlace> SharePlace for Renewing<P> {
    fn place(&self) -> &Place {
        self.place.place()
    }

    async fn shares(&self, scope: &MirrorScope) -> Result<Vec<ResourceShare>, AwsError> {
        self.credentials.renewing(|| self.place.shares(scope)).await
    }
    async fn invitations(&self) -> Result<Vec<Invitation>, AwsError> {
        self.credentials.renewing(|| self.place.invitations()).await
    }
    async fn create_share(&self, share: &NewShare) -> Result<ShareArn, AwsError> {
        self.credentials.renewing(|| self.place.create_share(share)).await
    }
    async fn set_allows_external(&self, share: &ShareArn, allowed: bool) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.set_allows_external(share, allowed)).await
    }
    async fn retag_share(&self, share: &ShareArn, set: &Tags, remove: &[String]) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.retag_share(share, set, remove)).await
    }
    async fn associate(
        &self,
        share: &ShareArn,
        parts: &ShareParts,
        token: &ClientToken,
    ) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.associate(share, parts, token)).await
    }
    async fn disassociate(&self, share: &ShareArn, parts: &ShareParts) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.disassociate(share, parts)).await
    }
    async fn delete_share(&self, share: &ShareArn) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.delete_share(share)).await
    }
    async fn accept(&self, invitation: &Invitation) -> Result<(), AwsError> {
        self.credentials.renewing(|| self.place.accept(invitation)).await
    }
}

#[async_trait]
impl<P: BalancerPlace> BalancerPlace for Renewing<P> {
    fn place(&self) -> &Place {
        self.place.place()
    }

    async fn balancer(&self, arn: &str) -> Result<Option<Balancer>, AwsError> {
        self.credentials.renewing(|| self.place.balancer(arn)).await
    }
}
