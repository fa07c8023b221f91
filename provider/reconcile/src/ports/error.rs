//! A failed AWS call in our words: one kind per thing that somebody decides by.
//!
//! Adapters alone translate AWS's codes into kinds; nobody else looks at a code.

use std::fmt;

use enigma_fleet::ids::Place;
use thiserror::Error;

/// What an AWS failure means to us. Decided in one place by each adapter, from AWS's error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An object of that identity exists already (duplicate rule, session number held on the interface).
    AlreadyExists,
    /// The object is still on its way into or out of another state, as associations of resource shares are for a while: the same
    /// call may succeed a little later.
    Changing,
    /// The caller's credentials are missing, wrong or expired, or the account's role cannot be assumed.
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
    /// The session that the call names does not exist (any more): AWS deletes sessions with their interface, or
    /// somebody deleted it.
    SessionNotFound,
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
#[error(
    "{operation}{} failed: {message} ({}{})",
    At(place.as_ref()),
    code.trim_matches(['(', ')']),
    RequestId(request_id.as_deref())
)]
pub struct AwsError {
    /// Where it was called; `None` while the account is not known, because the credentials did not even work for
    /// `sts:GetCallerIdentity`, and for calls that belong to no Region.
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
