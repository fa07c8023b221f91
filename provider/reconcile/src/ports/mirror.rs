//! EC2 traffic mirroring in one account and Region: [`MirrorPlace`] and the values it takes.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use enigma_fleet::actions::Resource;
use enigma_fleet::ids::{
    FilterId, FilterRuleId, InterfaceId, PacketLength, Place, SessionId, SessionNumber, TargetId, Vni,
};
use enigma_fleet::inventory::{
    Destination, FilterRule, Instance, Interface, MirrorFilter, MirrorSession, MirrorTarget, Subnet, Tags,
};

use super::AwsError;

/// Which interfaces to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterfaceScope {
    /// All of the place.
    All,
    /// Only these ids; unknown ones are left out of the answer instead of failing it.
    Ids(Vec<InterfaceId>),
}

/// Which targets, filters or sessions to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorScope {
    /// All of the place.
    All,
    /// Those carrying this tag, whatever its value.
    HasTag {
        /// Tag key.
        key: String,
    },
    /// Those carrying this tag with this value.
    Tagged {
        /// Tag key.
        key: String,
        /// Tag value.
        value: String,
    },
}

/// A client token: at most 64 ASCII characters, scoped to a Region.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html>
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientToken(pub String);

/// Everything `CreateTrafficMirrorSession` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The source.
    pub interface: InterfaceId,
    /// Where it sends.
    pub target: TargetId,
    /// Which packets.
    pub filter: FilterId,
    /// Its number on the source.
    pub number: SessionNumber,
    /// Its VNI.
    pub vni: Vni,
    /// Truncation; `None` leaves AWS's default.
    pub packet_length: Option<PacketLength>,
    /// Shown in consoles.
    pub description: String,
    /// Tags set with the creation.
    pub tags: Tags,
    /// Makes a repeated call the same call.
    pub token: ClientToken,
}

/// The changed fields of `ModifyTrafficMirrorSession`; `None` is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPatch {
    /// Send elsewhere.
    pub target: Option<TargetId>,
    /// Use another filter.
    pub filter: Option<FilterId>,
    /// Another number.
    pub number: Option<SessionNumber>,
    /// Another VNI.
    pub vni: Option<Vni>,
    /// `Some(None)` clears it.
    pub packet_length: Option<Option<PacketLength>>,
    /// Another description.
    pub description: Option<String>,
}

/// A write that is only tried out. Where an object does not exist yet any id of its kind does: AWS judges the permission first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DryRun {
    /// `CreateTrafficMirrorTarget` with tags.
    CreateTarget(Destination, Tags),
    /// `DeleteTrafficMirrorTarget`.
    DeleteTarget(TargetId),
    /// `CreateTrafficMirrorFilter` with tags.
    CreateFilter(Tags),
    /// `ModifyTrafficMirrorFilterNetworkServices`.
    SetAmazonDns(FilterId),
    /// `DeleteTrafficMirrorFilter`.
    DeleteFilter(FilterId),
    /// `CreateTrafficMirrorFilterRule` with tags.
    CreateRule(FilterId, Tags),
    /// `ModifyTrafficMirrorFilterRule`.
    ModifyRule(FilterRuleId),
    /// `DeleteTrafficMirrorFilterRule`.
    DeleteRule(FilterRuleId),
    /// `CreateTrafficMirrorSession` with tags.
    CreateSession {
        /// The source.
        interface: InterfaceId,
        /// Where it would send.
        target: TargetId,
        /// Which packets.
        filter: FilterId,
        /// With these tags.
        tags: Tags,
    },
    /// `ModifyTrafficMirrorSession`.
    ModifySession(SessionId),
    /// `DeleteTrafficMirrorSession`.
    DeleteSession(SessionId),
    /// `CreateTags` on an object that exists.
    SetTags(Resource, Tags),
    /// `DeleteTags` on an object that exists.
    RemoveTags(Resource, Vec<String>),
}

impl DryRun {
    /// AWS's name of the action.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::CreateTarget(..) => "CreateTrafficMirrorTarget",
            Self::DeleteTarget(_) => "DeleteTrafficMirrorTarget",
            Self::CreateFilter(_) => "CreateTrafficMirrorFilter",
            Self::SetAmazonDns(_) => "ModifyTrafficMirrorFilterNetworkServices",
            Self::DeleteFilter(_) => "DeleteTrafficMirrorFilter",
            Self::CreateRule(..) => "CreateTrafficMirrorFilterRule",
            Self::ModifyRule(_) => "ModifyTrafficMirrorFilterRule",
            Self::DeleteRule(_) => "DeleteTrafficMirrorFilterRule",
            Self::CreateSession { .. } => "CreateTrafficMirrorSession",
            Self::ModifySession(_) => "ModifyTrafficMirrorSession",
            Self::DeleteSession(_) => "DeleteTrafficMirrorSession",
            Self::SetTags(..) => "CreateTags",
            Self::RemoveTags(..) => "DeleteTags",
        }
    }
}

