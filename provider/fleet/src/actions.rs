//! What an executor may be asked to do: a plan's vocabulary.
//!
//! Every choice is made before an action exists; an executor only carries it out, in wave order. References to objects
//! that an earlier action makes are by key ([`Ref::Planned`]), since their ids are not known yet. Nothing here performs I/O.

use serde::{Deserialize, Serialize};

use crate::ids::{
    FilterId, FilterRuleId, MemberKey, ObjectKey, PacketLength, SessionId, SessionNumber, TargetId, Vni,
};
use crate::inventory::{Destination, FilterRule, Tags};

/// An object that exists, or one that an earlier action of the same plan makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ref<Id> {
    /// It exists.
    Existing(Id),
    /// The create action with this key makes it.
    Planned(ObjectKey),
}

/// The settings of a session that AWS can change in place, together: whole, so that what is sent is what was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSettings {
    /// Where it sends.
    pub target: Ref<TargetId>,
    /// Which packets.
    pub filter: Ref<FilterId>,
    /// Its number on the source.
    pub number: SessionNumber,
    /// Its VNI.
    pub vni: Vni,
    /// Truncation; `None` leaves AWS's default (whole packet; 8500 bytes with NLB targets).
    pub packet_length: Option<PacketLength>,
    /// Shown in consoles.
    pub description: String,
}

/// The fields of a session that differ between what exists and what is wanted; `None` is unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionChange {
    /// Send elsewhere, without an uncovered moment.
    pub target: Option<Ref<TargetId>>,
    /// Use another filter.
    pub filter: Option<Ref<FilterId>>,
    /// Move in the source's order.
    pub number: Option<SessionNumber>,
    /// Set another VNI.
    pub vni: Option<Vni>,
    /// `Some(None)` removes the limit (`RemoveFields=packet-length`).
    pub packet_length: Option<Option<PacketLength>>,
    /// Set another description.
    pub description: Option<String>,
}

/// A taggable object that exists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Resource {
    /// A target.
    Target(TargetId),
    /// A filter.
    Filter(FilterId),
    /// A filter rule.
    FilterRule(FilterRuleId),
    /// A session.
    Session(SessionId),
}

/// One change of one object in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Make a target.
    CreateTarget {
        /// Account, Region and the person's key.
        key: ObjectKey,
        /// Where it sends.
        destination: Destination,
        /// Immutable description.
        description: String,
        /// Ownership and the person's tags.
        tags: Tags,
    },
    /// Make a filter without rules: it mirrors nothing until it has some.
    CreateFilter {
        /// Account, Region and the person's key.
        key: ObjectKey,
        /// Immutable description.
        description: String,
        /// Ownership and the person's tags.
        tags: Tags,
    },
    /// Add or remove the network service `amazon-dns`.
    SetAmazonDns {
        /// The filter's key.
        key: ObjectKey,
        /// The filter.
        filter: Ref<FilterId>,
        /// Whether DNS to the Amazon resolver is mirrored afterwards.
        enabled: bool,
    },
    /// Add a rule to a filter.
    CreateRule {
        /// The filter's key.
        key: ObjectKey,
        /// The filter.
        filter: Ref<FilterId>,
        /// The rule.
        rule: FilterRule,
        /// Its tags.
        tags: Tags,
    },
    /// Change a rule in place.
    ModifyRule {
        /// The filter's key.
        key: ObjectKey,
        /// The rule that exists.
        id: FilterRuleId,
        /// What it is now.
        before: FilterRule,
        /// What it becomes; sent whole, cleared fields through `RemoveFields`.
        after: FilterRule,
    },
    /// Remove a rule.
    DeleteRule {
        /// The filter's key.
        key: ObjectKey,
        /// The rule.
        id: FilterRuleId,
    },
    /// Make a session.
    CreateSession {
        /// The source.
        key: MemberKey,
        /// Everything about it.
        settings: SessionSettings,
        /// Ownership and the person's tags.
        tags: Tags,
    },
    /// Change a session in place.
    ModifySession {
        /// The source.
        key: MemberKey,
        /// The session that exists.
        id: SessionId,
        /// What differs.
        change: SessionChange,
    },
    /// Remove a session.
    DeleteSession {
        /// The source.
        key: MemberKey,
        /// The session.
        id: SessionId,
    },
    /// Remove a filter, after its rules and sessions.
    DeleteFilter {
        /// The filter's key.
        key: ObjectKey,
        /// The filter.
        id: FilterId,
    },
    /// Remove a target, after its sessions.
    DeleteTarget {
        /// The target's key.
        key: ObjectKey,
        /// The target.
        id: TargetId,
    },
    /// Set and remove tags of an object that exists.
    Retag {
        /// Account and Region with the label or interface it belongs to, for people.
        place: crate::ids::Place,
        /// The object.
        resource: Resource,
        /// Tags to set.
        set: Tags,
        /// Tag keys to remove.
        remove: Vec<String>,
    },
}
