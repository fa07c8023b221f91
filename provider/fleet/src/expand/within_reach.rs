//! Members that no target takes, whatever room there is: AWS mirrors within a Region only, an endpoint takes sources of its own
//! account, and a person may have said whose VPCs a target takes.
//!
//! They are left out before anything is assigned, each with its reason, and with one finding for each Region and reason.

use std::collections::{BTreeMap, BTreeSet};

use crate::expand::Expansion;
use crate::finding::{Finding, FindingKind, Sources};
use crate::ids::{AccountId, Label, MemberKey, Place, Region, VpcId};
use crate::problem::Path;
use crate::selection::{Member, SkipReason, Skipped};
use crate::spec::{FleetSpec, TargetSpec};

/// Why no target takes a member, in the order in which a person must mend them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// Those that its rule admits are in other Regions.
    Region,
    /// Those of its Region are endpoints of other accounts.
    Account,
    /// Those of its Region and account take other VPCs.
    Vpc,
}

/// Members of one Region that lack a target for one cause.
#[derive(Default)]
struct Lacking {
    /// Regions of the targets that would be admitted.
    regions: BTreeSet<Region>,
    /// Those targets themselves.
    targets: BTreeSet<Label>,
    accounts: BTreeSet<AccountId>,
    vpcs: BTreeSet<VpcId>,
    sources: Vec<MemberKey>,
}

/// Takes them out of `members`. A rule that names only targets which do not exist is another mistake, told elsewhere.
pub(super) fn leave_out(
    spec: &FleetSpec,
    home: &Place,
    members: &mut BTreeMap<&MemberKey, &Member>,
    plan: &mut Expansion,
) {
    let mut lacking: BTreeMap<(&Region, Cause), Lacking> = BTreeMap::new();
    members.retain(|key, member| {
        let is_admitted =
            |(label, _): &(&Label, &TargetSpec)| member.targets.is_empty() || member.targets.contains(label);
        let admitted = || spec.targets.iter().filter(is_admitted);
        let takes = |target: &TargetSpec| target.takes(home, &key.place, &member.vpc);
        if admitted().next().is_none() || admitted().any(|(_, target)| takes(target)) {
            return true;
        }
        let is_here = |target: &TargetSpec| target.place(home).region == key.place.region;
        let is_reached = |target: &TargetSpec| target.reaches(home, &key.place);
        let cause = if !admitted().any(|(_, target)| is_here(target)) {
            Cause::Region
        } else if !admitted().any(|(_, target)| is_reached(target)) {
            Cause::Account
        } else {
            Cause::Vpc
        };
        let found = lacking.entry((&key.place.region, cause)).or_default();
        // Of those that nearly would take it.
        for (label, target) in admitted() {
            if cause == Cause::Region || (cause == Cause::Account && is_here(target)) || is_reached(target) {
                found.targets.insert(label.clone());
                found.regions.insert(target.place(home).region);
            }
        }
        found.accounts.insert(key.place.account.clone());
        found.vpcs.insert(member.vpc.clone());
        found.sources.push((*key).clone());
        let skipped = Skipped { reason: SkipReason::NoTarget, detail: detail(cause, found, key, member) };
        plan.not_mirrored.insert((*key).clone(), skipped);
        false
    });
    let at = Path::root().attr("targets");
    plan.findings.extend(lacking.into_iter().map(|((region, cause), found)| {
        let targets: Vec<Label> = found.targets.into_iter().collect();
        let (region, sources) = (region.clone(), Sources::of(found.sources));
        let kind = match cause {
            Cause::Region => FindingKind::RegionWithoutTarget {
                region,
                targets: found.regions.into_iter().collect(),
                sources,
            },
            Cause::Account => FindingKind::AccountWithoutTarget {
                accounts: found.accounts.into_iter().collect(),
                region,
                targets,
                sources,
            },
            Cause::Vpc => FindingKind::VpcWithoutTarget {
                vpcs: found.vpcs.into_iter().collect(),
                region,
                targets,
                sources,
            },
        };
        Finding::at(at.clone(), kind)
    }));
}

/// For one of them, in a sentence.
fn detail(cause: Cause, found: &Lacking, key: &MemberKey, member: &Member) -> String {
    let subject =
        if member.targets.is_empty() { "the fleet's targets" } else { "the targets its rule names" };
    match cause {
        Cause::Region => {
            let regions: Vec<&str> = found.regions.iter().map(Region::as_str).collect();
            format!("{subject} are in {}, and AWS mirrors within a Region only", regions.join(", "))
        }
        Cause::Account => format!(
            "{subject} in {} are Gateway Load Balancer endpoints of other accounts, which take only sources of their own",
            key.place.region
        ),
        Cause::Vpc => {
            format!("{subject} that it could send to name other VPCs than {} in vpc_ids", member.vpc)
        }
    }
}

/// Endpoints without `vpc_ids` that would get sources of several VPCs: mirrored packets follow the routes of the *source's* subnet, and
/// an endpoint is reached from the VPC it is in, so that those of the others go nowhere and nothing says so. Which VPC that is AWS tells
/// only who may look at endpoints; a person knows.
/// <https://docs.aws.amazon.com/vpc/latest/mirroring/tm-example-glb-endpoints.html>
pub(super) fn look_at_endpoints(
    spec: &FleetSpec,
    members: &BTreeMap<MemberKey, Member>,
    plan: &mut Expansion,
) {
    let is_open = |target: &TargetSpec| !target.is_shareable() && target.vpcs.is_empty();
    let mut reached: BTreeMap<&Label, (BTreeSet<VpcId>, Vec<MemberKey>)> = BTreeMap::new();
    for (key, session) in &plan.sessions {
        let label = &session.target.label;
        let Some(member) = members.get(key).filter(|_| spec.targets.get(label).is_some_and(is_open)) else {
            continue;
        };
        let entry = reached.entry(label).or_default();
        entry.0.insert(member.vpc.clone());
        entry.1.push(key.clone());
    }
    let found: Vec<Finding> = reached
        .into_iter()
        .filter(|(_, (vpcs, _))| vpcs.len() > 1)
        .map(|(label, (vpcs, sources))| {
            let kind = FindingKind::EndpointAcrossVpcs {
                target: label.clone(),
                vpcs: vpcs.into_iter().collect(),
                sources: Sources::of(sources),
            };
            Finding::at(Path::root().attr("targets").key(label.as_str()).attr("vpc_ids"), kind)
        })
        .collect();
    plan.findings.extend(found);
}
