//! What AWS must do for us, in our words.
//!
//! Two small traits: [`Cloud`] opens places, [`MirrorPlace`] is EC2 traffic mirroring in one account and Region. Reads return
//! everything (adapters page inside) or an error, never a part. Writes are one AWS call each, so that an outcome belongs to one
//! action. No method may be retried blindly by callers: adapters retry single calls, callers decide how much to attempt.
//!
//! Cancellation: dropping a read's future is safe. A write's future must be polled to its end once started, or its effect is
//! unknown; executors therefore stop *between* writes.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use enigma_fleet::actions::Resource;
use enigma_fleet::ids::{
    FilterId, FilterRuleId, InterfaceId, PacketLength, Place, SessionId, SessionNumber, TargetId, Vni,
};
use enigma_fleet::inventory::{
    Destination, FilterRule, Instance, Interface, MirrorFilter, MirrorSession, MirrorTarget, Subnet, Tags,
};
use thiserror::Error;

/// What an AWS failure means to us. Decided in one place by each adapter, from AWS's error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An object of that identity exists already (duplicate rule, session number held on the interface).
    AlreadyExists,
    /// The caller's credentials are missing, wrong or expired.
    Credentials,
    /// The same client token was used with other parameters.
    IdempotencyMismatch,
    /// The object is still used by another.
    InUse,
    /// The network interface that the call names does not exist (any more): of a session's source it means "source gone".
    InterfaceNotFound,
    /// AWS refused the request's values.
    Invalid,
    /// No reply came: whether the call took effect is unknown.
    NoReply,
    /// The object does not exist (any more).
    NotFound,
    /// A service quota would be exceeded.
    Quota,
    /// The source interface cannot be mirrored (`NetworkInterfaceNotSupported`, is a target, ...).
    SourceUnsupported,
    /// Too many calls; the token bucket is empty.
    Throttled,
    /// The permission is missing.
    Unauthorized,
    /// The service failed on its side.
    Unavailable,
}

/// One failed AWS call.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{operation}{} failed: {message} ({code}{})", At(place.as_ref()), RequestId(request_id.as_deref()))]
pub struct AwsError {
    /// Where it was called; `None` while the account is not known, because the credentials did not even work for
    /// `sts:GetCallerIdentity`.
    pub place: Option<Place>,
    /// AWS's name of the action, such as `CreateTrafficMirrorSession`.
    pub operation: &'static str,
    /// What it means.
    pub kind: ErrorKind,
    /// AWS's error code, or a word of ours in parentheses where AWS gave none.
    pub code: String,
    /// AWS's message, or the transport's.
    pub message: String,
    /// AWS's request id, to give to AWS support.
    pub request_id: Option<String>,
}

struct At<'a>(Option<&'a Place>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |place| write!(f, " in {place}"))
    }
}

struct RequestId<'a>(Option<&'a str>);

impl fmt::Display for RequestId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, ", request {id}"))
    }
}

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

/// Opens places. One instance serves a whole provider: it caches clients and credentials.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// The account and Region of the provider's own credentials (`sts:GetCallerIdentity`).
    ///
    /// # Errors
    /// [`AwsError`] when the credentials cannot be used.
    async fn home(&self) -> Result<Place, AwsError>;

    /// EC2 in one place.
    ///
    /// # Errors
    /// [`AwsError`] when the account cannot be reached.
    async fn open(&self, place: &Place) -> Result<Arc<dyn MirrorPlace>, AwsError>;
}

/// EC2 traffic mirroring, and what discovery reads, in one account and Region.
#[async_trait]
pub trait MirrorPlace: Send + Sync {
    /// Which account and Region this is.
    fn place(&self) -> &Place;

    /// `DescribeNetworkInterfaces`, all pages.
    async fn interfaces(&self, scope: &InterfaceScope) -> Result<Vec<Interface>, AwsError>;
    /// `DescribeInstances`, all pages.
    async fn instances(&self) -> Result<Vec<Instance>, AwsError>;
    /// `DescribeSubnets`, all pages.
    async fn subnets(&self) -> Result<Vec<Subnet>, AwsError>;
    /// `DescribeTrafficMirrorTargets`, all pages.
    async fn targets(&self, scope: &MirrorScope) -> Result<Vec<MirrorTarget>, AwsError>;
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
}
