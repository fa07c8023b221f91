//! A side's shares, and what each account sees by them, as text without ids.

use enigma_fleet::inventory::AssociationStatus;
use enigma_reconcile::ports::{AwsError, MirrorScope};

use crate::backend::place;
use crate::run::Player;

impl Player {
    /// Everything that the reads show, sorted; the reads' error instead, where they fail.
    pub(crate) async fn view(&self) -> String {
        match self.lines().await {
            Ok(mut lines) => {
                lines.sort();
                lines.join("\n")
            }
            Err(error) => format!("{:?} {error}", error.kind),
        }
    }

    async fn lines(&self) -> Result<Vec<String>, AwsError> {
        let mut lines = Vec::new();
        let cloud = self.cloud();
        for share in cloud.shares(&place("home")).await?.shares(&MirrorScope::All).await? {
            // What left is shown for a while by one side, and not at all by the other.
            let held = |(_, status): &(&String, &AssociationStatus)| status.is_held();
            let principals: Vec<String> = share
                .principals
                .iter()
                .filter(held)
                .map(|(account, status)| format!("{account} {status:?}"))
                .collect();
            let mut targets: Vec<String> = share
                .targets
                .iter()
                .filter(|(_, status)| status.is_held())
                .map(|(id, status)| format!("{} {status:?}", self.target_name(id)))
                .collect();
            // By name: ids of the two sides sort differently.
            targets.sort_unstable();
            lines.push(format!(
                "share {} {:?}, {}, external {}, with {principals:?}, of {targets:?}, {:?}",
                self.share_name(&share.arn),
                share.name,
                share.status,
                share.allows_external,
                share.tags
            ));
        }
        for account in ["home", "inside", "outside"] {
            let (open, ram) = (cloud.open(&place(account)).await?, cloud.shares(&place(account)).await?);
            for invitation in ram.invitations().await? {
                let share = self.share_name(&invitation.share);
                lines.push(format!("{account} is invited to {share} by {}", invitation.sender));
            }
            for target in open.targets(&MirrorScope::All).await? {
                let name = self.target_name(&target.id);
                lines.push(format!("{account} sees target {name} of {}, {:?}", target.owner, target.tags));
            }
            for session in open.sessions(&MirrorScope::All).await? {
                let target = self.target_name(&session.target);
                lines.push(format!(
                    "{account} sees a session of {} to {target}, number {}, {:?}",
                    session.owner, session.number, session.tags
                ));
            }
        }
        Ok(lines)
    }
}
