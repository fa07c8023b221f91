//! What a share holds: resources and principals, each coming and going with a delay.

use serde_json::{Value, json};

use super::shares::with_token;
use super::{Asked, Association, Invitation, Kind, Share, refused};
use crate::error::ApiError;
use crate::query::Params;
use crate::service::epoch;
use crate::state::{State, Target};

/// Resources, or principals, of one call (RAM API reference, ResourceShareLimitExceededException: "up to 100
/// resources per call"; of principals it says nothing, so no more are taken).
const MOST_PER_CALL: usize = 100;
const TYPES: [&str; 2] = ["PRINCIPAL", "RESOURCE"];
const STATUSES: [&str; 5] = ["ASSOCIATING", "ASSOCIATED", "FAILED", "DISASSOCIATING", "DISASSOCIATED"];

fn invalid(message: impl Into<String>) -> ApiError {
    refused("InvalidParameterException", message)
}

fn check_count(resources: &[String], principals: &[String]) -> Result<(), ApiError> {
    for (what, count) in [("resources", resources.len()), ("principals", principals.len())] {
        if count > MOST_PER_CALL {
            let message = format!(
                "{count} {what} in one call exceed the limit of {MOST_PER_CALL}. Divide them into several."
            );
            return Err(refused("ResourceShareLimitExceededException", message));
        }
    }
    Ok(())
}

impl State {
    /// The target an ARN names, whoever owns it.
    pub(super) fn target_of(&self, arn: &str) -> Option<&Target> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, "ec2", region, owner, resource] = parts[..] else { return None };
        let id = resource.strip_prefix("traffic-mirror-target/")?;
        let place = (owner.to_owned(), region.to_owned());
        self.spaces.get(&place).filter(|_| partition == self.partition)?.targets.get(id)
    }
}

