//! Shares themselves: create, update, delete, tag, list.

use serde_json::{Value, json};

use super::{Asked, Association, Kind, Share, refused};
use crate::error::ApiError;
use crate::page::{Page, SHARING};
use crate::query::Params;
use crate::service::epoch;
use crate::tag::{self, Tags};

const STATUSES: [&str; 5] = ["PENDING", "ACTIVE", "FAILED", "DELETING", "DELETED"];
pub(super) const OWNERS: [&str; 2] = ["SELF", "OTHER-ACCOUNTS"];

/// `tags.N.key` and `.value`, within EC2's limits, which are those of all services.
fn read_tags(params: &mut Params) -> Result<Tags, ApiError> {
    let mut given = Vec::new();
    for index in params.indexes("tags")? {
        let key = params.required(&format!("tags.{index}.key"))?;
        given.push((key, params.text(&format!("tags.{index}.value"))));
    }
    tag::check(given)
}

impl Asked<'_> {
    /// Reads the parameters of a page.
    pub(super) fn page(&self, params: &mut Params) -> Result<Page, ApiError> {
        let scope = format!("{}/{}/{}", self.place.0, self.place.1, self.action);
        let begins_empty = self.state.organization.as_ref().is_some_and(|own| own.empty_pages);
        Ok(Page::read(params, SHARING, &scope)?.after_an_empty_one(begins_empty))
    }

    pub(super) fn create(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let name = params.required("name")?;
        let resources = params.list("resourceArns")?;
        let principals = params.list("principals")?;
        let allow_external =
            params.word("allowExternalPrincipals", &["false", "true"])?.is_none_or(|flag| flag == "true");
        let tags = read_tags(&mut params)?;
        params.finish()?;
        let arn = self.fresh_arn("resource-share");
        let share = Share {
            name,
            owner: self.place.0.clone(),
            region: self.place.1.clone(),
            allow_external,
            tags,
            created: self.now,
            updated: self.now,
            deleted: None,
            associations: Vec::new(),
        };
        let added = self.entities(&share, &resources, &principals)?;
        self.state.shares.insert(arn.clone(), Share { associations: added, ..share });
        Ok(json!({"resourceShare": self.shape(&arn, &self.state.shares[&arn], true)}))
    }

    pub(super) fn update(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let arn = params.required("resourceShareArn")?;
        let name = params.text("name");
        let allow_external =
            params.word("allowExternalPrincipals", &["false", "true"])?.map(|flag| flag == "true");
        params.finish()?;
        let mut share = self.own_share(&arn)?.clone();
        self.check_insiders(&share, allow_external)?;
        share.allow_external = allow_external.unwrap_or(share.allow_external);
        share.name = name.unwrap_or(share.name);
        share.updated = self.now;
        self.state.shares.insert(arn.clone(), share);
        Ok(json!({"resourceShare": self.shape(&arn, &self.state.shares[&arn], true)}))
    }

    /// What RAM makes of external principals in a share that is to forbid them is not on record; refusing is the strict side.
    fn check_insiders(&self, share: &Share, allow_external: Option<bool>) -> Result<(), ApiError> {
        let delay = self.delay();
        let is_outside = |held: &&Association| held.external && held.is_held(delay, self.now);
        match share.associations.iter().find(is_outside).filter(|_| allow_external == Some(false)) {
            Some(held) => {
                let message = format!(
                    "Principal {} is external; disassociate it before external principals are forbidden.",
                    held.entity
                );
                Err(refused("OperationNotPermittedException", message))
            }
            None => Ok(()),
        }
    }

    pub(super) fn delete(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let arn = params.required("resourceShareArn")?;
        params.finish()?;
        let mut share = self.own_share(&arn)?.clone();
        share.deleted = Some(self.now);
        share.updated = self.now;
        for association in share.associations.iter_mut().filter(|association| !association.is_leaving) {
            association.is_leaving = true;
            association.since = self.now;
        }
        self.state.shares.insert(arn, share);
        Ok(json!({"returnValue": true}))
    }

    /// The share to tag. `resourceArn` would be that of a managed permission, which nobody makes here.
    fn tagged(&mut self, params: &mut Params) -> Result<(String, Share), ApiError> {
        let arn = params.required("resourceShareArn")?;
        let share = self.own_share(&arn)?.clone();
        Ok((arn, share))
    }

    pub(super) fn tag(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let (arn, mut share) = self.tagged(&mut params)?;
        let tags = read_tags(&mut params)?;
        params.finish()?;
        share.tags.extend(tags);
        tag::limit(&share.tags).map_err(|error| refused("TagLimitExceededException", error.message))?;
        self.state.shares.insert(arn, share);
        Ok(json!({}))
    }

    pub(super) fn untag(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let (arn, mut share) = self.tagged(&mut params)?;
        let keys = params.list("tagKeys")?;
        params.finish()?;
        share.tags.retain(|key, _| !keys.contains(key));
        self.state.shares.insert(arn, share);
        Ok(json!({}))
    }

    pub(super) fn shares(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let page = self.page(&mut params)?;
        let owner = params.word("resourceOwner", &OWNERS)?;
        let is_own = owner.ok_or_else(|| ApiError::missing("resourceOwner"))? == "SELF";
        let arns = params.list("resourceShareArns")?;
        let status = params.word("resourceShareStatus", &STATUSES)?;
        let name = params.text("name");
        let mut tags = Vec::new();
        // AWS says of a filter that its values are alternatives, and nothing of several filters: more comes back if
        // they are, too.
        for index in params.indexes("tagFilters")? {
            let key = params.required(&format!("tagFilters.{index}.tagKey"))?;
            tags.push((key, params.list(&format!("tagFilters.{index}.tagValues"))?));
        }
        params.finish()?;
        let delay = self.delay();
        for arn in &arns {
            self.check_arn(arn, "resource-share")?;
            let is_known = self.state.shares.get(arn).is_some_and(|share| self.is_visible(share, is_own));
            if !is_known {
                let message = format!("ResourceShare {arn} could not be found.");
                return Err(refused("UnknownResourceException", message));
            }
        }
        let passes = |(arn, share): &(&String, &Share)| {
            let has = |(key, values): &(String, Vec<String>)| {
                share.tags.get(key).is_some_and(|value| values.is_empty() || values.contains(value))
            };
            self.is_visible(share, is_own)
                && (arns.is_empty() || arns.contains(arn))
                && status.as_ref().is_none_or(|status| status == share.status(delay, self.now))
                && name.as_ref().is_none_or(|name| *name == share.name)
                && (tags.is_empty() || tags.iter().any(has))
        };
        let rows = self.state.shares.iter().filter(passes).map(|(arn, share)| (arn.clone(), share)).collect();
        let (rows, next) = page.cut(rows);
        let shapes: Vec<Value> = rows.iter().map(|(arn, share)| self.shape(arn, share, is_own)).collect();
        Ok(with_token(json!({"resourceShares": shapes}), next))
    }

    /// Whether a share is one of the caller's, or of others and open to the caller.
    pub(super) fn is_visible(&self, share: &Share, is_own: bool) -> bool {
        share.region == self.place.1
            && if is_own {
                share.owner == self.place.0
            } else {
                self.state.is_open_to(share, &self.place.0, self.now)
            }
    }

    fn shape(&self, arn: &str, share: &Share, with_tags: bool) -> Value {
        let mut shape = json!({
            "resourceShareArn": arn,
            "name": share.name,
            "owningAccountId": share.owner,
            "allowExternalPrincipals": share.allow_external,
            "status": share.status(self.delay(), self.now),
            "creationTime": epoch(share.created),
            "lastUpdatedTime": epoch(share.updated),
            "featureSet": "STANDARD",
        });
        if with_tags {
            let tags = share.tags.iter().map(|(key, value)| json!({"key": key, "value": value}));
            shape["tags"] = tags.collect();
        }
        shape
    }

    pub(super) fn resources(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let page = self.page(&mut params)?;
        let owner = params.word("resourceOwner", &OWNERS)?;
        let is_own = owner.ok_or_else(|| ApiError::missing("resourceOwner"))? == "SELF";
        let kind = params.text("resourceType");
        let principal = params.text("principal");
        let arns = params.list("resourceArns")?;
        let of = params.list("resourceShareArns")?;
        params.text("resourceRegionScope");
        params.finish()?;
        if let Some(kind) = kind.filter(|kind| kind != super::RESOURCE_TYPE) {
            let message = format!("The resource type {kind} is not simulated.");
            return Err(refused("InvalidResourceTypeException", message));
        }
        let delay = self.delay();
        let mut rows = Vec::new();
        for (share_arn, share) in &self.state.shares {
            let held = |entity: &String| {
                share.associations.iter().any(|association| {
                    association.kind == Kind::Principal
                        && association.entity == *entity
                        && association.is_held(delay, self.now)
                })
            };
            let asked = (of.is_empty() || of.contains(share_arn))
                && principal.as_ref().is_none_or(|principal| share.owner == *principal || held(principal));
            if !asked || share.deleted.is_some() || !self.is_visible(share, is_own) {
                continue;
            }
            for association in &share.associations {
                let status = association.status(delay, self.now);
                // A consumer sees a resource once it is there, the owner as soon as it is on its way.
                let is_there = status == "ASSOCIATED" || (is_own && status == "ASSOCIATING");
                let is_asked = arns.is_empty() || arns.contains(&association.entity);
                let is_resource = association.kind == Kind::Resource;
                if is_there && is_asked && is_resource && self.state.target_of(&association.entity).is_some()
                {
                    let key = format!("{}|{share_arn}", association.entity);
                    rows.push((
                        key,
                        (association.entity.clone(), share_arn.clone(), status, association.since),
                    ));
                }
            }
        }
        rows.sort_by(|left, right| left.0.cmp(&right.0));
        let (rows, next) = page.cut(rows);
        let shape = |(arn, share, status, since): &(String, String, &str, jiff::Timestamp)| {
            json!({
                "arn": arn,
                "type": super::RESOURCE_TYPE,
                "resourceShareArn": share,
                "status": if *status == "ASSOCIATED" { "AVAILABLE" } else { "PENDING" },
                "creationTime": epoch(*since),
                "lastUpdatedTime": epoch(*since),
                "resourceRegionScope": "REGIONAL",
            })
        };
        let shapes: Vec<Value> = rows.iter().map(|(_, row)| shape(row)).collect();
        Ok(with_token(json!({"resources": shapes}), next))
    }
}

/// A reply with the token of the next page, if there is one.
pub(super) fn with_token(mut reply: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        reply["nextToken"] = Value::String(next);
    }
    reply
}
