//! What owners say of their shares, asked once for all who join: fifty accounts that each asked would drain RAM's bucket, which
//! holds a handful of calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enigma_fleet::ids::Place;
use enigma_fleet::inventory::ResourceShare;
use enigma_fleet::ownership::FLEET_TAG;
use tokio::time::Instant;
use tracing::debug;

use super::schedule::Run;
use super::tries::Stop;
use crate::ports::{ErrorKind, MirrorScope};

/// How long an answer that said "not yet" stands. RAM publishes no rate; one look a second, of three calls, is what a
/// person with a console makes.
const STANDS: Duration = Duration::from_secs(1);

/// The last answer of each owner. Empty at first; one entry for each place that shares.
#[derive(Default)]
pub(super) struct Owners(Mutex<BTreeMap<Place, Arc<tokio::sync::Mutex<Option<Answer>>>>>);

/// When it was given, and what it was.
struct Answer {
    at: Instant,
    shares: Vec<ResourceShare>,
}

impl Owners {
    fn last_answer(&self, owner: &Place) -> Arc<tokio::sync::Mutex<Option<Answer>>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(owner.clone()).or_default())
    }
}

impl Run {
    /// Whether the fleets' shares of an owner are as `is_met` asks. Says no, to be asked again, while the owner's
    /// calls are throttled.
    ///
    /// Whoever asks does so after the share was changed, so a "yes" holds however old the answer is.
    pub(super) async fn owner_says(
        &self,
        owner: &Place,
        is_met: impl Fn(&[ResourceShare]) -> bool,
    ) -> Result<bool, Stop> {
        let last = self.owners.last_answer(owner);
        // Held while asking: the others wait for that answer instead of asking as well. Whoever asks is stopped by cancellation.
        let mut last = last.lock().await;
        if let Some(answer) = &*last {
            if is_met(&answer.shares) {
                return Ok(true);
            }
            if answer.at.elapsed() < STANDS {
                return Ok(false);
            }
        }
        let ram = self.read(self.cloud.shares(owner)).await?;
        let of_fleets = MirrorScope::HasTag { key: FLEET_TAG.to_owned() };
        match self.read(ram.shares(&of_fleets)).await {
            Ok(shares) => {
                let answer = Answer { at: Instant::now(), shares };
                let met = is_met(&answer.shares);
                *last = Some(answer);
                Ok(met)
            }
            Err(Stop::Failed(error)) if error.kind == ErrorKind::Throttled => {
                debug!(%owner, "the owner of a share is throttled; asking again");
                *last = Some(Answer { at: Instant::now(), shares: Vec::new() });
                Ok(false)
            }
            Err(stop) => Err(stop),
        }
    }
}
