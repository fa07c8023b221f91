//! One action to its calls: references resolved, and what an answer means for the action. How often a call is made is decided in
//! [`super::tries`].

use enigma_fleet::actions::{Action, Resource, SessionChange, SessionSettings};
use enigma_fleet::ids::{InterfaceId, MemberKey};
use enigma_fleet::inventory::Tags;

use super::schedule::Run;
use super::tries::Stop;
use crate::outcome::{Because, Created, Outcome};
use crate::ports::{ClientToken, ErrorKind, InterfaceScope, MirrorPlace, NewSession, SessionPatch};

impl Run {
    pub(super) async fn perform(&self, index: usize, action: &Action, place: &dyn MirrorPlace) -> Outcome {
        match self.call(action, place).await {
            Ok(made) => Outcome::Done(made),
            Err(Stop::Cancelled) => Outcome::Cancelled,
            Err(Stop::Blocked(because)) => Outcome::Skipped(because),
            Err(Stop::Failed(error)) => match (action, error.kind) {
                (Action::CreateSession { .. }, ErrorKind::InterfaceNotFound) => Outcome::SourceGone(error),
                (Action::ModifySession { key, .. }, ErrorKind::SessionNotFound)
                    if self.is_gone(&key.interface, place).await =>
                {
                    Outcome::SourceGone(error)
                }
                // Whatever became of it, there is nothing to tag.
                (Action::Retag { resource: Resource::Session(_), .. }, ErrorKind::SessionNotFound) => {
                    Outcome::SourceGone(error)
                }
                (Action::DeleteFilter { .. } | Action::DeleteTarget { .. }, ErrorKind::InUse) => {
                    self.ledger.kept_in_use_by(index).map_or(Outcome::Failed(error), Outcome::Skipped)
                }
                _ => Outcome::Failed(error),
            },
        }
    }

    /// Whether a session that is not there went with its interface. If somebody deleted it alone, the next plan makes it again.
    async fn is_gone(&self, interface: &InterfaceId, place: &dyn MirrorPlace) -> bool {
        let ids = InterfaceScope::Ids(vec![interface.clone()]);
        self.read(place.interfaces(&ids)).await.is_ok_and(|seen| seen.is_empty())
    }

