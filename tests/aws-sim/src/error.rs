//! The error a caller of the simulated API gets: AWS's code, a message and the HTTP status that goes with it.
//!
//! Codes are those of the [EC2 error reference](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html)
//! and of the STS reference. Where AWS's code for a refusal is not on record, the README says which one stands in.

use std::borrow::Cow;

/// One refusal, as it goes on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// AWS's error code, for example `InvalidTrafficMirrorTargetId.NotFound`.
    pub code: Cow<'static, str>,
    /// What AWS, or where its text is unknown the simulator, says about it.
    pub message: String,
}

impl ApiError {
    /// An error of any code; the HTTP status follows from the code.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// `InvalidParameterValue` in the wording EC2 uses for scalars.
    pub(crate) fn value(parameter: &str, value: impl std::fmt::Display, why: &str) -> Self {
        let message = format!("Value ({value}) for parameter {parameter} is invalid. {why}");
        Self::new("InvalidParameterValue", message)
    }

    /// `InvalidParameterValue` in words of its own.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    /// The refusal of an id that names nothing: `.Malformed` where it has not the form of one of its kind, else `.NotFound`.
    pub(crate) fn unknown_id((prefix, code): (&str, &str), kind: &str, id: &str) -> Self {
        if crate::id::is_one(prefix, id) {
            return Self::new(format!("{code}.NotFound"), format!("The {kind} ID '{id}' does not exist"));
        }
        Self::new(format!("{code}.Malformed"), format!("Invalid id: \"{id}\" (expecting \"{prefix}-...\")"))
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new("MissingParameter", format!("The request must contain the parameter {parameter}"))
    }

    pub(crate) fn combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    /// HTTP status of this code. EC2 answers 400 to a client's mistake unless the table says otherwise.
    pub fn status(&self) -> u16 {
        match self.code.as_ref() {
            "AuthFailure" => 401,
            "UnauthorizedOperation"
            | "AccessDenied"
            | "InvalidClientTokenId"
            | "ExpiredToken"
            | "MissingAuthenticationToken"
            | "OptInRequired"
            | "SignatureDoesNotMatch" => 403,
            "DryRunOperation" => 412,
            "ThrottlingException" => 429,
            "HealthUnavailable"
            | "InternalError"
            | "InternalFailure"
            | "ServerInternal"
            | "ServerInternalException"
            | "ServiceException" => 500,
            "InsufficientCapacity"
            | "RequestLimitExceeded"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "Unavailable" => 503,
            _ => 400,
        }
    }
}
