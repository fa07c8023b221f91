//! What an executor may be asked to do: a plan's vocabulary.
//!
//! Every choice is made before an action exists; an executor only carries it out, in wave order. References to objects
//! that an earlier action makes are by key ([`Ref::Planned`]), since their ids are not known yet. Nothing here performs I/O.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{
    AccountId, FilterId, FilterRuleId, MemberKey, ObjectKey, PacketLength, Place, SessionId, SessionNumber,
    ShareArn, TargetId, Vni,
};
use crate::inventory::{Destination, FilterRule, Tags};

/// An object that exists, or one that an earlier action of the same plan makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ref<Id, Key = ObjectKey> {
    /// It exists.
    Existing(Id),
    /// The create action with this key makes it.
    Planned(Key),
}

/// A resource share; a fleet has one at most in each place of its targets, so that the place is its key.
pub type ShareRef = Ref<ShareArn, Place>;

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
    /// Share targets with other accounts (RAM `CreateResourceShare`).
    CreateShare {
        /// Where the targets are: RAM shares are regional.
        place: Place,
        /// Shown in consoles; not its identity.
        name: String,
        /// Accounts to share with.
        principals: BTreeSet<AccountId>,
        /// What is shared; targets that an earlier wave makes come by key.
        targets: Vec<Ref<TargetId>>,
        /// Whether accounts outside the organization may be among the principals.
        allows_external: bool,
        /// Ownership and the person's tags.
        tags: Tags,
    },
    /// Change a share itself: RAM `UpdateResourceShare` where `allows_external` is set, then `TagResource` and `UntagResource`.
    ModifyShare {
        /// Where it is.
        place: Place,
        /// The share.
        share: ShareArn,
        /// `None` is unchanged.
        allows_external: Option<bool>,
        /// Tags to set.
        set: Tags,
        /// Tag keys to remove.
        remove: Vec<String>,
    },
    /// Add accounts and targets to a share (RAM `AssociateResourceShare`); one that failed is added again.
    AddToShare {
        /// Where the share is.
        place: Place,
        /// The share.
        share: ShareArn,
        /// Accounts to add, perhaps none.
        principals: BTreeSet<AccountId>,
        /// Targets to add, perhaps none.
        targets: Vec<Ref<TargetId>>,
    },
    /// With a member's own role: accept the share's invitation if one is pending, then wait until the targets are visible there.
    /// Nothing that uses them in that place can be done before.
    JoinShare {
        /// The member's place, which is not where the share is.
        place: Place,
        /// The share.
        share: ShareRef,
        /// The account that shares.
        sender: AccountId,
        /// What must be visible afterwards. Not empty.
        targets: Vec<Ref<TargetId>>,
    },
    /// Take accounts and targets out of a share (RAM `DisassociateResourceShare`). Only once no session of those accounts, or
    /// to those targets, is left: if removing one of them failed this must not be tried.
    RemoveFromShare {
        /// Where the share is.
        place: Place,
        /// The share.
        share: ShareArn,
        /// Principals to remove, verbatim as RAM has them.
        principals: BTreeSet<String>,
        /// Targets to remove.
        targets: BTreeSet<TargetId>,
    },
    /// Delete a share (RAM `DeleteResourceShare`), under the same condition for everything in it.
    DeleteShare {
        /// Where it is.
        place: Place,
        /// The share.
        share: ShareArn,
    },
    /// Set and remove tags of an object that exists.
    Retag {
        /// Account and Region with the label or interface it belongs to, for people.
        place: Place,
        /// The object.
        resource: Resource,
        /// Tags to set.
        set: Tags,
        /// Tag keys to remove.
        remove: Vec<String>,
    },
}