/// A permission that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// AWS's name of the action, as in a policy after `ec2:`.
    pub operation: &'static str,
    /// What AWS said, with the encoded part cut off: that only `sts:DecodeAuthorizationMessage` can read.
    pub message: String,
}

/// EC2 traffic mirroring, and what discovery reads, in one account and Region.
#[async_trait]
pub trait MirrorPlace: Send + Sync {
    /// Which account and Region this is.
    fn place(&self) -> &Place;

    /// `DescribeNetworkInterfaces`, all pages.
    async fn interfaces(&self, scope: &InterfaceScope) -> Result<Vec<Interface>, AwsError>;
    /// All interfaces as somebody read them a moment ago. Asks AWS nothing, so it is `None` wherever nothing is remembered.
    async fn remembered_interfaces(&self) -> Option<Arc<Vec<Interface>>> {
        None
    }
    /// `DescribeInstances`, all pages.
    async fn instances(&self) -> Result<Vec<Instance>, AwsError>;
    /// `DescribeSubnets`, all pages.
    async fn subnets(&self) -> Result<Vec<Subnet>, AwsError>;
    /// `DescribeTrafficMirrorTargets`, all pages.
    async fn targets(&self, scope: &MirrorScope) -> Result<Vec<MirrorTarget>, AwsError>;
    /// Which of these targets can be used here, own and shared: `DescribeTrafficMirrorTargets` by filter, so that
    /// unknown ones are left out. Always asked anew, since it is how a new share shows.
    async fn visible_targets(&self, ids: &BTreeSet<TargetId>) -> Result<BTreeSet<TargetId>, AwsError>;
    /// `DescribeTrafficMirrorFilters`, all pages, with rules and network services.
    async fn filters(&self, scope: &MirrorScope) -> Result<Vec<MirrorFilter>, AwsError>;
    /// `DescribeTrafficMirrorSessions`, all pages.
    async fn sessions(&self, scope: &MirrorScope) -> Result<Vec<MirrorSession>, AwsError>;

    /// `CreateTrafficMirrorTarget`.
    async fn create_target(
        &self,
        destination: &Destination,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<TargetId, AwsError>;
    /// `DeleteTrafficMirrorTarget`. A target that is gone already is success.
    async fn delete_target(&self, id: &TargetId) -> Result<(), AwsError>;
    /// `CreateTrafficMirrorFilter`.
    async fn create_filter(
        &self,
        description: &str,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterId, AwsError>;
    /// `ModifyTrafficMirrorFilterNetworkServices` for `amazon-dns`.
    async fn set_amazon_dns(&self, id: &FilterId, enabled: bool) -> Result<(), AwsError>;
    /// `DeleteTrafficMirrorFilter`. A filter that is gone already is success.
    async fn delete_filter(&self, id: &FilterId) -> Result<(), AwsError>;
    /// `CreateTrafficMirrorFilterRule`.
    async fn create_rule(
        &self,
        filter: &FilterId,
        rule: &FilterRule,
        tags: &Tags,
        token: &ClientToken,
    ) -> Result<FilterRuleId, AwsError>;
    /// `ModifyTrafficMirrorFilterRule`: sends `after` whole and clears what `before` had and `after` has not.
    async fn modify_rule(
        &self,
        id: &FilterRuleId,
        before: &FilterRule,
        after: &FilterRule,
    ) -> Result<(), AwsError>;
    /// `DeleteTrafficMirrorFilterRule`. A rule that is gone already is success.
    async fn delete_rule(&self, id: &FilterRuleId) -> Result<(), AwsError>;
    /// `CreateTrafficMirrorSession`.
    async fn create_session(&self, session: &NewSession) -> Result<SessionId, AwsError>;
    /// `ModifyTrafficMirrorSession`.
    async fn modify_session(&self, id: &SessionId, patch: &SessionPatch) -> Result<(), AwsError>;
    /// `DeleteTrafficMirrorSession`. A session that is gone already is success.
    async fn delete_session(&self, id: &SessionId) -> Result<(), AwsError>;
    /// `CreateTags` and `DeleteTags`.
    async fn retag(&self, resource: &Resource, set: &Tags, remove: &[String]) -> Result<(), AwsError>;

    /// Asks EC2 by a dry run, with all of AWS's policies in force, whether the caller may do this write. Changes
    /// nothing. `None` unless AWS refuses it for want of permission: a dry run that fails for another reason (an
    /// object that does not exist yet) refuses nothing.
    /// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-permissions.html>
    ///
    /// # Errors
    /// [`AwsError`] where nobody was asked: without credentials, reply or a free token of the bucket.
    async fn try_out(&self, write: &DryRun) -> Result<Option<Refusal>, AwsError>;
}
