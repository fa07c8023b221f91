//! RAM in one place: the port [`SharePlace`]. <https://docs.aws.amazon.com/ram/latest/APIReference/>
//!
//! RAM names everything by ARN and is regional. Each write is tried once. What would not end in the same state when
//! it is repeated carries the caller's client token: creates and additions. Knows nothing of what is shared beyond
//! mirror targets.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ram::types::{
    self as sdk, ResourceOwner, ResourceShareAssociationStatus as SdkStatus, ResourceShareAssociationType,
    ResourceShareInvitationStatus, ResourceShareStatus,
};
use enigma_fleet::ids::{Place, ShareArn, TargetId};
use enigma_fleet::inventory::{AssociationStatus, ResourceShare, Tags};
use enigma_fleet::partition::Partition;
use enigma_reconcile::ports::{
    AwsError, ClientToken, ErrorKind, Invitation, MirrorScope, NewShare, ShareParts, SharePlace,
};
use tracing::warn;

use crate::errors::{gone_is_done, local, translate};
use crate::retry;

/// Entries of a page: the most that RAM gives.
/// <https://docs.aws.amazon.com/ram/latest/APIReference/API_GetResourceShares.html>
const PAGE: i32 = 500;
/// Shares whose associations are asked for in one call. AWS documents no bound; this keeps requests small.
const SHARES_AT_ONCE: usize = 50;

/// RAM of one account in one Region.
pub(crate) struct RamPlace {
    place: Place,
    /// Retries throttled calls by itself.
    reads: aws_sdk_ram::Client,
    /// Tries once.
    writes: aws_sdk_ram::Client,
}

impl RamPlace {
    /// `config` carries credentials, Region, endpoint, retries and timeouts.
    pub(crate) fn new(place: Place, config: aws_sdk_ram::config::Builder) -> Self {
        let patient = config.clone().interceptor(retry::GivesUpOnSilence);
        let reads = aws_sdk_ram::Client::from_conf(patient.build());
        let once = config.retry_config(retry::once()).timeout_config(retry::write_timeouts());
        let writes = aws_sdk_ram::Client::from_conf(once.build());
        Self { place, reads, writes }
    }

    /// What RAM calls a target of this place.
    fn target_arn(&self, target: &TargetId) -> String {
        let Place { account, region } = &self.place;
        format!(
            "arn:{}:ec2:{region}:{account}:traffic-mirror-target/{target}",
            Partition::of(region).as_str()
        )
    }

    fn target_arns(&self, targets: &BTreeSet<TargetId>) -> Option<Vec<String>> {
        (!targets.is_empty()).then(|| targets.iter().map(|target| self.target_arn(target)).collect())
    }

