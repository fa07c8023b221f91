//! What a check found out about a world and a plan: facts with their evidence, and words for people.
//!
//! A finding that concerns many interfaces is one finding with a count and three examples. Mistakes in a text are
//! [`Problem`](crate::problem::Problem)s instead; what happened in an execution is an outcome, and neither is known here.

mod text;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::check::{Flaw, PathKind};
use crate::filter::IpVersion;
use crate::ids::{
    AccountId, InstanceId, InterfaceId, Label, MemberKey, ObjectKey, Place, Region, SessionId, ShareArn,
    TargetId, Vni, VpcId,
};
use crate::inventory::Direction;
use crate::plan::Holder;
use crate::problem::Path;
use crate::spec::MaxRemovals;

/// Whether a plan may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing may be done.
    Error,
    /// A person should know.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The attribute it is about; the root where it is about none.
    pub path: Path,
    /// What was found, with the evidence.
    pub kind: FindingKind,
}

/// How many sources something concerns, and the first three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// All of them.
    pub count: usize,
    /// The first in order of keys, for a person to look at.
    pub examples: Vec<MemberKey>,
}

impl Sources {
    /// Counts sources and keeps three.
    #[must_use]
    pub fn of(keys: impl IntoIterator<Item = MemberKey>) -> Self {
        let mut examples: Vec<MemberKey> = keys.into_iter().collect();
        examples.sort_unstable();
        let count = examples.len();
        examples.truncate(3);
        Self { count, examples }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// Members' accounts have no target in a Region that their rules admit: the `targets` there are endpoints of other accounts.
    AccountWithoutTarget { accounts: Vec<AccountId>, region: Region, targets: Vec<Label>, sources: Sources },
    /// There is no such load balancer.
    BalancerMissing { target: Label },
    /// No receiver of a load balancer is healthy; with none at all, nobody is registered.
    BalancerUnhealthy { target: Label, receivers: usize },
    /// A load balancer does not take UDP on VXLAN's port.
    BalancerWithoutListener { target: Label, listeners: Vec<String> },
    /// In zones of its sources a load balancer has no node, or nobody healthy behind it.
    BalancerZonesUnserved { target: Label, zones: Vec<String>, sources: Sources },
    /// Interfaces of an instance that receives mirrored traffic would be mirrored to it: each copy would be copied again.
    CollectorMirrored { target: Label, instance: InstanceId, sources: Sources },
    /// Sources send to a target that is in other zones, as far as is known.
    CrossesZones { target: Label, sources: Sources },
    /// A load balancer belongs to another account than the fleet's targets.
    DestinationOfAnotherAccount { target: Label, account: String, home: Place },
    /// A load balancer lies in another Region than the fleet's targets.
    DestinationElsewhere { target: Label, region: String, home: Place },
    /// A Gateway Load Balancer endpoint of which nobody said whose VPC it is in gets sources of several.
    EndpointAcrossVpcs { target: Label, vpcs: Vec<VpcId>, sources: Sources },
    /// Sources whose session another account makes from now on: the owner of their subnet did, and they do
    /// themselves, or the other way round.
    HandedOver { from: AccountId, to: AccountId, sources: Sources },
    /// All sessions of the fleet leave.
    FleetEmptied { removed: usize },
    /// The filter cannot be changed without missing some wanted packets for a moment.
    FilterNarrowsForAMoment { filter: ObjectKey },
    /// A filter mirrors one direction only.
    FilterOneDirection { filter: Label, direction: Direction },
    /// A filter mirrors one IP version only.
    FilterOneVersion { filter: Label, version: IpVersion },
    /// The fleet's members could not be mirrored, and a person asked for that to be an error.
    Ineligible { sources: Sources },
    /// An interface that shall be a target is one already, of a target that is not the fleet's.
    InterfaceHasTarget { target: Label, interface: InterfaceId, by: TargetId },
    /// An interface that shall be a target does not exist.
    InterfaceMissing { target: Label, interface: InterfaceId, place: Place },
    /// An interface that shall be a target is a source of sessions that are not the fleet's.
    InterfaceMirrored { target: Label, interface: InterfaceId, sessions: Vec<Holder> },
    /// An interface that shall be a target belongs to no instance, so that nobody receives.
    InterfaceUnattached { target: Label, interface: InterfaceId },
    /// The selection left nobody to mirror.
    NothingSelected,
    /// Session numbers up to AWS's largest are taken on these sources.
    NumbersExhausted { sources: Sources },
    /// An object of the fleet stays because sessions of others use it, or those of the fleet itself in places that
    /// could not be read, which are named if nobody else does.
    ObjectInUseByOthers { object: String, unread: Vec<Place> },
    /// Two rules of equal priority match the same interfaces with different outcomes.
    OverlappingRules { rules: (Label, Label), priority: u32, sources: Sources },
    /// Packet lengths too large for a Network Load Balancer.
    PacketLengthOverNlb { target: Label, sources: Sources },
    /// Packet lengths too small for IPv6.
    PacketLengthUnderIpv6 { filter: Label, sources: Sources },
    /// Packets as long as these sessions send do not fit the way to the target.
    PacketLengthOverPath { target: Label, path: PathKind, limit: u16, sources: Sources },
    /// AWS refuses writes that the plan needs.
    PermissionMissing { account: AccountId, regions: Vec<Region>, actions: Vec<String>, message: String },
    /// A place could not be read.
    PlaceUnread { place: Place, why: String },
    /// A plan is wrong: a defect of this program.
    PlanFlawed { flaw: Flaw },
    /// More sessions, targets or filters than AWS allows in one place.
    QuotaExceeded { what: &'static str, place: Place, wanted: usize, limit: usize },
    /// A quota is nearly used up.
    QuotaNear { what: &'static str, place: Place, used: usize, limit: usize },
    /// Interfaces of whom a load balancer sends mirrored traffic to would be mirrored to it: each copy would be copied again. The
    /// receiver is the one that is registered, in words.
    ReceiverMirrored { target: Label, receiver: String, sources: Sources },
    /// Members are in a Region that has no target their rules admit; `targets` are the Regions that have one.
    RegionWithoutTarget { region: Region, targets: Vec<Region>, sources: Sources },
    /// Targets that have no room would have to exchange sources, and no target with room is admitted to the sources meanwhile.
    RingOfFullTargets { targets: Vec<Label>, sources: Sources },
    /// A mirroring rule has no condition, `excludes` aside, so it means whatever is read.
    RuleWithoutCondition { rule: Label, excludes: bool },
    /// A rule decided about no interface.
    RuleDecidesNothing { rule: Label },
    /// A resource share of the fleet stays wider than the fleet needs it, because others use it or put something into it. Places
    /// as above.
    ShareInUseByOthers { share: ShareArn, what: Vec<String>, unread: Vec<Place> },
    /// Sessions of nobody become the fleet's: all of them, since each is another's work.
    SessionsAdopted { sessions: Vec<(MemberKey, SessionId)> },
    /// Another fleet has sessions on the same sources.
    SourcesOfAnotherFleet { fleet: String, sources: Sources },
    /// A session of others has a lower number on these sources and takes the packets its filter accepts.
    StarvedByOthers { sources: Sources },
    /// Ours have the lower number and take packets from sessions of others.
    StarvesOthers { sources: Sources },
    /// The plan takes long at the rates at which AWS takes calls.
    TakesLong { calls: usize, minutes: u64, slowest: Place },
    /// Sessions in places that could not be read stay as they are.
    SessionsKept { places: Vec<Place>, sources: Sources },
    /// An interface target takes few sources more.
    TargetNearlyFull { target: Label, used: usize, limit: usize },
    /// All candidate targets are full.
    TargetsFull { targets: Vec<Label>, sources: Sources },
    /// Too many sessions would be removed.
    TooManyRemovals { removed: usize, live: usize, limit: usize, setting: MaxRemovals, sources: Sources },
    /// Too many sessions of single accounts would be removed: account, removed sessions and live ones.
    TooManyRemovalsInAccounts {
        accounts: Vec<(AccountId, usize, usize)>,
        setting: MaxRemovals,
        sources: Sources,
    },
    /// Packets as long as these sources may send do not fit the interface of a target and are cut there. They have a
    /// packet length above the limit, or none, and then their MTU decides, which nobody knows.
    TruncatedByTarget { target: Label, mtu: u16, limit: u16, has_length: bool, sources: Sources },
    /// Rules name a filter that the fleet lacks; `None` where they name none and there is no default.
    UnknownFilter { filter: Option<Label>, known: Vec<Label>, rules: Vec<Label>, sources: Sources },
    /// Rules name a target that the fleet lacks.
    UnknownTarget { target: Label, known: Vec<Label>, rules: Vec<Label>, sources: Sources },
    /// Something is still unknown when an object must be made of it.
    ValueUnknown { object: String, what: &'static str },
    /// A session of ours has the VNI of someone else's.
    VniShared { sources: Sources },
    /// The range has fewer VNIs than sessions need.
    VnisExhausted { from: Vni, to: Vni, sources: Sources },
    /// Members' VPCs have no target in a Region that their rules admit: the `targets` there take other VPCs.
    VpcWithoutTarget { vpcs: Vec<VpcId>, region: Region, targets: Vec<Label>, sources: Sources },
}

impl Finding {
    /// A finding about an attribute.
    #[must_use]
    pub fn at(path: Path, kind: FindingKind) -> Self {
        Self { path, kind }
    }

    /// Whether it forbids going on.
    #[must_use]
    pub fn severity(&self) -> Severity {
        use FindingKind as Kind;
        match self.kind {
            Kind::BalancerMissing { .. }
            | Kind::CollectorMirrored { .. }
            | Kind::DestinationElsewhere { .. }
            | Kind::DestinationOfAnotherAccount { .. }
            | Kind::Ineligible { .. }
            | Kind::InterfaceHasTarget { .. }
            | Kind::InterfaceMirrored { .. }
            | Kind::InterfaceMissing { .. }
            | Kind::NumbersExhausted { .. }
            | Kind::OverlappingRules { .. }
            | Kind::PacketLengthOverNlb { .. }
            | Kind::PermissionMissing { .. }
            | Kind::PlanFlawed { .. }
            | Kind::QuotaExceeded { .. }
            | Kind::ReceiverMirrored { .. }
            | Kind::RingOfFullTargets { .. }
            | Kind::TooManyRemovals { .. }
            | Kind::TooManyRemovalsInAccounts { .. }
            | Kind::UnknownFilter { .. }
            | Kind::UnknownTarget { .. }
            | Kind::ValueUnknown { .. }
            | Kind::VnisExhausted { .. } => Severity::Error,
            Kind::AccountWithoutTarget { .. }
            | Kind::BalancerUnhealthy { .. }
            | Kind::BalancerWithoutListener { .. }
            | Kind::BalancerZonesUnserved { .. }
            | Kind::CrossesZones { .. }
            | Kind::EndpointAcrossVpcs { .. }
            | Kind::FleetEmptied { .. }
            | Kind::FilterNarrowsForAMoment { .. }
            | Kind::FilterOneDirection { .. }
            | Kind::FilterOneVersion { .. }
            | Kind::HandedOver { .. }
            | Kind::InterfaceUnattached { .. }
            | Kind::NothingSelected
            | Kind::ObjectInUseByOthers { .. }
            | Kind::PacketLengthOverPath { .. }
            | Kind::PacketLengthUnderIpv6 { .. }
            | Kind::PlaceUnread { .. }
            | Kind::QuotaNear { .. }
            | Kind::RegionWithoutTarget { .. }
            | Kind::RuleDecidesNothing { .. }
            | Kind::RuleWithoutCondition { .. }
            | Kind::SessionsAdopted { .. }
            | Kind::SessionsKept { .. }
            | Kind::ShareInUseByOthers { .. }
            | Kind::SourcesOfAnotherFleet { .. }
            | Kind::StarvedByOthers { .. }
            | Kind::StarvesOthers { .. }
            | Kind::TakesLong { .. }
            | Kind::TargetNearlyFull { .. }
            | Kind::TargetsFull { .. }
            | Kind::TruncatedByTarget { .. }
            | Kind::VniShared { .. }
            | Kind::VpcWithoutTarget { .. } => Severity::Warning,
        }
    }

    /// Whether it forbids going on.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }

    /// One line: what.
    #[must_use]
    pub fn summary(&self) -> String {
        text::of(&self.kind).0
    }

    /// Sentences: to what, why, and what to do next.
    #[must_use]
    pub fn detail(&self) -> String {
        text::of(&self.kind).1
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (summary, detail) = text::of(&self.kind);
        write!(f, "{severity}: {summary}")?;
        if !self.path.0.is_empty() {
            write!(f, " (at {})", self.path)?;
        }
        write!(f, ". {detail}")
    }
}