impl Asked<'_> {
    /// New associations for what is to be added to a share; refuses the whole call if one of them is unfit.
    pub(super) fn entities(
        &mut self,
        share: &Share,
        resources: &[String],
        principals: &[String],
    ) -> Result<Vec<Association>, ApiError> {
        check_count(resources, principals)?;
        let delay = self.delay();
        let mut added: Vec<Association> = Vec::new();
        for (entity, kind) in resources
            .iter()
            .map(|entity| (entity, Kind::Resource))
            .chain(principals.iter().map(|entity| (entity, Kind::Principal)))
        {
            let is_same = |held: &&Association| held.entity == *entity && held.kind == kind;
            let twice = added.iter().any(|held| is_same(&held));
            let held = share.associations.iter().find(is_same);
            let is_free =
                held.is_none_or(|held| matches!(held.status(delay, self.now), "DISASSOCIATED" | "FAILED"));
            if twice || !is_free {
                let message = format!("{entity} is already associated with the share or still leaving it.");
                return Err(refused("InvalidStateTransitionException", message));
            }
            let external = match kind {
                Kind::Resource => {
                    self.check_resource(entity)?;
                    false
                }
                Kind::Principal => self.check_principal(share, entity)?,
            };
            let arn = external.then(|| self.fresh_arn("resource-share-invitation"));
            added.push(Association {
                entity: entity.clone(),
                kind,
                external,
                created: self.now,
                since: self.now,
                is_leaving: false,
                invitation: arn.map(|arn| Invitation { arn, sent: self.now, accepted: false }),
            });
        }
        Ok(added)
    }

    fn check_resource(&self, arn: &str) -> Result<(), ApiError> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, service, region, owner, resource] = parts[..] else {
            return Err(refused("MalformedArnException", format!("The specified ARN {arn} is not valid.")));
        };
        if service != "ec2" || !resource.starts_with("traffic-mirror-target/") {
            return Err(invalid(format!("Resource {arn} is not of a type that can be shared here.")));
        }
        if owner != self.place.0 {
            let message = format!("You are not the owner of resource {arn}.");
            return Err(refused("OperationNotPermittedException", message));
        }
        if region != self.place.1 || self.state.target_of(arn).is_none() {
            return Err(refused("UnknownResourceException", format!("Resource {arn} could not be found.")));
        }
        Ok(())
    }

    /// Whether a principal stands outside; refuses what cannot be a principal.
    fn check_principal(&self, share: &Share, principal: &str) -> Result<bool, ApiError> {
        if principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit()) {
            if !self.state.accounts.contains_key(principal) || *principal == share.owner {
                return Err(invalid(format!("Principal {principal} is not valid.")));
            }
            let external = !self.state.is_inside(&share.owner, principal);
            if external && !share.allow_external {
                let message = format!(
                    "Principal {principal} is external and the share does not allow external principals."
                );
                return Err(refused("OperationNotPermittedException", message));
            }
            return Ok(external);
        }
        if !principal.starts_with(&format!("arn:{}:organizations::", self.state.partition)) {
            let message = format!("Principal {principal} cannot be given a resource of this type.");
            return Err(invalid(message));
        }
        let kind = if principal.contains(":ou/") { "OrganizationalUnit" } else { "Organization" };
        let unknown =
            || refused("UnknownResourceException", format!("{kind} {principal} could not be found."));
        let organization = self.state.organization.as_ref().ok_or_else(unknown)?;
        let partition = &self.state.partition;
        let is_known = organization.own_arn(partition) == principal
            || organization.units.keys().any(|unit| organization.unit_arn(partition, unit) == principal);
        // What AWS says while sharing inside the organization is off, too.
        if is_known && self.state.is_inside(&share.owner, &share.owner) {
            return Ok(false);
        }
        Err(unknown())
    }

    pub(super) fn associate(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let (arn, resources, principals) = self.named(&mut params)?;
        params.finish()?;
        let mut share = self.own_share(&arn)?.clone();
        let added = self.entities(&share, &resources, &principals)?;
        let is_replaced =
            |held: &Association| added.iter().any(|new| new.entity == held.entity && new.kind == held.kind);
        share.associations.retain(|held| !is_replaced(held));
        share.associations.extend(added.clone());
        share.updated = self.now;
        let shapes: Vec<Value> = added.iter().map(|new| self.shape_association(&arn, &share, new)).collect();
        self.state.shares.insert(arn, share);
        Ok(json!({"resourceShareAssociations": shapes}))
    }

    pub(super) fn disassociate(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let (arn, resources, principals) = self.named(&mut params)?;
        params.finish()?;
        check_count(&resources, &principals)?;
        let mut share = self.own_share(&arn)?.clone();
        let (delay, now) = (self.delay(), self.now);
        let mut changed = Vec::new();
        for entity in resources.iter().chain(&principals) {
            let held = share.associations.iter_mut().find(|held| held.entity == *entity);
            let Some(held) = held.filter(|held| held.is_held(delay, now)) else {
                let message = format!("{entity} is not associated with the share.");
                return Err(refused("UnknownResourceException", message));
            };
            held.is_leaving = true;
            held.since = now;
            changed.push(held.clone());
        }
        share.updated = now;
        let shapes: Vec<Value> =
            changed.iter().map(|held| self.shape_association(&arn, &share, held)).collect();
        self.state.shares.insert(arn, share);
        Ok(json!({"resourceShareAssociations": shapes}))
    }

    fn named(&self, params: &mut Params) -> Result<(String, Vec<String>, Vec<String>), ApiError> {
        let arn = params.required("resourceShareArn")?;
        let (resources, principals) = (params.list("resourceArns")?, params.list("principals")?);
        if resources.is_empty() && principals.is_empty() {
            return Err(invalid("Give at least one resource or principal."));
        }
        Ok((arn, resources, principals))
    }

    pub(super) fn associations(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let page = self.page(&mut params)?;
        let kind = params.word("associationType", &TYPES)?;
        let kind = match kind.ok_or_else(|| ApiError::missing("associationType"))?.as_str() {
            "PRINCIPAL" => Kind::Principal,
            _ => Kind::Resource,
        };
        let arns = params.list("resourceShareArns")?;
        let resource = params.text("resourceArn");
        let principal = params.text("principal");
        let status = params.word("associationStatus", &STATUSES)?;
        params.finish()?;
        if (kind == Kind::Principal && resource.is_some()) || (kind == Kind::Resource && principal.is_some())
        {
            return Err(invalid("A resource goes with type RESOURCE, a principal with type PRINCIPAL."));
        }
        for arn in &arns {
            self.check_arn(arn, "resource-share")?;
            if !self.state.shares.get(arn).is_some_and(|share| self.is_visible(share, true)) {
                let message = format!("ResourceShare {arn} could not be found.");
                return Err(refused("UnknownResourceException", message));
            }
        }
        let entity = resource.or(principal);
        let delay = self.delay();
        let mut rows = Vec::new();
        for (arn, share) in &self.state.shares {
            if !self.is_visible(share, true) || !(arns.is_empty() || arns.contains(arn)) {
                continue;
            }
            for held in share.associations.iter().filter(|held| held.kind == kind) {
                let is_asked = entity.as_ref().is_none_or(|entity| *entity == held.entity)
                    && status.as_ref().is_none_or(|status| status == held.status(delay, self.now));
                if is_asked {
                    rows.push((format!("{arn}|{}", held.entity), self.shape_association(arn, share, held)));
                }
            }
        }
        rows.sort_by(|left, right| left.0.cmp(&right.0));
        let (rows, next) = page.cut(rows);
        let shapes: Vec<Value> = rows.into_iter().map(|(_, shape)| shape).collect();
        Ok(with_token(json!({"resourceShareAssociations": shapes}), next))
    }

    pub(super) fn shape_association(&self, arn: &str, share: &Share, held: &Association) -> Value {
        json!({
            "resourceShareArn": arn,
            "resourceShareName": share.name,
            "associatedEntity": held.entity,
            "associationType": if held.kind == Kind::Principal { "PRINCIPAL" } else { "RESOURCE" },
            "status": held.status(self.delay(), self.now),
            "creationTime": epoch(held.created),
            "lastUpdatedTime": epoch(held.since),
            "external": held.external,
        })
    }
}
