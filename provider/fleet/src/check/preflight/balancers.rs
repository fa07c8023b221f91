//! Load balancers: whether what is sent to them arrives anywhere.
//!
//! AWS makes a session to a load balancer without a listener, or in whose zones nobody receives, and then nothing arrives and
//! nothing says so. <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-targets.html>

use std::collections::{BTreeMap, BTreeSet};

use crate::check::preflight::Scene;
use crate::finding::{Finding, FindingKind, Sources};
use crate::ids::{Label, MemberKey, ZoneName};
use crate::problem::Path;

/// VXLAN's port, the only one AWS mirrors to (RFC 7348 section 5).
const VXLAN_PORT: u16 = 4789;

/// What was seen of one Network Load Balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BalancerFacts {
    /// Protocol and port of each listener, as AWS writes the protocol: `UDP`, `TCP_UDP`, `TCP`, ...
    pub listeners: Vec<(String, u16)>,
    /// Zones in which it has a node.
    pub zones: BTreeSet<ZoneName>,
    /// Whether nodes send to receivers of all zones: the load balancer's attribute, or that of the groups behind the listener.
    pub is_cross_zone: bool,
    /// Everything registered behind the UDP listener on 4789.
    pub receivers: Vec<ReceiverFacts>,
}

/// One registered receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverFacts {
    /// Its zone, where it is known.
    pub zone: Option<ZoneName>,
    /// Whether its health check passes.
    pub is_healthy: bool,
}

impl BalancerFacts {
    fn listens(&self) -> bool {
        let takes = |(protocol, port): &(String, u16)| {
            *port == VXLAN_PORT && matches!(protocol.as_str(), "UDP" | "TCP_UDP")
        };
        self.listeners.iter().any(takes)
    }

    /// Whether packets of sources in a zone reach somebody healthy; `None` where that cannot be told.
    fn serves(&self, zone: &ZoneName) -> Option<bool> {
        if self.is_cross_zone {
            return Some(true);
        }
        if !self.zones.contains(zone) {
            return Some(false);
        }
        if self.receivers.iter().any(|one| one.zone.is_none()) {
            return None;
        }
        Some(self.receivers.iter().any(|one| one.is_healthy && one.zone.as_ref() == Some(zone)))
    }
}

/// The first of what is wrong with each load balancer that sessions send to: the causes hide one another.
pub(super) fn look(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let mut zones: BTreeMap<&Label, BTreeMap<&ZoneName, Vec<&MemberKey>>> = BTreeMap::new();
    for (key, session) in &scene.expansion.sessions {
        let Some(member) = scene.members.get(key) else { continue };
        zones.entry(&session.target.label).or_default().entry(&member.zone).or_default().push(key);
    }
    for (label, balancer) in &scene.answers.balancers {
        let at = Path::root().attr("targets").key(label.as_str()).attr("network_load_balancer_arn");
        let zones = zones.remove(label).unwrap_or_default();
        findings.extend(judge(label, balancer.as_ref(), &zones).map(|kind| Finding::at(at, kind)));
    }
}

fn judge(
    label: &Label,
    balancer: Option<&BalancerFacts>,
    sources: &BTreeMap<&ZoneName, Vec<&MemberKey>>,
) -> Option<FindingKind> {
    let target = label.clone();
    let Some(balancer) = balancer else { return Some(FindingKind::BalancerMissing { target }) };
    if !balancer.listens() {
        let listeners =
            balancer.listeners.iter().map(|(protocol, port)| format!("{protocol} {port}")).collect();
        return Some(FindingKind::BalancerWithoutListener { target, listeners });
    }
    if !balancer.receivers.iter().any(|one| one.is_healthy) {
        return Some(FindingKind::BalancerUnhealthy { target, receivers: balancer.receivers.len() });
    }
    let unserved: Vec<&ZoneName> =
        sources.keys().copied().filter(|zone| balancer.serves(zone) == Some(false)).collect();
    if unserved.is_empty() {
        return None;
    }
    let keys = unserved.iter().flat_map(|zone| &sources[*zone]).map(|key| (*key).clone());
    let sources = Sources::of(keys);
    Some(FindingKind::BalancerZonesUnserved {
        target,
        zones: unserved.into_iter().cloned().collect(),
        sources,
    })
}