    /// Every principal or resource of these shares, by share.
    async fn associations(
        &self,
        of: ResourceShareAssociationType,
        arns: &[String],
    ) -> Result<BTreeMap<String, Vec<(String, AssociationStatus)>>, AwsError> {
        let operation = "GetResourceShareAssociations";
        let mut found: BTreeMap<String, Vec<(String, AssociationStatus)>> = BTreeMap::new();
        for arns in arns.chunks(SHARES_AT_ONCE) {
            let call = self.reads.get_resource_share_associations().association_type(of.clone());
            let call = call.set_resource_share_arns(Some(arns.to_vec())).max_results(PAGE);
            let mut pages = call.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|e| translate(Some(&self.place), operation, &e))?;
                for one in page.resource_share_associations() {
                    let (Some(share), Some(entity)) = (one.resource_share_arn(), one.associated_entity())
                    else {
                        continue;
                    };
                    let status = one.status().map_or(AssociationStatus::Associating, status);
                    let of_share = found.entry(share.to_owned()).or_default();
                    // RAM may still show an earlier association of the same entity, long over.
                    match of_share.iter_mut().find(|(known, _)| known == entity) {
                        Some((_, known)) if !known.is_held() => *known = status,
                        Some(_) => {}
                        None => of_share.push((entity.to_owned(), status)),
                    }
                }
            }
        }
        Ok(found)
    }

    /// Whether a share is gone, or about to go. Part of a write, so that it is tried once as well.
    async fn is_deleted(&self, share: &ShareArn) -> Result<bool, AwsError> {
        let call = self.writes.get_resource_shares().resource_owner(ResourceOwner::SelfValue);
        let reply = call.resource_share_arns(share.as_str()).send().await;
        match reply.map_err(|e| translate(Some(&self.place), "GetResourceShares", &e)) {
            Ok(reply) => Ok(reply.resource_shares().iter().all(is_over)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn is_over(share: &sdk::ResourceShare) -> bool {
    matches!(share.status(), Some(ResourceShareStatus::Deleted | ResourceShareStatus::Deleting))
}

/// What RAM says, in our words. Unknown words, which AWS may add, count as "on its way": nothing is done about them.
fn status(status: &SdkStatus) -> AssociationStatus {
    match status {
        SdkStatus::Associated => AssociationStatus::Associated,
        SdkStatus::Disassociated => AssociationStatus::Disassociated,
        SdkStatus::Disassociating => AssociationStatus::Disassociating,
        SdkStatus::Failed => AssociationStatus::Failed,
        SdkStatus::Suspended | SdkStatus::Suspending => AssociationStatus::Suspended,
        _ => AssociationStatus::Associating,
    }
}

/// The target that an ARN names, if it is one.
fn target_of(arn: &str) -> Option<TargetId> {
    arn.splitn(6, ':').nth(5)?.strip_prefix("traffic-mirror-target/")?.parse().ok()
}

fn principals(parts: &ShareParts) -> Option<Vec<String>> {
    (!parts.principals.is_empty()).then(|| parts.principals.iter().cloned().collect())
}

fn sdk_tags(tags: &Tags) -> Vec<sdk::Tag> {
    tags.iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build()).collect()
}

#[async_trait]
impl SharePlace for RamPlace {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn shares(&self, scope: &MirrorScope) -> Result<Vec<ResourceShare>, AwsError> {
        let operation = "GetResourceShares";
        let filter = match scope {
            MirrorScope::All => None,
            // Without values any is meant: <https://docs.aws.amazon.com/ram/latest/APIReference/API_TagFilter.html>
            MirrorScope::HasTag { key } => Some(vec![sdk::TagFilter::builder().tag_key(key).build()]),
            MirrorScope::Tagged { key, value } => {
                Some(vec![sdk::TagFilter::builder().tag_key(key).tag_values(value).build()])
            }
        };
        let call = self.reads.get_resource_shares().resource_owner(ResourceOwner::SelfValue);
        let mut pages = call.set_tag_filters(filter).max_results(PAGE).into_paginator().send();
        let mut shares = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| translate(Some(&self.place), operation, &e))?;
            for share in page.resource_shares() {
                // RAM lists deleted shares for a while.
                if is_over(share) {
                    continue;
                }
                let Some(arn) = share.resource_share_arn().and_then(|arn| arn.parse::<ShareArn>().ok())
                else {
                    warn!(place = %self.place, arn = share.resource_share_arn(), "left out a share whose ARN is not one");
                    continue;
                };
                let tags = share.tags().iter().filter_map(|tag| {
                    Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))
                });
                let share = ResourceShare {
                    arn: arn.clone(),
                    name: share.name().unwrap_or_default().to_owned(),
                    status: share.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
                    allows_external: share.allow_external_principals().unwrap_or(true),
                    tags: tags.collect(),
                    principals: BTreeMap::new(),
                    targets: BTreeMap::new(),
                    other_resources: Vec::new(),
                };
                shares.insert(arn.to_string(), share);
            }
        }
        if shares.is_empty() {
            return Ok(Vec::new());
        }
        let arns: Vec<String> = shares.keys().cloned().collect();
        let (principals, resources) = tokio::try_join!(
            self.associations(ResourceShareAssociationType::Principal, &arns),
            self.associations(ResourceShareAssociationType::Resource, &arns),
        )?;
        for (arn, all) in principals {
            if let Some(share) = shares.get_mut(&arn) {
                share.principals.extend(all);
            }
        }
        for (arn, all) in resources {
            let Some(share) = shares.get_mut(&arn) else { continue };
            for (entity, status) in all {
                match target_of(&entity) {
                    Some(target) => drop(share.targets.insert(target, status)),
                    None if status.is_held() => share.other_resources.push(entity),
                    None => {}
                }
            }
        }
        Ok(shares.into_values().collect())
    }

    async fn invitations(&self) -> Result<Vec<Invitation>, AwsError> {
        let operation = "GetResourceShareInvitations";
        let mut pages = self.reads.get_resource_share_invitations().max_results(PAGE).into_paginator().send();
        let mut pending = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| translate(Some(&self.place), operation, &e))?;
            pending.extend(page.resource_share_invitations().iter().filter_map(|one| {
                (one.status() == Some(&ResourceShareInvitationStatus::Pending)).then_some(())?;
                Some(Invitation {
                    arn: one.resource_share_invitation_arn()?.to_owned(),
                    share: one.resource_share_arn()?.parse().ok()?,
                    sender: one.sender_account_id()?.parse().ok()?,
                })
            }));
        }
        Ok(pending)
    }

    async fn create_share(&self, new: &NewShare) -> Result<ShareArn, AwsError> {
        let operation = "CreateResourceShare";
        let tags = sdk_tags(&new.tags);
        let reply = self
            .writes
            .create_resource_share()
            .name(&new.name)
            .set_principals(principals(&new.parts))
            .set_resource_arns(self.target_arns(&new.parts.targets))
            .allow_external_principals(new.allows_external)
            .set_tags((!tags.is_empty()).then_some(tags))
            .client_token(&new.token.0)
            .send()
            .await
            .map_err(|e| translate(Some(&self.place), operation, &e))?;
        let arn = reply.resource_share().and_then(|share| share.resource_share_arn());
        arn.and_then(|arn| arn.parse().ok()).ok_or_else(|| {
            // The share exists, so this is reported like a lost reply.
            let message = format!("AWS reported success with the ARN {arn:?}, which is not that of a share");
            local(Some(&self.place), operation, ErrorKind::NoReply, "(unreadable reply)", message)
        })
    }

    async fn set_allows_external(&self, share: &ShareArn, allowed: bool) -> Result<(), AwsError> {
        self.writes
            .update_resource_share()
            .resource_share_arn(share.as_str())
            .allow_external_principals(allowed)
            .send()
            .await
            .map(drop)
            .map_err(|e| translate(Some(&self.place), "UpdateResourceShare", &e))
    }

    /// Sets before it removes, so that a share never lacks its ownership tag.
    async fn retag_share(&self, share: &ShareArn, set: &Tags, remove: &[String]) -> Result<(), AwsError> {
        if !set.is_empty() {
            let call = self.writes.tag_resource().resource_share_arn(share.as_str());
            let reply = call.set_tags(Some(sdk_tags(set))).send().await;
            reply.map_err(|e| translate(Some(&self.place), "TagResource", &e))?;
        }
        if !remove.is_empty() {
            let call = self.writes.untag_resource().resource_share_arn(share.as_str());
            let reply = call.set_tag_keys(Some(remove.to_vec())).send().await;
            reply.map_err(|e| translate(Some(&self.place), "UntagResource", &e))?;
        }
        Ok(())
    }

    async fn associate(
        &self,
        share: &ShareArn,
        parts: &ShareParts,
        token: &ClientToken,
    ) -> Result<(), AwsError> {
        self.writes
            .associate_resource_share()
            .resource_share_arn(share.as_str())
            .set_principals(principals(parts))
            .set_resource_arns(self.target_arns(&parts.targets))
            .client_token(&token.0)
            .send()
            .await
            .map(drop)
            .map_err(|e| translate(Some(&self.place), "AssociateResourceShare", &e))
    }

    async fn disassociate(&self, share: &ShareArn, parts: &ShareParts) -> Result<(), AwsError> {
        self.writes
            .disassociate_resource_share()
            .resource_share_arn(share.as_str())
            .set_principals(principals(parts))
            .set_resource_arns(self.target_arns(&parts.targets))
            .send()
            .await
            .map(drop)
            .map_err(|e| translate(Some(&self.place), "DisassociateResourceShare", &e))
    }

    async fn delete_share(&self, share: &ShareArn) -> Result<(), AwsError> {
        let call = self.writes.delete_resource_share().resource_share_arn(share.as_str());
        let deleted = gone_is_done(async {
            call.send().await.map(drop).map_err(|e| translate(Some(&self.place), "DeleteResourceShare", &e))
        });
        match deleted.await {
            // RAM keeps what was deleted in sight for a while, and then calls a delete a change of state that is none.
            Err(error) if error.kind == ErrorKind::Changing && self.is_deleted(share).await? => Ok(()),
            other => other,
        }
    }

    async fn accept(&self, invitation: &Invitation) -> Result<(), AwsError> {
        let call = self.writes.accept_resource_share_invitation();
        let call = call.resource_share_invitation_arn(&invitation.arn);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = translate(Some(&self.place), "AcceptResourceShareInvitation", &error);
                // Accepted already, perhaps by a person in the meantime.
                if error.kind == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_arns_of_their_partition() {
        let http = aws_sdk_ram::Config::builder().behavior_version_latest();
        for (place, arn) in [
            ("us-east-1", "arn:aws:ec2:us-east-1:111111111111:traffic-mirror-target/tmt-0123456789abcdef0"),
            (
                "cn-north-1",
                "arn:aws-cn:ec2:cn-north-1:111111111111:traffic-mirror-target/tmt-0123456789abcdef0",
            ),
            (
                "us-gov-west-1",
                "arn:aws-us-gov:ec2:us-gov-west-1:111111111111:traffic-mirror-target/tmt-0123456789abcdef0",
            ),
        ] {
            let place = Place { account: "111111111111".parse().unwrap(), region: place.parse().unwrap() };
            let target: TargetId = "tmt-0123456789abcdef0".parse().unwrap();
            assert_eq!(RamPlace::new(place, http.clone()).target_arn(&target), arn);
            assert_eq!(target_of(arn), Some(target));
        }
        assert_eq!(target_of("arn:aws:ec2:us-east-1:111111111111:subnet/subnet-0123456789abcdef0"), None);
        assert_eq!(target_of("tmt-0123456789abcdef0"), None);
    }
}
