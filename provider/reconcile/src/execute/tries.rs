//! How often one call is made: paced, and again while AWS throttles, gives no reply, or does not see a new object yet.
//!
//! A write that has begun is always awaited, so the only thing that cancellation waits for is one try: it is looked
//! at before each, and while waiting for the next. Reads are given up at once. What a call does is not known here.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enigma_fleet::ids::Place;
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::schedule::Run;
use crate::outcome::Because;
use crate::ports::{AwsError, ErrorKind};

/// The first wait for a new object to become visible; it doubles up to [`LONGEST_LOOK`].
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(250);
/// The longest wait between two tries for a new object.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// The waits before a call is made again that got no reply or failed on AWS's side: a connection that was closed
/// while it rested is replaced at once, and what does not come back within seconds is left to the next apply, which
/// repeats everything safely.
const AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];

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
    /// Waits between two looks.
    pub(super) async fn rest(&self, time: Duration) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Stop::Cancelled),
            () = sleep(time) => Ok(()),
        }
    }

    /// A read, or whatever else changes nothing: given up when the run is stopped.
    pub(super) async fn read<T>(&self, read: impl Future<Output = Result<T, AwsError>>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Stop::Cancelled),
            done = read => done.map_err(Stop::Failed),
        }
    }

    /// Waits for its turn and calls; again after throttling, and, where the call refers to an object that this run made, while
    /// AWS says that there is no such object, or that it is still changing. A call without a reply may have had its
    /// effect, and is made again all the same: creates carry a client token, and everything else ends in the same
    /// state however often it is done.
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
        self.paced_by_answers(place, operation, refers_to_new, |_| call()).await
    }

    /// The same for a call that AWS takes for a new one by its token alone: it learns how often AWS has answered, and
    /// takes another token after each answer, for nobody says whether a refusal would be given again for the same
    /// one.
    pub(super) async fn paced_by_answers<T, F>(
        &self,
        place: &Place,
        operation: &'static str,
        refers_to_new: bool,
        call: impl Fn(u32) -> F,
    ) -> Result<T, Stop>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        let mut answers = 0;
        let bucket = self.options.pacer.bucket(place, operation);
        let mut throttled_since: Option<Instant> = None;
        let mut unseen_since: Option<Instant> = None;
        let mut look = FIRST_LOOK;
        let mut again = AGAIN_AFTER.iter();
        // Once a try may have had its effect, nobody may say that the action was not tried.
        let mut unknown: Option<AwsError> = None;
        loop {
            let token = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(unknown.map_or(Stop::Cancelled, Stop::Failed)),
                token = bucket.acquire() => token,
            };
            let answer = call(answers).await;
            let is_silence = matches!(&answer, Err(error) if is_silent(error.kind));
            if !is_silence {
                self.silence.ended(place);
                answers += 1;
            }
            let error = match answer {
                Ok(done) => {
                    bucket.accepted(&token);
                    return Ok(done);
                }
                Err(error) => error,
            };
            let rested = match error.kind {
                ErrorKind::Throttled => {
                    bucket.throttled(&token);
                    let since = *throttled_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.options.throttle_patience {
                        return Err(Stop::Failed(unknown.unwrap_or(error)));
                    }
                    debug!(%place, operation, "throttled; slowing down");
                    Ok(())
                }
                kind if is_silent(kind) => {
                    let wait = again.next().filter(|_| !self.silence.is_in(place));
                    let Some(wait) = wait else {
                        self.silence.began(place);
                        return Err(Stop::Failed(error));
                    };
                    debug!(%place, operation, code = error.code, "no reply; calling again");
                    unknown = Some(error);
                    self.rest(*wait).await
                }
                kind if (kind == ErrorKind::Changing || (refers_to_new && kind == ErrorKind::NotFound))
                    && unseen_since.get_or_insert_with(Instant::now).elapsed()
                        < self.options.visibility_patience =>
                {
                    debug!(%place, operation, code = error.code, "not ready yet");
                    let rested = self.rest(look).await;
                    look = (look * 2).min(LONGEST_LOOK);
                    rested
                }
                _ => return Err(Stop::Failed(error)),
            };
            rested.map_err(|stop| unknown.take().map_or(stop, Stop::Failed))?;
        }
    }
}

/// Whether AWS said nothing that means anything.
fn is_silent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NoReply | ErrorKind::Unavailable)
}

/// Places of which the last that was heard is that nothing is heard: their calls get one try each, so that a thousand
/// actions on an endpoint that is gone do not wait for it a thousand times over. The first that is answered ends it.
#[derive(Default)]
pub(super) struct Silence(Mutex<BTreeSet<Place>>);

impl Silence {
    fn places(&self) -> MutexGuard<'_, BTreeSet<Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_in(&self, place: &Place) -> bool {
        self.places().contains(place)
    }

    fn began(&self, place: &Place) {
        self.places().insert(place.clone());
    }

    fn ended(&self, place: &Place) {
        self.places().remove(place);
    }
}
