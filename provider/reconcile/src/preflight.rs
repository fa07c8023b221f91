//! Asks AWS what a plan should know before anything is created: missing permissions, load balancers, which VPCs
//! targets are in, and how long it takes.
//!
//! Only what the plan needs is asked: an empty plan asks nothing, and each place tries out one write of a kind, not each of
//! thousands. Places are asked side by side and for a limited time. What could not be answered is said beside the answers, never
//! taken for a yes. What the answers mean is decided by [`enigma_fleet::check::preflight`].

mod balancers;
mod patience;
mod receivers;
mod writes;

use std::collections::BTreeSet;

use enigma_fleet::actions::Action;
use enigma_fleet::check::{Answers, Refusal};
use enigma_fleet::duration::estimate;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{Label, Place, Region};
use enigma_fleet::inventory::Destination;
use enigma_fleet::plan::Plan;
use enigma_fleet::spec::FleetSpec;
use futures::stream::{self, StreamExt};
use tracing::debug;

use crate::ports::{AwsError, Cloud, DryRun, ErrorKind, MirrorPlace};

use balancers::Found;
pub use patience::Unanswered;
use patience::{Missed, Patience, in_time};

/// Places and load balancers asked at once, as in an observation.
const AT_ONCE: usize = 32;
/// Dry runs of one place at once: a plan has at most a dozen kinds of writes, so that they take three round trips.
const DRY_RUNS_AT_ONCE: usize = 4;
/// AWS's names of the services that are asked.
const EC2: &str = "EC2";
const ELB: &str = "Elastic Load Balancing";

/// What AWS answered, and what it did not.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// For [`enigma_fleet::check::preflight`].
    pub answers: Answers,
    /// Questions without an answer, once for each thing that went wrong: a warning for people, since nothing is known
    /// to be wrong.
    pub unanswered: Vec<Unanswered>,
}

/// Asks everything that `plan` needs to know, for a minute at most. Changes nothing; dropping the future is safe.
pub async fn gather(cloud: &dyn Cloud, spec: &FleetSpec, home: &Place, plan: &Plan) -> Gathered {
    let mut gathered = Gathered::default();
    if plan.is_empty() {
        return gathered;
    }
    let patience = Patience::new();
    gathered.answers.estimate = Some(estimate(plan));
    let regions = sending_regions(plan);
    let (refusals, balancers, interfaces) = tokio::join!(
        refusals(cloud, plan, patience),
        balancers(cloud, spec, home, plan, patience),
        receivers::interfaces(cloud, spec, home, &regions, patience)
    );
    for (place, refused, missed) in refusals {
        gathered.answers.refusals.extend(refused.into_iter().map(|one| Refusal {
            place: place.clone(),
            action: format!("ec2:{}", one.operation),
            message: one.message,
        }));
        if let Some(missed) = missed {
            Unanswered::add(&mut gathered.unanswered, EC2, place, missed);
        }
    }
    for ((label, place), asked) in balancers {
        match asked {
            Ok(found) => {
                let Found { vpc, facts } = found.unwrap_or_default();
                gathered.answers.paths.target_vpcs.extend(vpc.map(|vpc| (label.clone(), vpc)));
                drop(gathered.answers.balancers.insert(label, facts));
            }
            Err(missed) => Unanswered::add(&mut gathered.unanswered, ELB, place, missed),
        }
    }
    for ((labels, place), asked) in interfaces {
        match asked {
            Ok(seen) => receivers::note(&labels, seen, &mut gathered.answers),
            Err(missed) => Unanswered::add(&mut gathered.unanswered, EC2, place, missed),
        }
    }
    debug!(
        refusals = gathered.answers.refusals.len(),
        balancers = gathered.answers.balancers.len(),
        unanswered = gathered.unanswered.len(),
        "asked what the plan needs"
    );
    gathered
}

/// What was asked of a thing, and the answer.
type Answer<Key, T> = (Key, Result<T, Missed>);

/// What a place refuses, as far as it answered, and why it did not answer everything.
type Verdict = (Place, Vec<crate::ports::Refusal>, Option<Missed>);

async fn refusals(cloud: &dyn Cloud, plan: &Plan, patience: Patience) -> Vec<Verdict> {
    let asks: Vec<_> = writes::of(plan)
        .into_iter()
        .map(|(place, writes)| async move {
            let until = patience.until();
            match in_time(until, cloud.open(&place)).await {
                Ok(open) => {
                    let (refused, missed) = try_out(open.as_ref(), &writes, until).await;
                    (place, refused, missed)
                }
                Err(missed) => (place, Vec::new(), Some(missed)),
            }
        })
        .collect();
    stream::iter(asks).buffered(AT_ONCE).collect().await
}

/// Tries out every write. What was refused stays known where another gets no answer.
async fn try_out(
    open: &dyn MirrorPlace,
    writes: &[DryRun],
    until: tokio::time::Instant,
) -> (Vec<crate::ports::Refusal>, Option<Missed>) {
    let (mut refused, mut first_missed) = (Vec::new(), None);
    let asks: Vec<_> = writes.iter().map(|write| in_time(until, open.try_out(write))).collect();
    let mut answers = stream::iter(asks).buffered(DRY_RUNS_AT_ONCE);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(found) => refused.extend(found),
            Err(missed) => {
                // Each action has a bucket of its own; whatever else is wrong is wrong for all.
                let is_own = matches!(&missed, Missed::Failed(AwsError { kind: ErrorKind::Throttled, .. }));
                first_missed.get_or_insert(missed);
                if !is_own {
                    break;
                }
            }
        }
    }
    (refused, first_missed)
}

/// Where the plan makes anything that sends. Mirroring never leaves a Region, so targets elsewhere are not asked about.
fn sending_regions(plan: &Plan) -> BTreeSet<&Region> {
    let sends = |action: &Action| {
        matches!(
            action,
            Action::CreateTarget { .. } | Action::CreateSession { .. } | Action::ModifySession { .. }
        )
    };
    plan.actions().filter(|one| sends(one)).map(|one| &one.place().region).collect()
}

/// The load balancers of targets, with the place of each.
async fn balancers(
    cloud: &dyn Cloud,
    spec: &FleetSpec,
    home: &Place,
    plan: &Plan,
    patience: Patience,
) -> Vec<Answer<(Label, Place), Option<Found>>> {
    let regions = sending_regions(plan);
    let places: BTreeSet<&Place> = plan.actions().map(Action::place).collect();
    let places = &places;
    let asks: Vec<_> = spec
        .targets
        .iter()
        .filter_map(|(label, target)| match &target.destination {
            Given::Known(Destination::NetworkLoadBalancer(arn)) => {
                Some((label.clone(), target.place(home), arn))
            }
            _ => None,
        })
        .filter(|(_, place, _)| regions.contains(&place.region))
        .map(|(label, place, arn)| async move {
            let asked = balancers::find(cloud, &place, arn, places);
            let asked = in_time(patience.until(), asked).await;
            ((label, place), asked)
        })
        .collect();
    stream::iter(asks).buffered(AT_ONCE).collect().await
}

#[cfg(test)]
mod tests;
