//! The plan of a fleet: which sessions, targets and filters there shall be.
//!
//! [`expand`] is a pure function of the specification, the members a person reviewed and what the fleet had before, because
//! Terraform asks twice and demands one answer. What exists stays as it is wherever it still fits; whatever is new is derived
//! from names alone, so that the order of input never matters. What must be done in AWS is found later by [`crate::diff`].

mod assign;
mod facts;
mod number;
mod objects;
mod prior;
mod rest;
mod review;
mod vni;
mod within_reach;

use std::collections::{BTreeMap, BTreeSet};

use crate::adopt::{self, Adoptable};
use crate::finding::{Finding, FindingKind, Sources};
use crate::given::Given;
use crate::ids::{
    AccountId, FleetName, InstanceId, InterfaceId, Label, MemberKey, ObjectKey, PacketLength, Place,
    SessionNumber, Vni,
};
use crate::inventory::{Destination, FilterRule, Tags};
use crate::problem::Path;
use crate::selection::{Member, SkipReason, Skipped};
use crate::spec::{Adopt, FleetSpec, OnIneligible};
use crate::summary::{self, Changes};

pub use facts::{Facts, TargetFacts};
pub use prior::{Prior, PriorSession, PriorState};
pub use rest::{MOST_RESTING, REST, Resting};

/// One session that shall exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredSession {
    /// Its target.
    pub target: ObjectKey,
    /// Its filter, in the source's place.
    pub filter: ObjectKey,
    /// Its number.
    pub number: SessionNumber,
    /// Its VNI.
    pub vni: Vni,
    /// Truncation; `None` is AWS's default.
    pub packet_length: Option<PacketLength>,
    /// The rule that chose it.
    pub rule: Label,
    /// Its instance.
    pub instance: Option<InstanceId>,
    /// Targets that its rule admits; empty is every target.
    pub admitted: Vec<Label>,
    /// Shown in consoles.
    pub description: String,
    /// All tags; `Unknown` until a person's are known.
    pub tags: Given<Tags>,
}

/// One target that shall exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredTarget {
    /// Where it sends; `Unknown` until that is made.
    pub destination: Given<Destination>,
    /// Most sources it takes; `None` is any number.
    pub capacity: Option<usize>,
    /// Most sources AWS lets it have at any moment, as far as is known; `None` is any number.
    pub limit: Option<usize>,
    /// Immutable in AWS, so it says only what never changes.
    pub description: String,
    /// All tags.
    pub tags: Given<Tags>,
}

/// One filter that shall exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredFilter {
    /// AWS's rules, sorted by direction and number.
    pub rules: Given<Vec<FilterRule>>,
    /// Whether DNS to Amazon's resolver is mirrored.
    pub amazon_dns: Given<bool>,
    /// Immutable in AWS, so it says only what never changes.
    pub description: String,
    /// All tags.
    pub tags: Given<Tags>,
}

/// The resource share of one place of targets: with whom they must be shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredShare {
    /// Accounts with sessions that send there, kept ones included; never the targets' own. Not empty.
    pub accounts: BTreeSet<AccountId>,
    /// Every target of the fleet in the place that can be shared.
    pub targets: BTreeSet<Label>,
    /// Whether accounts outside the organization may be among them.
    pub allows_external: bool,
    /// Its name, for consoles.
    pub name: String,
    /// All tags.
    pub tags: Given<Tags>,
}

/// Everything that shall exist of a fleet, and what a reviewer must know.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The fleet.
    pub fleet: FleetName,
    /// Sessions by source.
    pub sessions: BTreeMap<MemberKey, DesiredSession>,
    /// Every target of the specification, in the account of its destination.
    pub targets: BTreeMap<ObjectKey, DesiredTarget>,
    /// Filters that sessions use, once in every place of theirs.
    pub filters: BTreeMap<ObjectKey, DesiredFilter>,
    /// Resource shares by the place of the targets, where other accounts send to them.
    pub shares: BTreeMap<Place, DesiredShare>,
    /// Members that get no session.
    pub not_mirrored: BTreeMap<MemberKey, Skipped>,
    /// Sessions in places that could not be read: they stay exactly as they are.
    pub kept: BTreeMap<MemberKey, PriorSession>,
    /// Live sessions that leave the fleet.
    pub removed: BTreeSet<MemberKey>,
    /// Sessions of nobody that become the fleet's, as they are now. Their sources are among `sessions`.
    pub adopted: BTreeMap<MemberKey, Adoptable>,
    /// How the sessions differ from before.
    pub changes: Changes,
    /// Errors first. With an error nothing may be carried out.
    pub findings: Vec<Finding>,
    /// One sentence that does not change while nothing changes, fit for state.
    pub summary: String,
    /// The same with what this plan adds, removes and changes, for a reviewer.
    pub headline: String,
}

