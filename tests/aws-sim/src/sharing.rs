//! Resource access manager: who may use whose mirror targets.
//!
//! <https://docs.aws.amazon.com/ram/latest/APIReference/>. Shares are regional. What an account may use follows at
//! each call from associations, membership and invitations, so that an account that leaves its unit loses access
//! without any call. Sessions that exist stay: what AWS does to them is not on record.

mod associations;
mod invitations;
mod shares;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::error::ApiError;
use crate::query::Params;
use crate::state::{Place, State, Target};
use crate::tag::Tags;

/// The only kind of resource that can be shared here, as ListResources names it.
pub(crate) const RESOURCE_TYPE: &str = "ec2:TrafficMirrorTarget";
/// An invitation nobody accepts ends: after seven days for mirror targets, after twelve hours for most other kinds
/// (RAM user guide, "Accepting and rejecting resource share invitations").
const INVITATION_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The calls that take a client token.
const TAKES_TOKEN: [&str; 6] = [
    "AcceptResourceShareInvitation",
    "AssociateResourceShare",
    "CreateResourceShare",
    "DeleteResourceShare",
    "DisassociateResourceShare",
    "UpdateResourceShare",
];

/// A resource share.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) region: String,
    pub(crate) allow_external: bool,
    pub(crate) tags: Tags,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// When DeleteResourceShare was called.
    pub(crate) deleted: Option<Timestamp>,
    /// The latest association of each entity, in the order they were made.
    pub(crate) associations: Vec<Association>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Principal,
    Resource,
}

/// One resource or principal of a share.
#[derive(Debug, Clone)]
pub(crate) struct Association {
    /// An ARN or an account id.
    pub(crate) entity: String,
    pub(crate) kind: Kind,
    /// Whether the principal is outside the owner's organization, or sharing inside it is off.
    pub(crate) external: bool,
    pub(crate) created: Timestamp,
    /// When it began to take or lose effect.
    pub(crate) since: Timestamp,
    pub(crate) is_leaving: bool,
    /// What an external account has to accept first.
    pub(crate) invitation: Option<Invitation>,
}

#[derive(Debug, Clone)]
pub(crate) struct Invitation {
    pub(crate) arn: String,
    pub(crate) sent: Timestamp,
    pub(crate) accepted: bool,
}

impl Invitation {
    fn status(&self, now: Timestamp) -> &'static str {
        match self.accepted {
            true => "ACCEPTED",
            false if now.duration_since(self.sent) >= INVITATION_LIFE => "EXPIRED",
            false => "PENDING",
        }
    }
}

impl Association {
    /// AWS's status at a time, `delay` being how long a change takes.
    fn status(&self, delay: SignedDuration, now: Timestamp) -> &'static str {
        let is_done = now.duration_since(self.since) >= delay;
        match (&self.invitation, self.is_leaving) {
            (_, true) if is_done => "DISASSOCIATED",
            (_, true) => "DISASSOCIATING",
            (Some(invitation), false) if !invitation.accepted => match invitation.status(now) {
                "EXPIRED" => "FAILED",
                _ => "ASSOCIATING",
            },
            (_, false) if is_done => "ASSOCIATED",
            (_, false) => "ASSOCIATING",
        }
    }

    /// Whether the entity is part of the share: coming, there, or waiting to be accepted.
    fn is_held(&self, delay: SignedDuration, now: Timestamp) -> bool {
        matches!(self.status(delay, now), "ASSOCIATED" | "ASSOCIATING")
    }
}

impl Share {
    fn status(&self, delay: SignedDuration, now: Timestamp) -> &'static str {
        match self.deleted {
            None => "ACTIVE",
            Some(at) if now.duration_since(at) >= delay => "DELETED",
            Some(_) => "DELETING",
        }
    }
}

impl State {
    fn share_delay(&self) -> SignedDuration {
        SignedDuration::from_millis(i64::try_from(self.rules.sharing_milliseconds).unwrap_or(i64::MAX))
    }

