//! What the memory AWS says no with: AWS's codes, and what they mean to us.

use crate::ports::ErrorKind;

/// A refused call, before it knows where it happened.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) kind: ErrorKind,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into() }
    }

    /// A kind alone, for faults: the code is one that AWS uses for it.
    pub(super) fn of_kind(kind: ErrorKind) -> Self {
        let code = match kind {
            ErrorKind::AlreadyExists => "TrafficMirrorFilterRuleAlreadyExists",
            ErrorKind::Changing => "InvalidStateTransitionException",
            ErrorKind::Credentials => "AuthFailure",
            ErrorKind::IdempotencyMismatch => "IdempotentParameterMismatch",
            ErrorKind::InUse => "TrafficMirrorFilterInUse",
            ErrorKind::InterfaceNotFound => "InvalidNetworkInterfaceID.NotFound",
            ErrorKind::Invalid => "InvalidParameterValue",
            ErrorKind::NoReply => "(no reply)",
            ErrorKind::NotFound => "InvalidTrafficMirrorTargetId.NotFound",
            ErrorKind::Quota => "TrafficMirrorSessionLimitExceeded",
            ErrorKind::SessionNotFound => "InvalidTrafficMirrorSessionId.NotFound",
            ErrorKind::SourceUnsupported => "NetworkInterfaceNotSupported",
            ErrorKind::Throttled => "RequestLimitExceeded",
            ErrorKind::Unauthorized => "UnauthorizedOperation",
            ErrorKind::Unavailable => "InternalError",
        };
        Self::new(kind, code, "a fault that the test asked for")
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, "InvalidParameterValue", message)
    }

    pub(super) fn quota(code: &'static str, limit: usize) -> Self {
        Self::new(ErrorKind::Quota, code, format!("the limit is {limit}"))
    }

    pub(super) fn no_target(id: &str) -> Self {
        Self::new(
            ErrorKind::NotFound,
            "InvalidTrafficMirrorTargetId.NotFound",
            format!("The traffic mirror target ID '{id}' does not exist"),
        )
    }

    pub(super) fn no_filter(id: &str) -> Self {
        Self::new(
            ErrorKind::NotFound,
            "InvalidTrafficMirrorFilterId.NotFound",
            format!("The traffic mirror filter ID '{id}' does not exist"),
        )
    }

    pub(super) fn no_rule(id: &str) -> Self {
        Self::new(
            ErrorKind::NotFound,
            "InvalidTrafficMirrorFilterRuleId.NotFound",
            format!("The traffic mirror filter rule ID '{id}' does not exist"),
        )
    }

    pub(super) fn no_session(id: &str) -> Self {
        Self::new(
            ErrorKind::SessionNotFound,
            "InvalidTrafficMirrorSessionId.NotFound",
            format!("The traffic mirror session ID '{id}' does not exist"),
        )
    }
}