impl Expansion {
    /// Nothing shall exist: the plan of a destroy.
    pub fn nothing(fleet: FleetName) -> Self {
        Self {
            fleet,
            sessions: BTreeMap::new(),
            targets: BTreeMap::new(),
            filters: BTreeMap::new(),
            shares: BTreeMap::new(),
            not_mirrored: BTreeMap::new(),
            kept: BTreeMap::new(),
            removed: BTreeSet::new(),
            adopted: BTreeMap::new(),
            changes: Changes::default(),
            findings: Vec::new(),
            summary: String::new(),
            headline: String::new(),
        }
    }

    /// The label of each destination that is known, for [`Owned::relabel`](crate::ownership::Owned::relabel).
    #[must_use]
    pub fn labels(&self) -> BTreeMap<&Destination, &Label> {
        self.targets.iter().filter_map(|(key, one)| Some((one.destination.known()?, &key.label))).collect()
    }

    /// Whether some finding forbids going on.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}

/// Plans a fleet. Targets live where [`TargetSpec::place`](crate::spec::TargetSpec::place) says. With empty `facts`
/// about receivers AWS's lower limits hold and nothing is taken over.
pub fn expand(
    spec: &FleetSpec,
    home: &Place,
    members: &BTreeMap<MemberKey, Member>,
    prior: &Prior,
    facts: &Facts,
) -> Expansion {
    let mut plan = Expansion::nothing(spec.name.clone());
    let claimed = prior.claim(&spec.name, members);
    let members = claimed.as_ref().unwrap_or(members);
    plan.adopted = match spec.safety.adopt {
        Adopt::None => BTreeMap::new(),
        Adopt::Matching => adopt::choose(&spec.name, members, prior, &facts.adoptable),
    };
    let with_adopted;
    let members = if plan.adopted.is_empty() {
        members
    } else {
        with_adopted = adopt::members_with(&spec.name, members, &plan.adopted);
        &with_adopted
    };
    let mut known = prior.with_observed(spec, members, facts);
    known.stranger_vnis.extend(&facts.stranger_vnis);
    adopt::remember(&mut known, &plan.adopted, &strange_vnis(spec, members, facts));
    let receivers = Receivers::of(spec, home, members, facts);
    let out_of_sight = prior.out_of_sight();
    let mut eligible = BTreeMap::new();
    for (key, member) in members {
        let reason = receivers.reason_against(key, member);
        match reason.or_else(|| known.reason_to_wait(key, &out_of_sight)) {
            Some(skipped) => {
                plan.not_mirrored.insert(key.clone(), skipped);
            }
            None => {
                eligible.insert(key, member);
            }
        }
    }
    assign::report_unknown(spec, &eligible, &mut plan.findings);
    within_reach::leave_out(spec, home, &mut eligible, &mut plan);
    let filters = objects::choose_filters(spec, &eligible, &mut plan.findings);
    eligible.retain(|key, _| filters.contains_key(key));
    let targets = assign::assign(spec, home, facts, &eligible, &known, &mut plan);
    eligible.retain(|key, _| targets.contains_key(key));
    let numbers = number::allocate(spec, &eligible, &known, &mut plan.findings);
    eligible.retain(|key, _| numbers.contains_key(key));
    let vnis = vni::allocate(spec, &eligible, &known, &mut plan);
    for (key, member) in eligible {
        let (Some(target), Some(filter), Some(number), Some(vni)) =
            (targets.get(key), filters.get(key), numbers.get(key), vnis.get(key))
        else {
            continue;
        };
        let session = DesiredSession {
            target: ObjectKey { place: spec.targets[*target].place(home), label: (*target).clone() },
            filter: ObjectKey { place: key.place.clone(), label: (*filter).clone() },
            number: *number,
            vni: *vni,
            packet_length: member.packet_length.or(spec.session.packet_length),
            rule: member.rule.clone(),
            instance: member.instance.clone(),
            admitted: member.targets.clone(),
            description: format!("enigma fleet {}", spec.name),
            tags: objects::session_tags(spec, key, member),
        };
        plan.sessions.insert(key.clone(), session);
    }
    // What is taken over joins the fleet, so for a reviewer it was not there before.
    for key in plan.adopted.keys() {
        known.sessions.remove(key);
        known.sessions.extend(prior.sessions.get(key).map(|session| (key.clone(), session.clone())));
    }
    plan.adopted.retain(|key, _| plan.sessions.contains_key(key));
    if !plan.adopted.is_empty() {
        let sessions = plan.adopted.iter().map(|(key, one)| (key.clone(), one.session.clone())).collect();
        let at = Path::root().attr("safety").attr("adopt");
        plan.findings.push(Finding::at(at, FindingKind::SessionsAdopted { sessions }));
    }
    for (key, session) in &prior.sessions {
        let is_kept = prior.unread.contains(&key.place) && session.state.is_live();
        if is_kept && !members.contains_key(key) {
            plan.kept.insert(key.clone(), session.clone());
        }
    }
    objects::place_targets(spec, home, facts, &mut plan);
    objects::place_filters(spec, &mut plan);
    objects::place_shares(spec, home, &mut plan);
    within_reach::look_at_endpoints(spec, members, &mut plan);
    review::review(spec, members, &review::Before { remembered: prior, known: &known }, &mut plan);
    // What an account out of sight mirrors is mirrored.
    let ineligible: Vec<MemberKey> = plan
        .not_mirrored
        .iter()
        .filter(|(_, one)| one.reason != SkipReason::KeptElsewhere)
        .map(|(key, _)| key.clone())
        .collect();
    if spec.safety.on_ineligible == OnIneligible::Fail && !ineligible.is_empty() {
        let sources = Sources::of(ineligible);
        let at = Path::root().attr("safety").attr("on_ineligible");
        plan.findings.push(Finding::at(at, FindingKind::Ineligible { sources }));
    }
    plan.findings.sort_by_key(Finding::severity);
    (plan.summary, plan.headline) = summary::of_expansion(&plan, members.len());
    plan
}

/// Sessions on a member that are not this fleet's.
fn strangers<'a>(
    fleet: &'a FleetName,
    member: &'a Member,
) -> impl Iterator<Item = &'a crate::selection::HeldSession> {
    member.held.iter().filter(|held| held.fleet.as_deref() != Some(fleet.as_str()))
}

