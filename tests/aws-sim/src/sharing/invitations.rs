//! Invitations to accounts outside the organization: seen and accepted by the receiver.

use serde_json::{Value, json};

use super::shares::with_token;
use super::{Asked, Association, Invitation, Share, refused};
use crate::error::ApiError;
use crate::query::Params;
use crate::service::epoch;

fn not_found(arn: &str) -> ApiError {
    let message = format!("ResourceShareInvitation {arn} could not be found.");
    refused("ResourceShareInvitationArnNotFoundException", message)
}

impl Asked<'_> {
    pub(super) fn invitations(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let page = self.page(&mut params)?;
        let arns = params.list("resourceShareInvitationArns")?;
        let of = params.list("resourceShareArns")?;
        params.finish()?;
        let mut rows = Vec::new();
        for (share_arn, share) in &self.state.shares {
            let is_asked = of.is_empty() || of.contains(share_arn);
            if share.region != self.place.1 || !is_asked {
                continue;
            }
            for held in share.associations.iter().filter(|held| held.entity == self.place.0) {
                let Some(invitation) = &held.invitation else { continue };
                // A share that is withdrawn takes its unanswered invitations with it.
                let is_gone = held.is_leaving && !invitation.accepted;
                if !is_gone && (arns.is_empty() || arns.contains(&invitation.arn)) {
                    let shape = self.shape_invitation(share_arn, share, held, invitation);
                    rows.push((invitation.arn.clone(), shape));
                }
            }
        }
        if let Some(arn) = arns.iter().find(|arn| !rows.iter().any(|(found, _)| found == *arn)) {
            return Err(not_found(arn));
        }
        rows.sort_by(|left, right| left.0.cmp(&right.0));
        let (rows, next) = page.cut(rows);
        let shapes: Vec<Value> = rows.into_iter().map(|(_, shape)| shape).collect();
        Ok(with_token(json!({"resourceShareInvitations": shapes}), next))
    }

    pub(super) fn accept(&mut self, mut params: Params) -> Result<Value, ApiError> {
        let arn = params.required("resourceShareInvitationArn")?;
        params.finish()?;
        self.check_arn(&arn, "resource-share-invitation")?;
        let (receiver, now) = (self.place.0.clone(), self.now);
        let is_it = |held: &Association| {
            held.entity == receiver
                && held.invitation.as_ref().is_some_and(|invitation| invitation.arn == arn)
        };
        let found = self.state.shares.iter_mut().find_map(|(share_arn, share)| {
            let at = share.associations.iter().position(is_it)?;
            Some((share_arn.clone(), share, at))
        });
        let Some((share_arn, share, at)) = found else { return Err(not_found(&arn)) };
        let held = &mut share.associations[at];
        let Some(invitation) = held.invitation.as_mut().filter(|_| !held.is_leaving) else {
            return Err(not_found(&arn));
        };
        match invitation.status(now) {
            "ACCEPTED" => {
                let message = format!("ResourceShareInvitation {arn} has been accepted already.");
                return Err(refused("ResourceShareInvitationAlreadyAcceptedException", message));
            }
            "EXPIRED" => {
                let message = format!("ResourceShareInvitation {arn} has expired.");
                return Err(refused("ResourceShareInvitationExpiredException", message));
            }
            _ => {}
        }
        invitation.accepted = true;
        // From here on it takes effect like any other association.
        held.since = now;
        let (invitation, held, share) = (invitation.clone(), held.clone(), share.clone());
        let shape = self.shape_invitation(&share_arn, &share, &held, &invitation);
        Ok(json!({"resourceShareInvitation": shape}))
    }

    fn shape_invitation(
        &self,
        share_arn: &str,
        share: &Share,
        held: &Association,
        invitation: &Invitation,
    ) -> Value {
        json!({
            "resourceShareInvitationArn": invitation.arn,
            "resourceShareName": share.name,
            "resourceShareArn": share_arn,
            "senderAccountId": share.owner,
            "receiverAccountId": held.entity,
            "invitationTimestamp": epoch(invitation.sent),
            "status": invitation.status(self.now),
        })
    }
}
