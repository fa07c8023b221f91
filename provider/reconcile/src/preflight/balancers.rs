//! Load balancers as a check looks at them, and who receives behind them.
//!
//! Elastic Load Balancing names what is registered by instance or by address. Where those are, and which interface an address
//! belongs to, is known to whoever looked at interfaces a moment ago, so that it costs no call; what was not seen stays unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use enigma_fleet::check::{BalancerFacts, ReceiverFacts};
use enigma_fleet::ids::{InstanceId, Place, VpcId};
use enigma_fleet::inventory::Interface;

use crate::ports::{AwsError, Balancer, Cloud, Group, Receiver};

/// The port of VXLAN, the only one that AWS mirrors to.
pub(super) const VXLAN_PORT: u16 = 4789;
/// AWS's types of groups by what is registered in them; `alb` is the third, and takes TCP alone.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html>
const OF_INSTANCES: &str = "instance";
const OF_ADDRESSES: &str = "ip";

/// What was found of one load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) vpc: Option<VpcId>,
    /// `None` of one that is no Network Load Balancer, which AWS takes for no target.
    pub(super) facts: Option<BalancerFacts>,
}

/// Reads one load balancer; `None` where there is none. `places` are those whose interfaces may have been looked at:
/// accounts that share a VPC may register one another's interfaces.
pub(super) async fn find(
    cloud: &dyn Cloud,
    place: &Place,
    arn: &str,
    places: &BTreeSet<&Place>,
) -> Result<Option<Found>, AwsError> {
    let Some(balancer) = cloud.balancers(place).await?.balancer(arn).await? else { return Ok(None) };
    let vpc = balancer.vpc.clone();
    let Some(mut facts) = facts_of(&balancer) else { return Ok(Some(Found { vpc, facts: None })) };
    let others = places.iter().copied().filter(|one| one.region == place.region && *one != place);
    for known in std::iter::once(place).chain(others) {
        let unknown: Vec<_> = facts.receivers.iter_mut().filter(|one| is_unknown(one)).collect();
        if unknown.is_empty() {
            break;
        }
        // A place that cannot be opened fails other questions too, which is told there.
        let Ok(open) = cloud.open(known).await else { continue };
        let Some(seen) = open.remembered_interfaces().await else { continue };
        identify(unknown, &seen, vpc.as_ref());
    }
    Ok(Some(Found { vpc, facts: Some(facts) }))
}

pub(super) fn facts_of(balancer: &Balancer) -> Option<BalancerFacts> {
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
    let receivers =
        behind.iter().flat_map(|group| group.receivers.iter().map(|receiver| registered(group, receiver)));
    Some(BalancerFacts {
        listeners: balancer.listeners.iter().map(|one| (one.protocol.clone(), one.port)).collect(),
        zones: balancer.zones.keys().cloned().collect(),
        is_cross_zone,
        receivers: receivers.collect(),
    })
}

/// A receiver as Elastic Load Balancing knows it.
fn registered(group: &Group, receiver: &Receiver) -> ReceiverFacts {
    ReceiverFacts {
        instance: receiver.id.parse().ok().filter(|_| group.kind == OF_INSTANCES),
        interface: None,
        address: receiver.id.parse().ok().filter(|_| group.kind == OF_ADDRESSES),
        zone: receiver.zone.clone(),
        is_healthy: receiver.is_healthy(),
    }
}

/// Whether interfaces could say more of it.
fn is_unknown(receiver: &ReceiverFacts) -> bool {
    match (&receiver.address, &receiver.instance) {
        (Some(_), _) => receiver.interface.is_none(),
        (None, Some(_)) => receiver.zone.is_none(),
        (None, None) => false,
    }
}

/// Fills in what interfaces tell: an instance and all its interfaces are in one zone, and an address belongs to one
/// interface of a VPC. <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html>
fn identify(receivers: Vec<&mut ReceiverFacts>, seen: &[Interface], vpc: Option<&VpcId>) {
    let instance = |one: &'_ Interface| one.attachment.as_ref().and_then(|at| at.instance.clone());
    let by_instance: BTreeMap<InstanceId, &Interface> =
        seen.iter().filter_map(|one| Some((instance(one)?, one))).collect();
    // The addresses that are looked for are few, those of a place are many.
    let wanted: BTreeSet<IpAddr> = receivers.iter().filter_map(|one| one.address).collect();
    let in_vpc = seen.iter().filter(|one| vpc == Some(&one.vpc) && !wanted.is_empty());
    let by_address: BTreeMap<IpAddr, &Interface> = in_vpc
        .flat_map(|one| one.addresses().into_iter().map(move |address| (address, one)))
        .filter(|(address, _)| wanted.contains(address))
        .collect();
    for receiver in receivers {
        let found = match (&receiver.address, &receiver.instance) {
            (Some(address), _) => by_address.get(address),
            (None, Some(instance)) => by_instance.get(instance),
            (None, None) => None,
        };
        let Some(interface) = found else { continue };
        if receiver.address.is_some() {
            receiver.interface = Some(interface.id.clone());
            receiver.instance = instance(interface);
        }
        receiver.zone.get_or_insert_with(|| interface.zone.clone());
    }
}