    /// Whether two accounts share without invitations.
    fn is_inside(&self, owner: &str, consumer: &str) -> bool {
        let is_member = |id: &str| self.accounts.get(id).is_some_and(|account| account.parent.is_some());
        let is_on = self.organization.as_ref().is_some_and(|organization| organization.sharing);
        is_on && is_member(owner) && is_member(consumer)
    }

    /// Whether a principal of a share stands for an account.
    fn covers(&self, share: &Share, association: &Association, account: &str) -> bool {
        if association.external {
            return association.entity == account;
        }
        // Inside the organization access lasts as long as both are members of it.
        if account == share.owner || !self.is_inside(&share.owner, account) {
            return false;
        }
        let Some(organization) = &self.organization else { return false };
        let Some(parent) = self.accounts.get(account).and_then(|account| account.parent.as_ref()) else {
            return false;
        };
        association.entity == account
            || association.entity == organization.own_arn(&self.partition)
            || association
                .entity
                .rsplit_once('/')
                .is_some_and(|(_, unit)| unit.starts_with("ou-") && organization.is_above(unit, parent))
    }

    /// Whether a share gives an account what is in it.
    fn is_open_to(&self, share: &Share, account: &str, now: Timestamp) -> bool {
        let delay = self.share_delay();
        share.deleted.is_none()
            && share.associations.iter().any(|association| {
                association.kind == Kind::Principal
                    && association.status(delay, now) == "ASSOCIATED"
                    && self.covers(share, association, account)
            })
    }

    /// Targets of others that an account may use in a Region: owner, id, target.
    pub(crate) fn targets_shared_with(
        &self,
        place: &Place,
        now: Timestamp,
    ) -> Vec<(&String, String, &Target)> {
        let delay = self.share_delay();
        let mut found = std::collections::BTreeMap::new();
        for share in self.shares.values() {
            if share.region != place.1 || !self.is_open_to(share, &place.0, now) {
                continue;
            }
            for association in &share.associations {
                let is_there =
                    association.kind == Kind::Resource && association.status(delay, now) == "ASSOCIATED";
                let Some((_, id)) = association.entity.rsplit_once('/').filter(|_| is_there) else {
                    continue;
                };
                let owner = (share.owner.clone(), share.region.clone());
                if let Some(target) = self.spaces.get(&owner).and_then(|space| space.targets.get(id)) {
                    found.insert(id.to_owned(), (&share.owner, target));
                }
            }
        }
        found.into_iter().map(|(id, (owner, target))| (owner, id, target)).collect()
    }
}

/// A resource share as an onlooker sees it who may look into every account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedView {
    /// ARN of the share.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The account that made it.
    pub owner: String,
    /// Its Region.
    pub region: String,
    /// Its tags.
    pub tags: Tags,
    /// Principals that are in it or on their way in, in order.
    pub principals: Vec<String>,
    /// Resources likewise.
    pub resources: Vec<String>,
}

impl State {
    /// Shares that have not been deleted.
    pub(crate) fn shares_seen(&self, now: Timestamp) -> Vec<SharedView> {
        let delay = self.share_delay();
        let alive = self.shares.iter().filter(|(_, share)| share.deleted.is_none());
        let view = |(arn, share): (&String, &Share)| {
            let held = |kind: Kind| {
                let mut held: Vec<String> = share
                    .associations
                    .iter()
                    .filter(|association| association.kind == kind && association.is_held(delay, now))
                    .map(|association| association.entity.clone())
                    .collect();
                held.sort();
                held
            };
            SharedView {
                arn: arn.clone(),
                name: share.name.clone(),
                owner: share.owner.clone(),
                region: share.region.clone(),
                tags: share.tags.clone(),
                principals: held(Kind::Principal),
                resources: held(Kind::Resource),
            }
        };
        alive.map(view).collect()
    }
}