/// VNIs of strangers that stay strangers.
fn strange_vnis(spec: &FleetSpec, members: &BTreeMap<MemberKey, Member>, facts: &Facts) -> BTreeSet<u32> {
    let held = members.values().flat_map(|member| strangers(&spec.name, member)).filter_map(|held| held.vni);
    facts.stranger_vnis.iter().copied().chain(held).collect()
}

/// Who receives, indexed: what the selection could not know, since it knows neither the fleet's name nor its targets.
struct Receivers<'a> {
    interfaces: BTreeMap<&'a InterfaceId, &'a Label>,
    instances: BTreeMap<&'a InstanceId, &'a Label>,
    spec: &'a FleetSpec,
}

impl<'a> Receivers<'a> {
    fn of(
        spec: &'a FleetSpec,
        home: &Place,
        members: &'a BTreeMap<MemberKey, Member>,
        facts: &'a Facts,
    ) -> Self {
        let mut receivers = Self { spec, interfaces: BTreeMap::new(), instances: BTreeMap::new() };
        for (label, target) in &spec.targets {
            let Given::Known(Destination::Interface(id)) = &target.destination else { continue };
            receivers.interfaces.insert(id, label);
            let key = MemberKey { place: target.place(home), interface: id.clone() };
            let selected = members.get(&key).and_then(|member| member.instance.as_ref());
            let seen = facts.targets.get(label).and_then(|facts| facts.instance.as_ref());
            receivers.instances.extend(selected.or(seen).map(|instance| (instance, label)));
        }
        receivers
    }

    fn reason_against(&self, key: &MemberKey, member: &Member) -> Option<Skipped> {
        let spec = self.spec;
        if let Some(target) = self.interfaces.get(&key.interface) {
            let detail = format!("it is the destination of the fleet's target {target}");
            return Some(Skipped { reason: SkipReason::IsTarget, detail });
        }
        if let Some((instance, target)) =
            member.instance.as_ref().and_then(|instance| self.instances.get_key_value(instance))
        {
            // Its uplink carries what it was sent, so mirroring it would mirror the mirrored.
            let detail = format!("another interface of instance {instance} is the fleet's target {target}");
            return Some(Skipped { reason: SkipReason::Collector, detail });
        }
        let held: Vec<&str> = strangers(&spec.name, member).map(|held| held.session.as_str()).collect();
        (held.len() >= crate::quota::SESSIONS_PER_SOURCE).then(|| Skipped {
            reason: SkipReason::NoSessionSlot,
            detail: format!("sessions {} of others hold all slots of the interface", held.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests;
