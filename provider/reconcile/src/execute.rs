//! Carries out one plan: wave by wave in each place, never more than planned, with an outcome for every action.
//!
//! Every choice was made by the plan; this only orders, paces, resolves references to objects made on the way, and
//! leaves out what depends on something that failed. It is one attempt: whoever wants another observes and plans
//! again, which is safe after any interruption. Knows nothing of AWS beyond [`crate::ports`], nor of Terraform.

mod call;
mod ledger;
mod owners;
mod schedule;
mod share;
mod stamp;
mod tries;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use enigma_fleet::ids::{Place, TargetId};
use enigma_fleet::plan::Plan;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info};

use crate::outcome::Outcomes;
use crate::pacing::Pacer;
use crate::ports::Cloud;
use crate::progress::{Meter, Progress};
use crate::token::Tokens;

/// Calls in flight per place and wave. At AWS's 5 writes per second a reply may take 3 s before 16 become the limit, and the
/// burst of 45 still goes out in a few round trips; more would only wait for the same bucket.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");
/// How long a call is tried again while AWS throttles it. The bucket refills in 10 s; one that stays empty for 5
/// minutes belongs to another program, and a person should hear about it.
const THROTTLE_PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How long an object that this run made may take to become visible to the next call. EC2 is eventually consistent
/// and AWS advises to retry with back-off; seconds are usual.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
const VISIBILITY_PATIENCE: Duration = Duration::from_secs(30);

/// How long an account may take to see a target that is shared with it: RAM takes seconds as a rule, and sometimes a
/// minute or two. When the time is up, the account's sessions are left out with the reason, and the next apply looks
/// again.
const JOIN_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How to execute.
#[derive(Clone)]
pub struct Options {
    /// Part of every client token: the same while one attempt is repeated, another once AWS has been observed again. AWS
    /// answers a repeated token with the first result even when that object was deleted since, so a create that is *meant* to
    /// happen again needs another generation.
    pub generation: u64,
    /// Shared by everything in the process that writes to AWS.
    pub pacer: Arc<Pacer>,
    /// Calls in flight per place.
    pub concurrency: NonZeroUsize,
    /// How long a throttled call is tried again before it fails.
    pub throttle_patience: Duration,
    /// How long a call is tried again while AWS does not see an object that this run has just made.
    pub visibility_patience: Duration,
    /// How long an account may take to see a target that is shared with it.
    pub join_patience: Duration,
    /// When everything has to end: from then on it is as if it had been cancelled. `None` for no limit.
    pub deadline: Option<Duration>,
    /// The targets of the fleet that exist, where the generation is written on targets, new ones included; `None`
    /// writes it on none. Whoever executes an older plan can see by it that a newer one was carried out:
    /// [`crate::generation::guard`].
    pub stamps: Option<Vec<(Place, TargetId)>>,
    /// Told how far it is, at most once per second.
    pub progress: Option<Arc<dyn Progress>>,
}

impl Options {
    /// With the usual limits.
    #[must_use]
    pub fn new(generation: u64, pacer: Arc<Pacer>) -> Self {
        Self {
            generation,
            pacer,
            concurrency: CONCURRENCY,
            throttle_patience: THROTTLE_PATIENCE,
            visibility_patience: VISIBILITY_PATIENCE,
            join_patience: JOIN_PATIENCE,
            deadline: None,
            stamps: None,
            progress: None,
        }
    }
}

/// Executes the waves of `plan` in order and says what happened to each action. Actions of one lane of a wave run one
/// after another, and the first that does not succeed stops its lane; other lanes run at the same time.
///
/// A place goes on to its next wave as soon as it has finished the one before, and waits for other places only where its
/// actions refer to objects made there or delete a target that sessions elsewhere may use.
///
/// Cancelling `cancel` lets writes that have begun finish and begins no other, nor a second try of one; what was
/// tried without a reply is [`Failed`](crate::outcome::Outcome::Failed) then, not cancelled. Dropping the future
/// cancels in the same way: the calls that have begun still run to their end in the background, but nobody learns
/// their outcome.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn execute(
    plan: &Plan,
    cloud: Arc<dyn Cloud>,
    options: &Options,
    cancel: &CancellationToken,
) -> Outcomes {
    let ledger = Arc::new(ledger::Ledger::new(plan));
    let stop = cancel.child_token();
    let run = schedule::Run {
        ledger: Arc::clone(&ledger),
        cloud,
        tokens: Tokens::new(plan.fleet.clone(), options.generation),
        options: options.clone(),
        stop: stop.clone(),
        meter: Meter::new(plan, options.progress.clone()),
        silence: tries::Silence::default(),
        owners: owners::Owners::default(),
    };
    let stop_when_dropped = stop.clone().drop_guard();
    // A task of its own, so that no call is cut in half when the caller goes away.
    let mut task = tokio::spawn(run.all_places().in_current_span());
    let ended = match options.deadline {
        None => task.await,
        Some(limit) => match tokio::time::timeout(limit, &mut task).await {
            Ok(ended) => ended,
            Err(_) => {
                info!(seconds = limit.as_secs(), "the time is up; calls that have begun are awaited");
                stop.cancel();
                task.await
            }
        },
    };
    if let Err(panicked) = ended {
        // A panic is a defect; what was recorded until then is still the truth and must not be lost.
        tracing::error!(%panicked, "the executor stopped early");
    }
    drop(stop_when_dropped.disarm());
    let outcomes = ledger.outcomes();
    let counts = outcomes.counts();
    info!(
        done = counts.done,
        failed = counts.failed,
        source_gone = counts.source_gone,
        skipped = counts.skipped,
        cancelled = counts.cancelled,
        "executed the plan"
    );
    outcomes
}

#[cfg(test)]
mod tests;
