//! A side's mirroring objects as text without ids, so that two sides can be compared.

use enigma_fleet::inventory::Destination;
use enigma_reconcile::ports::MirrorScope;

use crate::run::Player;

impl Player {
    /// Everything that the reads show, sorted; the reads' error instead, where they fail.
    pub(crate) async fn view(&self) -> String {
        match self.lines().await {
            Ok(mut lines) => {
                lines.sort();
                lines.join("\n")
            }
            Err(error) => format!("{:?}", error.kind),
        }
    }

    async fn lines(&self) -> Result<Vec<String>, enigma_reconcile::ports::AwsError> {
        let place = &self.backend().place;
        let mut lines = Vec::new();
        for target in place.targets(&MirrorScope::All).await? {
            let to = match &target.destination {
                Destination::Interface(id) => self.name_of(id).to_owned(),
                other => format!("{other:?}"),
            };
            let name = self.target_name(&target.id);
            lines.push(format!(
                "target {name} to {to}, owner {}, {:?} {:?}",
                target.owner, target.description, target.tags
            ));
        }
        for filter in place.filters(&MirrorScope::All).await? {
            let name = self.filter_name(&filter.id);
            lines.push(format!(
                "filter {name}, dns {}, {:?} {:?}",
                filter.amazon_dns, filter.description, filter.tags
            ));
            for rule in &filter.rules {
                lines.push(format!("filter {name} rule {:?} {:?}", rule.rule, rule.tags));
            }
        }
        for session in place.sessions(&MirrorScope::All).await? {
            lines.push(format!(
                "session {} on {} to {} by {}: number {}, vni {:?}, length {:?}, owner {}, {:?} {:?}",
                self.session_name(&session.id),
                self.name_of(&session.interface),
                self.target_name(&session.target),
                self.filter_name(&session.filter),
                session.number,
                session.vni,
                session.packet_length.map(enigma_fleet::ids::PacketLength::get),
                session.owner,
                session.description,
                session.tags
            ));
        }
        Ok(lines)
    }
}
