//! EC2 in one place: the port [`MirrorPlace`] by plain calls to `describe` and `mirror`.
//!
//! Two clients share one connection pool and one set of credentials; they differ in who repeats a call (see
//! [`crate::retry`]). Nothing here knows fleets.

mod describe;
mod dry_run;
mod mirror;

use std::collections::BTreeSet;

use async_trait::async_trait;
use enigma_fleet::actions::Resource;
use enigma_fleet::ids::{FilterId, FilterRuleId, Place, SessionId, TargetId};
use enigma_fleet::inventory::{
    Destination, FilterRule, Instance, Interface, MirrorFilter, MirrorSession, MirrorTarget, Subnet, Tags,
};
use enigma_reconcile::ports::{
    AwsError, ClientToken, DryRun, InterfaceScope, MirrorPlace, MirrorScope, NewSession, Refusal,
    SessionPatch,
};

use crate::retry;

/// EC2 of one account in one Region.
pub(crate) struct Ec2Place {
    place: Place,
    /// Retries throttled calls by itself.
    reads: aws_sdk_ec2::Client,
    /// Tries once.
    writes: aws_sdk_ec2::Client,
}

impl Ec2Place {
    /// `config` carries credentials, Region, endpoint, retries and timeouts.
    pub(crate) fn new(place: Place, config: aws_sdk_ec2::config::Builder) -> Self {
        let patient = config.clone().interceptor(retry::GivesUpOnSilence);
        let reads = aws_sdk_ec2::Client::from_conf(patient.build());
        let once = config.retry_config(retry::once()).timeout_config(retry::write_timeouts());
        let writes = aws_sdk_ec2::Client::from_conf(once.build());
        Self { place, reads, writes }
    }
}

#[async_trait]
impl MirrorPlace for Ec2Place {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn interfaces(&self, scope: &InterfaceScope) -> Result<Vec<Interface>, AwsError> {
        self.read_interfaces(scope).await
    }
    async fn instances(&self) -> Result<Vec<Instance>, AwsError> {
        self.read_instances().await
    }
    async fn subnets(&self) -> Result<Vec<Subnet>, AwsError> {
        self.read_subnets().await
    }
    async fn targets(&self, scope: &MirrorScope) -> Result<Vec<MirrorTarget>, AwsError> {
        self.read_targets(scope).await
    }
    async fn visible_targets(&self, ids: &BTreeSet<TargetId>) -> Result<BTreeSet<TargetId>, AwsError> {
        self.read_visible(ids).await
    }
    async fn filters(&self, scope: &MirrorScope) -> Result<Vec<MirrorFilter>, AwsError> {
        self.read_filters(scope).await
    }
    async fn sessions(&self, scope: &MirrorScope) -> Result<Vec<MirrorSession>, AwsError> {
        self.read_sessions(scope).await
    }

    async fn create_target(
        &self,
        destination: &Destination,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<TargetId, AwsError> {
        self.make_target(destination, description, tags, token).await
    }
    async fn delete_target(&self, id: &TargetId) -> Result<(), AwsError> {
        self.drop_target(id).await
    }
    async fn create_filter(
        &self,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterId, AwsError> {
        self.make_filter(description, tags, token).await
    }
    async fn set_amazon_dns(&self, id: &FilterId, enabled: bool) -> Result<(), AwsError> {
        self.switch_amazon_dns(id, enabled).await
    }
    async fn delete_filter(&self, id: &FilterId) -> Result<(), AwsError> {
        self.drop_filter(id).await
    }
    async fn create_rule(
        &self,
        filter: &FilterId,
        rule: &FilterRule,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterRuleId, AwsError> {
        self.make_rule(filter, rule, tags, token).await
    }
    async fn modify_rule(
        &self,
        id: &FilterRuleId,
        before: &FilterRule,
        after: &FilterRule,
    ) -> Result<(), AwsError> {
        self.change_rule(id, before, after).await
    }
    async fn delete_rule(&self, id: &FilterRuleId) -> Result<(), AwsError> {
        self.drop_rule(id).await
    }
    async fn create_session(&self, session: &NewSession) -> Result<SessionId, AwsError> {
        self.make_session(session).await
    }
    async fn modify_session(&self, id: &SessionId, patch: &SessionPatch) -> Result<(), AwsError> {
        self.change_session(id, patch).await
    }
    async fn delete_session(&self, id: &SessionId) -> Result<(), AwsError> {
        self.drop_session(id).await
    }
    async fn retag(&self, resource: &Resource, set: &Tags, remove: &[String]) -> Result<(), AwsError> {
        self.change_tags(resource, set, remove).await
    }
    async fn try_out(&self, write: &DryRun) -> Result<Option<Refusal>, AwsError> {
        self.judged(write).await
    }
}