/// Carries out one call.
pub(crate) fn answer(
    state: &mut State,
    place: &Place,
    action: &str,
    mut params: Params,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let token = if TAKES_TOKEN.contains(&action) { params.text("clientToken") } else { None };
    let fingerprint = format!("{action} {:?}", params.pairs());
    let key = token.clone().map(|token| (place.clone(), token));
    if let Some((first, reply)) = key.as_ref().and_then(|key| state.share_tokens.get(key)) {
        if *first == fingerprint {
            return Ok(reply.clone());
        }
        let message = "The client token was used with other parameters before.";
        return Err(ApiError::new("IdempotentParameterMismatchException", message));
    }
    let mut asked = Asked { state, place, now, action };
    let mut reply = match action {
        "AcceptResourceShareInvitation" => asked.accept(params),
        "AssociateResourceShare" => asked.associate(params),
        "CreateResourceShare" => asked.create(params),
        "DeleteResourceShare" => asked.delete(params),
        "DisassociateResourceShare" => asked.disassociate(params),
        "GetResourceShareAssociations" => asked.associations(params),
        "GetResourceShareInvitations" => asked.invitations(params),
        "GetResourceShares" => asked.shares(params),
        "ListResources" => asked.resources(params),
        "TagResource" => asked.tag(params),
        "UntagResource" => asked.untag(params),
        "UpdateResourceShare" => asked.update(params),
        _ => Err(ApiError::new("UnknownOperationException", format!("{action} is not simulated"))),
    }?;
    if let (Some(token), Some(key)) = (token, key) {
        reply["clientToken"] = Value::String(token);
        state.share_tokens.insert(key, (fingerprint, reply.clone()));
    }
    Ok(reply)
}

/// One call under way.
struct Asked<'a> {
    state: &'a mut State,
    place: &'a Place,
    now: Timestamp,
    action: &'a str,
}

fn refused(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message)
}

impl Asked<'_> {
    fn delay(&self) -> SignedDuration {
        self.state.share_delay()
    }

    /// A share of the caller's that has not been deleted.
    fn own_share(&self, arn: &str) -> Result<&Share, ApiError> {
        self.check_arn(arn, "resource-share")?;
        let share = self.state.shares.get(arn).filter(|share| share.owner == self.place.0);
        let unknown =
            || refused("UnknownResourceException", format!("ResourceShare {arn} could not be found."));
        let share = share.ok_or_else(unknown)?;
        match share.deleted {
            None => Ok(share),
            Some(_) => {
                let message = format!("ResourceShare {arn} is being or has been deleted.");
                Err(refused("InvalidStateTransitionException", message))
            }
        }
    }

    /// An ARN of this service in this Region.
    fn check_arn(&self, arn: &str, kind: &str) -> Result<(), ApiError> {
        let head = format!("arn:{}:ram:{}:", self.state.partition, self.place.1);
        let is_it = arn
            .strip_prefix(&head)
            .and_then(|rest| rest.split_once(':'))
            .is_some_and(|(_, resource)| resource.starts_with(&format!("{kind}/")));
        if is_it {
            return Ok(());
        }
        Err(refused("MalformedArnException", format!("The specified {kind} ARN {arn} is not valid.")))
    }

    /// A fresh ARN of this service in the caller's account.
    fn fresh_arn(&mut self, kind: &str) -> String {
        self.state.serial += 1;
        let seed = format!("{}/{}/{}", self.place.0, self.place.1, self.state.serial);
        let digits = |part: &str| crate::id::derive(part, &seed).replace(&format!("{part}-"), "");
        let (a, b) = (digits("a"), digits("b"));
        format!(
            "arn:{}:ram:{}:{}:{kind}/{}-{}-4{}-8{}-{}",
            self.state.partition,
            self.place.1,
            self.place.0,
            &a[..8],
            &a[8..12],
            &a[12..15],
            &b[12..15],
            &b[..12]
        )
    }
}
