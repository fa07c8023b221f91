//! Which action begins when: each place walks through its waves; a few waits cross places.
//!
//! All places run in one task, so nothing here needs a lock across an await. A place announces each finished wave; whoever needs
//! something made there waits for the announcement. Waits only ever look back to earlier waves, so they cannot go in a circle.

use std::collections::BTreeMap;
use std::sync::Arc;

use enigma_fleet::ids::Place;
use futures::stream::{self, StreamExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::Options;
use super::ledger::Ledger;
use super::owners::Owners;
use super::tries::{Silence, Stop};
use crate::outcome::{Counts, Outcome, describe};
use crate::ports::{AwsError, Cloud, MirrorPlace};
use crate::progress::Meter;
use crate::token::Tokens;

/// One execution.
pub(super) struct Run {
    pub(super) ledger: Arc<Ledger>,
    pub(super) cloud: Arc<dyn Cloud>,
    pub(super) tokens: Tokens,
    pub(super) options: Options,
    pub(super) stop: CancellationToken,
    pub(super) meter: Meter,
    pub(super) silence: Silence,
    pub(super) owners: Owners,
}

impl Run {
    /// Runs every action to an outcome.
    pub(super) async fn all_places(self) {
        let by_place = self.ledger.by_place();
        if !by_place.is_empty() {
            self.stamp().await;
        }
        let places: Vec<Place> = by_place.keys().cloned().collect();
        // How many waves each place has finished. One value each, the newest; nobody can fall behind.
        let (announce, finished): (Vec<_>, BTreeMap<_, _>) = places
            .iter()
            .map(|place| {
                let (send, receive) = watch::channel(0_usize);
                (send, (place.clone(), receive))
            })
            .unzip();
        let walks = by_place
            .iter()
            .zip(announce)
            .map(|((place, waves), announce)| self.walk(place, waves, announce, &places, &finished));
        futures::future::join_all(walks).await;
        self.meter.finish();
    }

    async fn walk(
        &self,
        place: &Place,
        waves: &BTreeMap<usize, Vec<Vec<usize>>>,
        announce: watch::Sender<usize>,
        places: &[Place],
        finished: &BTreeMap<Place, watch::Receiver<usize>>,
    ) {
        let mut open: Option<Result<Arc<dyn MirrorPlace>, AwsError>> = None;
        for (wave, lanes) in waves {
            // The waves before this one hold nothing for this place.
            announce.send_replace(*wave);
            self.await_others(place, lanes, places, finished).await;
            if open.is_none() && !self.stop.is_cancelled() {
                open = match self.read(self.cloud.open(place)).await {
                    Ok(opened) => Some(Ok(opened)),
                    Err(Stop::Failed(error)) => Some(Err(error)),
                    Err(Stop::Cancelled | Stop::Blocked(_)) => None,
                };
            }
            self.meter.enter(place, self.ledger.stage(*wave));
            let walks: Vec<_> = lanes.iter().map(|lane| self.lane(lane, open.as_ref())).collect();
            stream::iter(walks).buffer_unordered(self.options.concurrency.get()).collect::<()>().await;
            let counts = Counts::of(&self.ledger.outcomes_of(lanes));
            info!(
                %place,
                wave = wave + 1,
                of = self.ledger.waves(),
                stage = ?self.ledger.stage(*wave),
                done = counts.done,
                failed = counts.failed,
                source_gone = counts.source_gone,
                skipped = counts.skipped,
                cancelled = counts.cancelled,
                "finished a wave"
            );
            announce.send_replace(wave + 1);
        }
        announce.send_replace(self.ledger.waves());
    }

    async fn await_others(
        &self,
        place: &Place,
        lanes: &[Vec<usize>],
        places: &[Place],
        finished: &BTreeMap<Place, watch::Receiver<usize>>,
    ) {
        let mut needed: BTreeMap<Place, usize> = BTreeMap::new();
        for index in lanes.iter().flatten() {
            for (other, waves) in self.ledger.waits_for(*index, places) {
                if other != *place {
                    let most = needed.entry(other).or_default();
                    *most = waves.max(*most);
                }
            }
        }
        for (other, waves) in needed {
            if let Some(receiver) = finished.get(&other) {
                // An error means that the place is through with everything.
                let _finished = receiver.clone().wait_for(|done| *done >= waves).await.is_ok();
            }
        }
    }

    async fn lane(&self, actions: &[usize], open: Option<&Result<Arc<dyn MirrorPlace>, AwsError>>) {
        for index in actions {
            self.one(*index, open).await;
        }
    }

    async fn one(&self, index: usize, open: Option<&Result<Arc<dyn MirrorPlace>, AwsError>>) {
        let action = self.ledger.action(index);
        let outcome = if let Some(error) = self.ledger.gone_before(index) {
            Outcome::SourceGone(error)
        } else if let Some(because) = self.ledger.blocked_by(index) {
            Outcome::Skipped(because)
        } else {
            match open {
                _ if self.stop.is_cancelled() => Outcome::Cancelled,
                None => Outcome::Cancelled,
                Some(Err(error)) => Outcome::Failed(error.clone()),
                Some(Ok(place)) => self.perform(index, action, place.as_ref()).await,
            }
        };
        match &outcome {
            Outcome::Done(made) => {
                debug!(action = describe(action), made = made.as_ref().map(ToString::to_string), "done");
            }
            other => debug!(action = describe(action), outcome = ?other, "not done"),
        }
        self.meter.count(action, &outcome);
        self.ledger.record(index, outcome);
    }
}
