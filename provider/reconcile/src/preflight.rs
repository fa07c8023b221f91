//! Asks AWS what a plan should know before anything is created: missing permissions, load balancers, which VPCs targets are in, and how
//! long it takes.
//!
//! Only what the plan needs is asked: an empty plan asks nothing, and each place tries out one write of a kind, not each of
//! thousands. What could not be answered is said beside the answers, never taken for a yes. What the answers mean is decided by
//! [`enigma_fleet::check::preflight`].

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::actions::{Action, Ref, Resource};
use enigma_fleet::check::{Answers, BalancerFacts, ReceiverFacts, Refusal};
use enigma_fleet::duration::estimate;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{FilterId, Label, Place, Region, TargetId};
use enigma_fleet::inventory::Destination;
use enigma_fleet::plan::Plan;
use enigma_fleet::spec::FleetSpec;
use futures::stream::{self, StreamExt};
use tracing::debug;

use crate::ports::{AwsError, Balancer, Cloud, DryRun};

mod receivers;

/// Places and load balancers asked at once, as in an observation.
const AT_ONCE: usize = 32;
/// The port of VXLAN, the only one that AWS mirrors to.
const VXLAN_PORT: u16 = 4789;

/// What AWS answered, and what it did not.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// For [`enigma_fleet::check::preflight`].
    pub answers: Answers,
    /// Questions that failed, once for each thing that went wrong: a warning for people, since nothing is known to be wrong.
    pub unanswered: Vec<AwsError>,
}

