//! What a selection says of one interface.

use serde::{Deserialize, Serialize};

use crate::ids::{
    InstanceId, Label, PacketLength, SessionId, SessionNumber, SubnetId, TargetId, VpcId, ZoneName,
};

/// One interface to be mirrored: lean facts that a plan can be computed from without looking at AWS again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its instance; none for interfaces of services.
    pub instance: Option<InstanceId>,
    /// The instance's type.
    pub instance_type: Option<String>,
    /// The `Name` tag of the instance, else of the interface.
    pub name: Option<String>,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its zone.
    pub zone: ZoneName,
    /// The rule that decided.
    pub rule: Label,
    /// Candidate targets; empty is every target of the fleet.
    pub targets: Vec<Label>,
    /// The filter; `None` is the fleet's default.
    pub filter: Option<Label>,
    /// The first session number to try; `None` is the fleet's.
    pub number: Option<SessionNumber>,
    /// Truncation; `None` is the fleet's.
    pub packet_length: Option<PacketLength>,
    /// All sessions that exist on the interface, of every fleet and of strangers.
    pub held: Vec<HeldSession>,
}

/// A session that exists on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSession {
    /// Its id.
    pub session: SessionId,
    /// The fleet it is tagged with, if any.
    pub fleet: Option<String>,
    /// The mirror target it sends to; `None` where nobody said, and then a plan that remembers nothing of it may move it.
    pub target: Option<TargetId>,
    /// Its number.
    pub number: SessionNumber,
    /// Its VNI.
    pub vni: Option<u32>,
}

/// An interface that a rule matched and that is not mirrored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Why, for programs.
    pub reason: SkipReason,
    /// Why, for people: one sentence.
    pub detail: String,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why an interface that a rule matched is not mirrored.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum SkipReason {
            $($(#[$doc])* $name,)*
        }

        impl SkipReason {
            /// Every reason, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name, as in state and reports.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// Its instance receives mirrored traffic (tag `enigma:collector`, or another of its interfaces is a target).
    Collector = "collector",
    /// It is being detached, or is detached.
    Detached = "detached",
    /// A rule says `mirror = false`.
    Excluded = "excluded",
    /// Its instance is stopped and it has no session yet.
    InstanceStopped = "instance_stopped",
    /// Its instance is terminated or shutting down.
    InstanceTerminated = "instance_terminated",
    /// Its subnet has no IPv4.
    Ipv6OnlySubnet = "ipv6_only_subnet",
    /// It is a mirror target; AWS refuses it as a source.
    IsTarget = "is_target",
    /// An account that could not be read has the fleet's session on it, which stays.
    KeptElsewhere = "kept_elsewhere",
    /// Other sessions hold all three slots.
    NoSessionSlot = "no_session_slot",
    /// The fleet has no target in its Region; AWS mirrors within a Region only.
    NoTarget = "no_target",
    /// Another account owns it; only the owner can mirror it.
    NotOwner = "not_owner",
    /// An AWS service manages it that AWS does not mirror.
    RequesterManaged = "requester_managed",
    /// No candidate target has room.
    TargetFull = "target_full",
    /// It is attached to nothing.
    Unattached = "unattached",
    /// Its instance type is not on AWS's list.
    UnsupportedInstanceType = "unsupported_instance_type",
    /// Its type is not `interface`.
    UnsupportedInterfaceType = "unsupported_interface_type",
    /// The fleet's VNI range is used up.
    VniExhausted = "vni_exhausted",
}

impl std::fmt::Display for SkipReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
