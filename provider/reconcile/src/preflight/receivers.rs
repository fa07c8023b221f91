//! Interfaces that are targets: the instances they belong to, whose other interfaces must not be mirrored, and their
//! VPCs. A selection does not know them before something sends there.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::check::{Answers, InterfaceFacts};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{InterfaceId, Label, Place, Region};
use enigma_fleet::inventory::{Destination, Interface};
use enigma_fleet::spec::FleetSpec;
use futures::stream::{self, StreamExt};

use super::patience::{Patience, in_time};
use super::{AT_ONCE, Answer};
use crate::ports::{Cloud, InterfaceScope};

/// Targets by the interface they are.
type Labels = BTreeMap<InterfaceId, Label>;

/// The interfaces of targets: one call for each place that has some.
pub(super) async fn interfaces(
    cloud: &dyn Cloud,
    spec: &FleetSpec,
    home: &Place,
    regions: &BTreeSet<&Region>,
    patience: Patience,
) -> Vec<Answer<(Labels, Place), Vec<Interface>>> {
    let mut wanted: BTreeMap<Place, Labels> = BTreeMap::new();
    for (label, target) in &spec.targets {
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

/// What interfaces tell of themselves and the ways to them: that they are there, their instance, their VPC, and that
/// one without an IPv4 address is reached over IPv6. One that was asked for and is not among them does not exist.
pub(super) fn note(labels: &Labels, seen: Vec<Interface>, answers: &mut Answers) {
    answers.interfaces.extend(labels.values().map(|label| (label.clone(), None)));
    let paths = &mut answers.paths;
    for interface in seen {
        let Some(label) = labels.get(&interface.id) else { continue };
        if interface.ipv4.is_none() && !interface.ipv6.is_empty() {
            paths.over_ipv6.insert(label.clone());
        }
        let facts = InterfaceFacts { is_attached: interface.attachment.is_some() };
        answers.interfaces.insert(label.clone(), Some(facts));
        let instance = interface.attachment.and_then(|attachment| attachment.instance);
        paths.target_instances.extend(instance.map(|instance| (label.clone(), instance)));
        paths.target_zones.insert(label.clone(), interface.zone);
        paths.target_vpcs.insert(label.clone(), interface.vpc);
    }
}