/// Asks everything that `plan` needs to know. Changes nothing; dropping the future is safe.
pub async fn gather(cloud: &dyn Cloud, spec: &FleetSpec, home: &Place, plan: &Plan) -> Gathered {
    let mut gathered = Gathered::default();
    if plan.is_empty() {
        return gathered;
    }
    gathered.answers.estimate = Some(estimate(plan));
    let regions = sending_regions(plan);
    let (refusals, balancers, interfaces) = tokio::join!(
        refusals(cloud, plan),
        balancers(cloud, spec, home, &regions),
        receivers::interfaces(cloud, spec, home, &regions)
    );
    for (place, asked) in refusals {
        match asked {
            Ok(refused) => gathered.answers.refusals.extend(refused.into_iter().map(|one| Refusal {
                place: place.clone(),
                action: format!("ec2:{}", one.operation),
                message: one.message,
            })),
            Err(error) => gathered.add_failure(error),
        }
    }
    for (label, asked) in balancers {
        match asked {
            Ok(balancer) => {
                let vpc = balancer.as_ref().and_then(|balancer| balancer.vpc.clone());
                gathered.answers.paths.target_vpcs.extend(vpc.map(|vpc| (label.clone(), vpc)));
                drop(gathered.answers.balancers.insert(label, balancer.as_ref().and_then(facts_of)));
            }
            Err(error) => gathered.add_failure(error),
        }
    }
    for (labels, asked) in interfaces {
        match asked {
            Ok(seen) => receivers::note(&labels, seen, &mut gathered.answers.paths),
            Err(error) => gathered.add_failure(error),
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

impl Gathered {
    /// An account that cannot be reached fails in all its places with the same words.
    fn add_failure(&mut self, error: AwsError) {
        if !self.unanswered.iter().any(|known| known.to_string() == error.to_string()) {
            self.unanswered.push(error);
        }
    }
}

/// What was asked of a thing, and the answer.
type Answer<Key, T> = (Key, Result<T, AwsError>);

async fn refusals(cloud: &dyn Cloud, plan: &Plan) -> Vec<Answer<Place, Vec<crate::ports::Refusal>>> {
    let asks: Vec<_> = writes_of(plan)
        .into_iter()
        .map(|(place, writes)| async move {
            let writes: Vec<DryRun> = writes.into_values().collect();
            let asked = async { cloud.open(&place).await?.refused(&writes).await }.await;
            (place, asked)
        })
        .collect();
    stream::iter(asks).buffered(AT_ONCE).collect().await
}

/// One write of each kind in each place.
fn writes_of(plan: &Plan) -> BTreeMap<Place, BTreeMap<&'static str, DryRun>> {
    let mut writes: BTreeMap<Place, BTreeMap<&'static str, DryRun>> = BTreeMap::new();
    for action in plan.actions() {
        let of_place = writes.entry(action.place().clone()).or_default();
        for write in writes_for(action) {
            of_place.entry(write.operation()).or_insert(write);
        }
    }
    writes.retain(|_, of_place| !of_place.is_empty());
    writes
}

/// What an action calls EC2 for. RAM has no dry runs.
fn writes_for(action: &Action) -> Vec<DryRun> {
    let write = match action {
        Action::CreateTarget { destination, tags, .. } => {
            DryRun::CreateTarget(destination.clone(), tags.clone())
        }
        Action::CreateFilter { tags, .. } => DryRun::CreateFilter(tags.clone()),
        Action::SetAmazonDns { filter, .. } => DryRun::SetAmazonDns(filter_id(filter)),
        Action::CreateRule { filter, tags, .. } => DryRun::CreateRule(filter_id(filter), tags.clone()),
        Action::ModifyRule { id, .. } => DryRun::ModifyRule(id.clone()),
        Action::DeleteRule { id, .. } => DryRun::DeleteRule(id.clone()),
        Action::CreateSession { key, settings, tags } => DryRun::CreateSession {
            interface: key.interface.clone(),
            target: target_id(&settings.target),
            filter: filter_id(&settings.filter),
            tags: tags.clone(),
        },
        Action::ModifySession { id, .. } => DryRun::ModifySession(id.clone()),
        Action::DeleteSession { id, .. } => DryRun::DeleteSession(id.clone()),
        Action::DeleteFilter { id, .. } => DryRun::DeleteFilter(id.clone()),
        Action::DeleteTarget { id, .. } => DryRun::DeleteTarget(id.clone()),
        Action::Retag { resource, set, remove, .. } => return retag(resource, set, remove),
        Action::CreateShare { .. }
        | Action::ModifyShare { .. }
        | Action::AddToShare { .. }
        | Action::JoinShare { .. }
        | Action::RemoveFromShare { .. }
        | Action::DeleteShare { .. } => return Vec::new(),
    };
    vec![write]
}

fn retag(resource: &Resource, set: &enigma_fleet::inventory::Tags, remove: &[String]) -> Vec<DryRun> {
    let mut writes = Vec::new();
    if !set.is_empty() {
        writes.push(DryRun::SetTags(resource.clone(), set.clone()));
    }
    if !remove.is_empty() {
        writes.push(DryRun::RemoveTags(resource.clone(), remove.to_vec()));
    }
    writes
}

/// The id, or one of its kind where the plan makes it first.
fn target_id(reference: &Ref<TargetId>) -> TargetId {
    match reference {
        Ref::Existing(id) => id.clone(),
        Ref::Planned(_) => "tmt-00000000000000000".parse().expect("the form of a target id"),
    }
}

fn filter_id(reference: &Ref<FilterId>) -> FilterId {
    match reference {
        Ref::Existing(id) => id.clone(),
        Ref::Planned(_) => "tmf-00000000000000000".parse().expect("the form of a filter id"),
    }
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

/// The load balancers of targets.
async fn balancers(
    cloud: &dyn Cloud,
    spec: &FleetSpec,
    home: &Place,
    regions: &BTreeSet<&Region>,
) -> Vec<Answer<Label, Option<Balancer>>> {
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
            let asked = async {
                let mut balancer = cloud.balancers(&place).await?.balancer(arn).await?;
                if let Some(balancer) = &mut balancer {
                    receivers::find_zones(cloud, &place, balancer).await;
                }
                Ok(balancer)
            };
            (label, asked.await)
        })
        .collect();
    stream::iter(asks).buffered(AT_ONCE).collect().await
}

/// What a check needs of a load balancer; `None` of one that is no Network Load Balancer, which AWS takes for no target.
fn facts_of(balancer: &Balancer) -> Option<BalancerFacts> {
    (balancer.kind == "network").then_some(())?;
    let listening = balancer.listeners.iter().filter(|listener| listener.takes_udp(VXLAN_PORT));
    let behind: Vec<_> = listening
        .flat_map(|listener| &listener.groups)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter_map(|arn| balancer.groups.get(arn))
        .collect();
    // A group's own setting goes before the load balancer's.
    let is_cross_zone = if behind.is_empty() {
        balancer.is_cross_zone
    } else {
        behind.iter().all(|group| group.is_cross_zone.unwrap_or(balancer.is_cross_zone))
    };
    let receivers = behind.iter().flat_map(|group| &group.receivers);
    Some(BalancerFacts {
        listeners: balancer.listeners.iter().map(|one| (one.protocol.clone(), one.port)).collect(),
        zones: balancer.zones.keys().cloned().collect(),
        is_cross_zone,
        receivers: receivers
            .map(|one| ReceiverFacts {
                instance: one.id.parse().ok(),
                interface: None,
                address: one.id.parse().ok(),
                zone: one.zone.clone(),
                is_healthy: one.is_healthy(),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests;
