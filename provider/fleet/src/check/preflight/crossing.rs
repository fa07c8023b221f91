//! Mirrored traffic that crosses zones, which AWS charges by volume (<https://aws.amazon.com/ec2/pricing/on-demand/>,
//! data transfer within a Region): told for every session of a plan whose target is known to be in other zones.

use std::collections::BTreeMap;

use crate::check::preflight::Scene;
use crate::finding::{Finding, FindingKind, Sources};
use crate::ids::{Label, MemberKey, ZoneName};
use crate::problem::Path;
use crate::spec::TargetSpec;
use crate::zones::Zone;

/// One finding for each target, at what says where it is.
pub(super) fn look(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let known: BTreeMap<&Label, (Vec<&ZoneName>, &str)> = scene
        .spec
        .targets
        .iter()
        .map(|(label, target)| (label, zones_of(scene, label, target)))
        .filter(|(_, (zones, _))| !zones.is_empty())
        .collect();
    let mut crossing: BTreeMap<&Label, Vec<MemberKey>> = BTreeMap::new();
    for (key, session) in &scene.expansion.sessions {
        let label = &session.target.label;
        let (Some((zones, _)), Some(member)) = (known.get(label), scene.members.get(key)) else { continue };
        let zone = Zone { account: &key.place.account, name: &member.zone };
        let account = &session.target.place.account;
        if scene.facts.zones.is_among(zone, account, zones.iter().copied()) == Some(false) {
            crossing.entry(label).or_default().push(key.clone());
        }
    }
    findings.extend(crossing.into_iter().map(|(label, sources)| {
        let kind = FindingKind::CrossesZones { target: label.clone(), sources: Sources::of(sources) };
        let (_, attribute) = known[label];
        Finding::at(Path::root().attr("targets").key(label.as_str()).attr(attribute), kind)
    }));
}

/// The zones that a target is in as its account calls them, and the attribute that says so: as written, else those of
/// its interface or of the nodes of its load balancer. None where nobody knows. Sources in a zone without a node of a
/// load balancer that keeps to zones are told as unserved.
fn zones_of<'a>(
    scene: &Scene<'a>,
    label: &Label,
    target: &'a TargetSpec,
) -> (Vec<&'a ZoneName>, &'static str) {
    if !target.zones.is_empty() {
        return (target.zones.iter().collect(), "availability_zones");
    }
    if let Some(zone) = scene.answers.paths.target_zones.get(label) {
        return (vec![zone], "network_interface_id");
    }
    let balancer = scene.answers.balancers.get(label).and_then(Option::as_ref);
    let nodes = balancer.filter(|balancer| balancer.is_cross_zone).map(|balancer| balancer.zones.iter());
    (nodes.into_iter().flatten().collect(), "network_load_balancer_arn")
}