    async fn call(&self, action: &Action, place: &dyn MirrorPlace) -> Result<Option<Created>, Stop> {
        match action {
            Action::CreateTarget { key, destination, description, tags } => {
                let tags = &self.options.stamped(tags);
                let token = self.tokens.target(key, destination, description, tags);
                self.paced(place.place(), "CreateTrafficMirrorTarget", false, || {
                    place.create_target(destination, description, tags, &token)
                })
                .await
                .map(|id| Some(Created::Target(id)))
            }
            Action::CreateFilter { key, description, tags } => {
                let token = self.tokens.filter(key, description, tags);
                self.paced(place.place(), "CreateTrafficMirrorFilter", false, || {
                    place.create_filter(description, tags, &token)
                })
                .await
                .map(|id| Some(Created::Filter(id)))
            }
            Action::SetAmazonDns { filter, enabled, .. } => {
                let (id, is_new) = self.ledger.filter(filter)?;
                self.paced(place.place(), "ModifyTrafficMirrorFilterNetworkServices", is_new, || {
                    place.set_amazon_dns(&id, *enabled)
                })
                .await
                .map(|()| None)
            }
            Action::CreateRule { key, filter, rule, tags } => {
                let (id, is_new) = self.ledger.filter(filter)?;
                let token = self.tokens.rule(key, &id, rule, tags);
                self.paced(place.place(), "CreateTrafficMirrorFilterRule", is_new, || {
                    place.create_rule(&id, rule, tags, &token)
                })
                .await
                .map(|id| Some(Created::Rule(id)))
            }
            Action::ModifyRule { id, before, after, .. } => self
                .paced(place.place(), "ModifyTrafficMirrorFilterRule", false, || {
                    place.modify_rule(id, before, after)
                })
                .await
                .map(|()| None),
            Action::DeleteRule { id, .. } => self
                .paced(place.place(), "DeleteTrafficMirrorFilterRule", false, || place.delete_rule(id))
                .await
                .map(|()| None),
            Action::CreateSession { key, settings, tags } => {
                self.create_session(place, key, settings, tags).await
            }
            Action::ModifySession { id, change, .. } => {
                let (patch, refers_to_new) = self.patch(change)?;
                self.paced(place.place(), "ModifyTrafficMirrorSession", refers_to_new, || {
                    place.modify_session(id, &patch)
                })
                .await
                .map(|()| None)
            }
            Action::DeleteSession { id, .. } => self
                .paced(place.place(), "DeleteTrafficMirrorSession", false, || place.delete_session(id))
                .await
                .map(|()| None),
            Action::DeleteFilter { id, .. } => self
                .paced(place.place(), "DeleteTrafficMirrorFilter", false, || place.delete_filter(id))
                .await
                .map(|()| None),
            Action::DeleteTarget { id, .. } => self
                .paced(place.place(), "DeleteTrafficMirrorTarget", false, || place.delete_target(id))
                .await
                .map(|()| None),
            Action::CreateShare { .. }
            | Action::ModifyShare { .. }
            | Action::AddToShare { .. }
            | Action::JoinShare { .. }
            | Action::RemoveFromShare { .. }
            | Action::DeleteShare { .. } => self.share(action, place).await,
            Action::Retag { resource, set, remove, .. } => {
                // Two calls with a bucket each. Setting comes first, so that an object never lacks its ownership tag.
                let set_all =
                    || self.paced(place.place(), "CreateTags", false, || place.retag(resource, set, &[]));
                let mut waits = false;
                if !set.is_empty() {
                    waits = match set_all().await {
                        // Old and new together are more than AWS allows: then the old ones go first.
                        Err(Stop::Failed(error)) if error.kind == ErrorKind::Quota && !remove.is_empty() => {
                            true
                        }
                        done => done.map(|()| false)?,
                    };
                }
                if !remove.is_empty() {
                    let nothing = Tags::new();
                    self.paced(place.place(), "DeleteTags", false, || {
                        place.retag(resource, &nothing, remove)
                    })
                    .await?;
                }
                if waits {
                    set_all().await?;
                }
                Ok(None)
            }
        }
    }

    async fn create_session(
        &self,
        place: &dyn MirrorPlace,
        key: &MemberKey,
        settings: &SessionSettings,
        tags: &Tags,
    ) -> Result<Option<Created>, Stop> {
        let (target, target_is_new) = self.ledger.target(&settings.target)?;
        let (filter, filter_is_new) = self.ledger.filter(&settings.filter)?;
        let mut session = NewSession {
            interface: key.interface.clone(),
            target,
            filter,
            number: settings.number,
            vni: settings.vni,
            packet_length: settings.packet_length,
            description: settings.description.clone(),
            tags: tags.clone(),
            token: ClientToken(String::new()),
        };
        session.token = self.tokens.session(&key.place, &session);
        self.paced(place.place(), "CreateTrafficMirrorSession", target_is_new || filter_is_new, || {
            place.create_session(&session)
        })
        .await
        .map(|id| Some(Created::Session(id)))
    }

    fn patch(&self, change: &SessionChange) -> Result<(SessionPatch, bool), Because> {
        let target = change.target.as_ref().map(|reference| self.ledger.target(reference)).transpose()?;
        let filter = change.filter.as_ref().map(|reference| self.ledger.filter(reference)).transpose()?;
        let refers_to_new =
            target.as_ref().is_some_and(|(_, new)| *new) || filter.as_ref().is_some_and(|(_, new)| *new);
        let patch = SessionPatch {
            target: target.map(|(id, _)| id),
            filter: filter.map(|(id, _)| id),
            number: change.number,
            vni: change.vni,
            packet_length: change.packet_length,
            description: change.description.clone(),
        };
        Ok((patch, refers_to_new))
    }
}
