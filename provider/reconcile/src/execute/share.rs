//! The actions on resource shares: those of the account that shares, and a member's joining.
//!
//! RAM answers before its associations are in effect, and a consumer sees a target only once they are. So joining is the one
//! action that waits for something it does not make itself, with a limit and words for what it waited for. A part
//! that is in a share cannot be added again, so an addition without a reply is made again with its token. More parts
//! than one call takes go in several; what a run that ends between two of them left out, the next plan sees missing
//! and adds.

use std::collections::BTreeSet;
use std::time::Duration;

use enigma_fleet::actions::{Action, Ref, ShareRef};
use enigma_fleet::ids::{AccountId, Place, ShareArn, TargetId};
use enigma_fleet::inventory::{AssociationStatus, ResourceShare};
use tokio::time::Instant;
use tracing::{debug, info};

use super::schedule::Run;
use super::tries::{FIRST_LOOK, Stop};
use crate::outcome::{Because, Created};
use crate::ports::{
    AwsError, ClientToken, ErrorKind, MirrorPlace, MirrorScope, NewShare, ShareParts, SharePlace,
};

/// The longest wait between two looks for a shared target. RAM takes seconds as a rule; a look is one call of a bucket of 100, so
/// every ten seconds costs other tools nothing.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

impl Run {
    /// Carries out an action on a share; any other does nothing.
    pub(super) async fn share(
        &self,
        action: &Action,
        place: &dyn MirrorPlace,
    ) -> Result<Option<Created>, Stop> {
        let here = place.place();
        let ram = self.read(self.cloud.shares(here)).await?;
        match action {
            Action::CreateShare { name, principals, targets, allows_external, tags, .. } => {
                let mut calls = self.parts(principals, targets)?.by_call().into_iter();
                let parts = calls.next().unwrap_or_default();
                let (name, tags) = (name.clone(), tags.clone());
                let token = ClientToken(String::new());
                let mut new = NewShare { name, parts, allows_external: *allows_external, tags, token };
                new.token = self.tokens.share(here, &new);
                let made = self.paced(here, "CreateResourceShare", true, || ram.create_share(&new)).await?;
                for parts in calls {
                    self.put_in(here, ram.as_ref(), &made, &parts).await?;
                }
                Ok(Some(Created::Share(made)))
            }
            Action::ModifyShare { share, allows_external, set, remove, .. } => {
                if let Some(allowed) = *allows_external {
                    let call = || ram.set_allows_external(share, allowed);
                    self.paced(here, "UpdateResourceShare", false, call).await?;
                }
                // Two calls, as with the tags of EC2's objects.
                if !set.is_empty() {
                    self.paced(here, "TagResource", false, || ram.retag_share(share, set, &[])).await?;
                }
                if !remove.is_empty() {
                    let nothing = enigma_fleet::inventory::Tags::new();
                    let call = || ram.retag_share(share, &nothing, remove);
                    self.paced(here, "UntagResource", false, call).await?;
                }
                Ok(None)
            }
            Action::AddToShare { share, principals, targets, .. } => {
                for parts in self.parts(principals, targets)?.by_call() {
                    self.put_in(here, ram.as_ref(), share, &parts).await?;
                }
                Ok(None)
            }
            Action::JoinShare { share, sender, targets, .. } => {
                // Shares are regional: an existing one is in the Region of whoever joins.
                let from = match share {
                    Ref::Planned(place) => place.clone(),
                    Ref::Existing(_) => Place { account: sender.clone(), region: here.region.clone() },
                };
                let share = self.ledger.share(share)?;
                let are_new = targets.iter().all(|target| matches!(target, Ref::Planned(_)));
                let targets = self.parts(&BTreeSet::new(), targets)?.targets;
                let wanted = Wanted { share, from, targets, are_new };
                self.join(place, ram.as_ref(), &wanted).await?;
                Ok(None)
            }
            Action::RemoveFromShare { share, principals, targets, .. } => {
                let parts = ShareParts { principals: principals.clone(), targets: targets.clone() };
                for parts in parts.by_call() {
                    self.take_out(here, ram.as_ref(), share, parts).await?;
                }
                Ok(None)
            }
            Action::DeleteShare { share, .. } => {
                self.paced(here, "DeleteResourceShare", false, || ram.delete_share(share)).await?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn parts(
        &self,
        principals: &BTreeSet<AccountId>,
        targets: &[Ref<TargetId>],
    ) -> Result<ShareParts, Because> {
        let ids = targets.iter().map(|target| self.ledger.target(target).map(|(id, _)| id));
        Ok(ShareParts {
            principals: principals.iter().map(ToString::to_string).collect(),
            targets: ids.collect::<Result<_, _>>()?,
        })
    }

    /// Adds what one call takes to a share.
    async fn put_in(
        &self,
        here: &Place,
        ram: &dyn SharePlace,
        share: &ShareArn,
        parts: &ShareParts,
    ) -> Result<(), Stop> {
        let call = |answers| {
            let token = self.tokens.addition(here, share, parts, answers);
            async move { ram.associate(share, parts, &token).await }
        };
        self.paced_by_answers(here, "AssociateResourceShare", true, call).await
    }

    /// Takes parts out of a share, as many as one call takes. RAM refuses the whole call where one of them, or the share, is gone
    /// already: then those that are left are taken out by a second one.
    async fn take_out(
        &self,
        here: &Place,
        ram: &dyn SharePlace,
        share: &ShareArn,
        parts: ShareParts,
    ) -> Result<(), Stop> {
        let operation = "DisassociateResourceShare";
        match self.paced(here, operation, false, || ram.disassociate(share, &parts)).await {
            Err(Stop::Failed(error)) if error.kind == ErrorKind::NotFound => {}
            done => return done,
        }
        // By no tag, which somebody may have taken off: a share that is not seen counts as gone.
        let seen = self.read(ram.shares(&MirrorScope::All)).await?;
        let Some(held) = seen.into_iter().find(|one| one.arn == *share) else { return Ok(()) };
        let is_held = |status: Option<&AssociationStatus>| status.is_some_and(|status| status.is_held());
        let mut left = parts;
        left.principals.retain(|one| is_held(held.principals.get(one)));
        left.targets.retain(|one| is_held(held.targets.get(one)));
        if left == ShareParts::default() {
            return Ok(());
        }
        self.paced(here, operation, false, || ram.disassociate(share, &left)).await
    }

    /// Accepts the invitation to the share, if one is there or comes, until the targets can be used.
    async fn join(&self, place: &dyn MirrorPlace, ram: &dyn SharePlace, wanted: &Wanted) -> Result<(), Stop> {
        let here = place.place();
        let since = Instant::now();
        let mut look = FIRST_LOOK;
        let mut invited = Invited::default();
        // Who is only being added to the share and sees its targets already sees them by something that is about to
        // end: a share that it was taken out of a moment ago, or a duplicate that the plan deletes. Then the owner's
        // word counts, and no sight. Targets that this run made cannot be seen by anything older.
        let mut is_doubtful = !wanted.are_new && self.ledger.is_added(&wanted.from, &here.account);
        loop {
            if self.stop.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            let seen = self.read(place.visible_targets(&wanted.targets)).await?;
            let missing: BTreeSet<&TargetId> = wanted.targets.difference(&seen).collect();
            is_doubtful &= missing.is_empty();
            if missing.is_empty() && (!is_doubtful || self.is_let_in(here, wanted).await?) {
                return Ok(());
            }
            self.answer(here, ram, wanted, &mut invited).await?;
            if since.elapsed() >= self.options.join_patience {
                let missing = if missing.is_empty() { wanted.targets.iter().collect() } else { missing };
                return Err(Stop::Failed(not_visible(here, &missing, wanted, since.elapsed(), &invited)));
            }
            debug!(place = %here, ?missing, share = %wanted.share, "waiting for shared targets");
            self.rest(look).await?;
            look = (look * 2).min(LONGEST_LOOK);
        }
    }

    /// Whether the share's owner says that an account is in it, with the targets.
    async fn is_let_in(&self, here: &Place, wanted: &Wanted) -> Result<bool, Stop> {
        let is_in = |status: Option<&AssociationStatus>| status == Some(&AssociationStatus::Associated);
        let has_all = |share: &ResourceShare| {
            share.arn == wanted.share
                && is_in(share.principals.get(here.account.as_str()))
                && wanted.targets.iter().all(|target| is_in(share.targets.get(target)))
        };
        self.owner_says(&wanted.from, |shares| shares.iter().any(has_all)).await
    }

    /// Accepts a pending invitation of exactly this sender to exactly this share.
    async fn answer(
        &self,
        here: &Place,
        ram: &dyn SharePlace,
        wanted: &Wanted,
        invited: &mut Invited,
    ) -> Result<(), Stop> {
        let Wanted { share, from: Place { account: sender, .. }, .. } = wanted;
        if invited.is_accepted || invited.refused.is_some() {
            return Ok(());
        }
        let pending = match self.read(ram.invitations()).await {
            Ok(pending) => pending,
            // Inside the organization nobody is invited, and a role there needs no permission to look.
            Err(Stop::Failed(error)) if error.kind == ErrorKind::Unauthorized => {
                invited.refused = Some(error);
                return Ok(());
            }
            Err(stop) => return Err(stop),
        };
        for one in pending.iter().filter(|one| one.share == *share && one.sender == *sender) {
            self.paced(here, "AcceptResourceShareInvitation", false, || ram.accept(one)).await?;
            info!(place = %here, %share, %sender, "accepted the invitation to a resource share");
            invited.is_accepted = true;
        }
        Ok(())
    }
}

/// What a member joins.
struct Wanted {
    share: ShareArn,
    /// Where the share is.
    from: Place,
    /// What must be visible.
    targets: BTreeSet<TargetId>,
    /// Whether this run made all of them.
    are_new: bool,
}

/// What is known of the invitation.
#[derive(Default)]
struct Invited {
    is_accepted: bool,
    /// The member's role may not look for invitations.
    refused: Option<AwsError>,
}

fn not_visible(
    place: &Place,
    missing: &BTreeSet<&TargetId>,
    wanted: &Wanted,
    waited: Duration,
    invited: &Invited,
) -> AwsError {
    let targets = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let why = match invited {
        Invited { is_accepted: true, .. } => "its invitation was accepted".to_owned(),
        Invited { refused: Some(error), .. } => {
            format!("whether an invitation waits could not be seen: {error}")
        }
        Invited { .. } => "no invitation was waiting".to_owned(),
    };
    AwsError {
        place: Some(place.clone()),
        operation: "DescribeTrafficMirrorTargets",
        kind: ErrorKind::NotFound,
        code: "(not shared)".to_owned(),
        message: format!(
            "{targets} of {} did not become visible for good within {} s; {why}. Look at the share's principals in RAM, and whether \
             resource sharing is turned on in the organization",
            wanted.share,
            waited.as_secs()
        ),
        request_id: None,
    }
}

impl super::ledger::Ledger {
    /// The share that a reference means.
    pub(super) fn share(&self, reference: &ShareRef) -> Result<ShareArn, Because> {
        match reference {
            Ref::Existing(arn) => Ok(arn.clone()),
            Ref::Planned(place) => self
                .share_made(place)
                .ok_or_else(|| Because::NothingMakes(format!("resource share in {place}"))),
        }
    }
}
