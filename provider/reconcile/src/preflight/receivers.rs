//! Who receives behind targets, as interfaces: their VPCs and zones.
//!
//! A load balancer's answers do not say where registered instances are, but whoever looked at a place's interfaces a moment ago
//! knows, so that costs no call. Interfaces of targets are read only for those with a path, of which it depends whether a
//! source needs it. What neither tells stays unknown.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::check::Paths;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{InterfaceId, Label, Place, Region, ZoneName};
use enigma_fleet::inventory::{Destination, Interface};
use enigma_fleet::spec::FleetSpec;
use futures::stream::{self, StreamExt};

use super::patience::{Patience, in_time};
use super::{AT_ONCE, Answer};
use crate::ports::{Balancer, Cloud, InterfaceScope};

/// AWS's type of groups whose receivers are instances.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html>
const OF_INSTANCES: &str = "instance";

/// Fills in the zones of receivers that are instances: that of their interfaces, since an instance and all its interfaces are in one
/// zone. <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html>
pub(super) async fn find_zones(cloud: &dyn Cloud, place: &Place, balancer: &mut Balancer) {
    let groups = balancer.groups.values_mut().filter(|group| group.kind == OF_INSTANCES);
    let homeless: Vec<_> =
        groups.flat_map(|group| &mut group.receivers).filter(|one| one.zone.is_none()).collect();
    if homeless.is_empty() {
        return;
    }
    // A place that cannot be opened has failed the question about the load balancer itself, which is told.
    let Ok(open) = cloud.open(place).await else { return };
    let Some(seen) = open.remembered_interfaces().await else { return };
    let zones: BTreeMap<&str, &ZoneName> = seen
        .iter()
        .filter_map(|one| Some((one.attachment.as_ref()?.instance.as_ref()?.as_str(), &one.zone)))
        .collect();
    for receiver in homeless {
        receiver.zone = zones.get(receiver.id.as_str()).map(|zone| (*zone).clone());
    }
}

/// Targets by the interface they are.
type Labels = BTreeMap<InterfaceId, Label>;

/// The interfaces of targets with a path: one call for each place.
pub(super) async fn interfaces(
    cloud: &dyn Cloud,
    spec: &FleetSpec,
    home: &Place,
    regions: &BTreeSet<&Region>,
    patience: Patience,
) -> Vec<Answer<(Labels, Place), Vec<Interface>>> {
    let mut wanted: BTreeMap<Place, Labels> = BTreeMap::new();
    for (label, target) in spec.targets.iter().filter(|(_, target)| target.path.is_some()) {
        let place = target.place(home);
        if let (Given::Known(Destination::Interface(id)), true) =
            (&target.destination, regions.contains(&place.region))
        {
            wanted.entry(place).or_default().insert(id.clone(), label.clone());
        }
    }
    let asks: Vec<_> = wanted
        .into_iter()
        .map(|(place, labels)| async move {
            let scope = InterfaceScope::Ids(labels.keys().cloned().collect());
            let asked = async { cloud.open(&place).await?.interfaces(&scope).await };
            let asked = in_time(patience.until(), asked).await;
            ((labels, place), asked)
        })
        .collect();
    stream::iter(asks).buffered(AT_ONCE).collect().await
}

/// What interfaces tell of the ways to them: their VPC, and that one without an IPv4 address is reached over IPv6.
pub(super) fn note(labels: &Labels, seen: Vec<Interface>, paths: &mut Paths) {
    for interface in seen {
        let Some(label) = labels.get(&interface.id) else { continue };
        if interface.ipv4.is_none() && !interface.ipv6.is_empty() {
            paths.over_ipv6.insert(label.clone());
        }
        paths.target_vpcs.insert(label.clone(), interface.vpc);
    }
}
