//! One action to its calls: references resolved, paced, tried again while AWS throttles or does not see a new object yet.
//!
//! A call that has begun is always awaited; cancellation is looked at before each one and while waiting, never during.

use std::time::Duration;

use enigma_fleet::actions::{Action, SessionChange, SessionSettings};
use enigma_fleet::ids::{MemberKey, Place};
use enigma_fleet::inventory::Tags;
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::schedule::Run;
use crate::outcome::{Because, Created, Outcome};
use crate::ports::{AwsError, ClientToken, ErrorKind, MirrorPlace, NewSession, SessionPatch};

/// The first wait for a new object to become visible; it doubles up to [`LONGEST_LOOK`].
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(250);
/// The longest wait between two tries for a new object.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// Why a call gave no result.
pub(super) enum Stop {
    Cancelled,
    Failed(AwsError),
    Blocked(Because),
}

impl From<Because> for Stop {
    fn from(because: Because) -> Self {
        Self::Blocked(because)
    }
}

impl Run {
    pub(super) async fn perform(&self, index: usize, action: &Action, place: &dyn MirrorPlace) -> Outcome {
        match self.call(action, place).await {
            Ok(made) => Outcome::Done(made),
            Err(Stop::Cancelled) => Outcome::Cancelled,
            Err(Stop::Blocked(because)) => Outcome::Skipped(because),
            Err(Stop::Failed(error)) => match (action, error.kind) {
                (Action::CreateSession { .. }, ErrorKind::InterfaceNotFound) => Outcome::SourceGone(error),
                (Action::DeleteFilter { .. } | Action::DeleteTarget { .. }, ErrorKind::InUse) => {
                    self.ledger.kept_in_use_by(index).map_or(Outcome::Failed(error), Outcome::Skipped)
                }
                _ => Outcome::Failed(error),
            },
        }
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
                if !set.is_empty() {
                    self.paced(place.place(), "CreateTags", false, || place.retag(resource, set, &[]))
                        .await?;
                }
                if !remove.is_empty() {
                    let nothing = Tags::new();
                    self.paced(place.place(), "DeleteTags", false, || {
                        place.retag(resource, &nothing, remove)
                    })
                    .await?;
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

    /// Waits between two looks.
    pub(super) async fn rest(&self, time: Duration) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Stop::Cancelled),
            () = sleep(time) => Ok(()),
        }
    }

    /// Waits for its turn and calls; again after throttling, and, where the call refers to an object that this run made, while
    /// AWS says that there is no such object, or that it is still changing.
    pub(super) async fn paced<T, F>(
        &self,
        place: &Place,
        operation: &'static str,
        refers_to_new: bool,
        call: impl Fn() -> F,
    ) -> Result<T, Stop>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        let bucket = self.options.pacer.bucket(place, operation);
        let mut throttled_since: Option<Instant> = None;
        let mut unseen_since: Option<Instant> = None;
        let mut look = FIRST_LOOK;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Stop::Cancelled),
                () = bucket.acquire() => {}
            }
            let error = match call().await {
                Ok(done) => {
                    bucket.accepted();
                    return Ok(done);
                }
                Err(error) => error,
            };
            match error.kind {
                ErrorKind::Throttled => {
                    bucket.throttled();
                    let since = *throttled_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.options.throttle_patience {
                        return Err(Stop::Failed(error));
                    }
                    debug!(%place, operation, "throttled; slowing down");
                }
                kind if (kind == ErrorKind::Changing || (refers_to_new && kind == ErrorKind::NotFound))
                    && unseen_since.get_or_insert_with(Instant::now).elapsed()
                        < self.options.visibility_patience =>
                {
                    debug!(%place, operation, code = error.code, "not ready yet");
                    self.rest(look).await?;
                    look = (look * 2).min(LONGEST_LOOK);
                }
                _ => return Err(Stop::Failed(error)),
            }
        }
    }
}
