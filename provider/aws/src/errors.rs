//! AWS error codes to meanings. No other file compares a code or reads a message.
//!
//! The SDK model declares no error shapes for EC2, so the code string is all there is; spellings vary (`...Id.NotFound`,
//! `...ID.NotFound`), hence the comparison ignores case, and the `Exception` that JSON services append. Sources: the EC2 API
//! error-code reference <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>, the STS common errors
//! <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>, the errors listed with each action of RAM
//! <https://docs.aws.amazon.com/ram/latest/APIReference/>, Organizations
//! <https://docs.aws.amazon.com/organizations/latest/APIReference/> and Elastic Load Balancing
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/>, and codes seen in the field where noted.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use enigma_fleet::ids::Place;
use enigma_reconcile::ports::{AwsError, ErrorKind};

use crate::retry::Silent;

/// What EC2 answers to a dry run of a call that the caller may make.
pub(crate) const DRY_RUN: &str = "DryRunOperation";

/// One failed call in our words. `place` is `None` while the account is unknown.
pub(crate) fn translate<E>(
    place: Option<&Place>,
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> AwsError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let silent = sources(error).find_map(|source| source.downcast_ref::<Silent>());
    let (kind, code, message) = match error {
        _ if silent.is_some() => {
            let message = silent.map(ToString::to_string).unwrap_or_default();
            (ErrorKind::NoReply, "(no reply)".to_owned(), message)
        }
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or_default();
            let message = service.err().message().unwrap_or_default();
            let shown = if code.is_empty() { format!("(HTTP {status})") } else { code.to_owned() };
            (kind_of(code, message, status), shown, message.to_owned())
        }
        SdkError::ResponseError(response) if response.raw().status().is_server_error() => {
            (ErrorKind::Unavailable, format!("(HTTP {})", response.raw().status().as_u16()), chain(error))
        }
        _ if is_credentials(error) => (ErrorKind::Credentials, "(no credentials)".to_owned(), chain(error)),
        SdkError::ConstructionFailure(_) => (ErrorKind::Invalid, "(not sent)".to_owned(), chain(error)),
        SdkError::TimeoutError(_) => (ErrorKind::NoReply, "(no reply in time)".to_owned(), chain(error)),
        _ => (ErrorKind::NoReply, "(no reply)".to_owned(), chain(error)),
    };
    let request_id = error.request_id().map(str::to_owned);
    AwsError { place: place.cloned(), operation, kind, code, message, request_id }
}

/// A failure that no call to AWS caused, in the same form.
pub(crate) fn local(
    place: Option<&Place>,
    operation: &'static str,
    kind: ErrorKind,
    code: &str,
    message: String,
) -> AwsError {
    AwsError { place: place.cloned(), operation, kind, code: code.to_owned(), message, request_id: None }
}

/// Deletes succeed when the object is gone already.
pub(crate) async fn gone_is_done(delete: impl Future<Output = Result<(), AwsError>>) -> Result<(), AwsError> {
    match delete.await {
        Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::SessionNotFound) => Ok(()),
        other => other,
    }
}

/// Whether AWS refused a call because the credentials it was signed with are no more: their time is over (EC2 says
/// `RequestExpired`), or nobody knows their key (`UnrecognizedClientException` of the JSON services).
pub(crate) fn have_ended(error: &AwsError) -> bool {
    let code = error.code.to_ascii_lowercase();
    let ended = ["expiredtoken", "invalidclienttokenid", "requestexpired", "unrecognizedclient"];
    error.kind == ErrorKind::Credentials && ended.contains(&code.strip_suffix("exception").unwrap_or(&code))
}

/// What an error code means. `message` decides only where AWS hides two meanings behind one code; `status` only where there is
/// no code.
fn kind_of(code: &str, message: &str, status: u16) -> ErrorKind {
    let code = code.to_ascii_lowercase();
    let says = |words: &str| message.to_ascii_lowercase().contains(words);
    // RAM means the values by it (an external principal in a share that allows none), EC2 the caller.
    if code == "operationnotpermittedexception" {
        return ErrorKind::Invalid;
    }
    match code.strip_suffix("exception").unwrap_or(&code) {
        "requestlimitexceeded"
        | "throttling"
        | "throttled"
        | "requestthrottled"
        | "toomanyrequests"
        | "ec2throttled"
        | "bandwidthlimitexceeded"
        | "slowdown" => ErrorKind::Throttled,
        "idempotentparametermismatch" => ErrorKind::IdempotencyMismatch,
        "unauthorizedoperation" | "accessdenied" | "operationnotpermitted" | "optinrequired" => {
            ErrorKind::Unauthorized
        }
        "authfailure"
        | "blocked"
        | "expiredtoken"
        | "incompletesignature"
        | "invalidaccesskeyid"
        | "invalidclienttokenid"
        | "missingauthenticationtoken"
        | "pendingverification"
        | "regiondisabled"
        | "requestexpired"
        | "signaturedoesnotmatch"
        | "unrecognizedclient" => ErrorKind::Credentials,
        "networkinterfacenotsupported" => ErrorKind::SourceUnsupported,
        "internalerror" | "internalfailure" | "serverinternal" | "service" | "serviceunavailable"
        | "unavailable" => ErrorKind::Unavailable,
        "trafficmirrorfilterinuse" | "trafficmirrortargetinuse" | "dependencyviolation" => ErrorKind::InUse,
        "invalidnetworkinterfaceid.notfound" => ErrorKind::InterfaceNotFound,
        "invalidtrafficmirrorsessionid.notfound" => ErrorKind::SessionNotFound,
        // Seen in the field: CreateTrafficMirrorTarget answers an unknown interface with this general code and "The interface
        // ID 'eni-...' does not exist".
        "invalidtrafficmirrortarget" if says("the interface id") && says("does not exist") => {
            ErrorKind::InterfaceNotFound
        }
        // Associations of a resource share that are on their way in or out, and shares that are being deleted.
        "invalidstatetransition" => ErrorKind::Changing,
        "unknownresource" => ErrorKind::NotFound,
        // Seen in the field, code not recorded: "eni-... is in use by target tmt-..." for a source that is a mirror target,
        // "already being used" for a conflict (such as the session number) on the source.
        _ if says("is in use by target") => ErrorKind::SourceUnsupported,
        // EC2 puts a dot before it, the others do not.
        one if one.ends_with("notfound") => ErrorKind::NotFound,
        one if one.ends_with(".inuse") => ErrorKind::InUse,
        _ if says("already being used") => ErrorKind::AlreadyExists,
        one if ["alreadyexists", "alreadyaccepted", ".duplicate"].iter().any(|end| one.ends_with(end)) => {
            ErrorKind::AlreadyExists
        }
        // After throttling, whose codes end alike.
        one if one.ends_with("limitexceeded") => ErrorKind::Quota,
        _ if status >= 500 => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    }
}

fn is_credentials(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|e| e.is::<CredentialsError>())
}

/// An error and its causes, outermost first.
pub(crate) fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |e: &&'a (dyn Error + 'static)| (*e).source())
}

/// All causes in one line, outermost first, without repeating a text that the next one contains.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for text in sources(error).map(ToString::to_string) {
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests;
