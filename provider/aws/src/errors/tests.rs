//! Every documented code has the meaning it should, in every spelling seen.

use super::*;

#[test]
fn documented_codes_have_their_meaning() {
    use ErrorKind::{
        AlreadyExists, Changing, Credentials, IdempotencyMismatch, InUse, InterfaceNotFound, Invalid,
        NotFound, Quota, SourceUnsupported, Throttled, Unauthorized, Unavailable,
    };
    for (code, kind) in [
        ("TrafficMirrorSessionsPerInterfaceLimitExceeded", Quota),
        ("TrafficMirrorSessionsPerTargetLimitExceeded", Quota),
        ("TrafficMirrorSourcesPerTargetLimitExceeded", Quota),
        ("TrafficMirrorSessionLimitExceeded", Quota),
        ("TrafficMirrorTargetLimitExceeded", Quota),
        ("TrafficMirrorFilterLimitExceeded", Quota),
        ("TrafficMirrorFilterRuleLimitExceeded", Quota),
        ("TagLimitExceeded", Quota),
        ("TrafficMirrorFilterRuleAlreadyExists", AlreadyExists),
        ("TrafficMirrorFilterInUse", InUse),
        ("InvalidTrafficMirrorFilter.InUse", InUse),
        ("TrafficMirrorTargetInUseException", InUse),
        ("RequestLimitExceeded", Throttled),
        ("Throttling", Throttled),
        ("UnauthorizedOperation", Unauthorized),
        ("AccessDenied", Unauthorized),
        ("AuthFailure", Credentials),
        ("ExpiredToken", Credentials),
        ("InvalidClientTokenId", Credentials),
        ("IdempotentParameterMismatch", IdempotencyMismatch),
        ("InternalError", Unavailable),
        ("Unavailable", Unavailable),
        ("InvalidTrafficMirrorTargetId.NotFound", NotFound),
        ("InvalidTrafficMirrorFilterId.NotFound", NotFound),
        ("InvalidTrafficMirrorFilterRuleId.NotFound", NotFound),
        ("InvalidTrafficMirrorSessionId.NotFound", ErrorKind::SessionNotFound),
        ("InvalidTrafficMirrorSessionID.NotFound", ErrorKind::SessionNotFound),
        ("InvalidNetworkInterfaceID.NotFound", InterfaceNotFound),
        ("NetworkInterfaceNotSupported", SourceUnsupported),
        ("InvalidParameterValue", Invalid),
        ("MissingParameter", Invalid),
        ("InvalidTrafficMirrorTarget", Invalid),
        ("UnknownResourceException", NotFound),
        ("ResourceShareInvitationArnNotFoundException", NotFound),
        ("ResourceShareInvitationAlreadyAcceptedException", AlreadyExists),
        ("ResourceShareInvitationExpiredException", Invalid),
        ("ResourceShareLimitExceededException", Quota),
        ("InvalidStateTransitionException", Changing),
        ("OperationNotPermittedException", Invalid),
        ("OperationNotPermitted", Unauthorized),
        ("MalformedArnException", Invalid),
        ("IdempotentParameterMismatchException", IdempotencyMismatch),
        ("ServerInternalException", Unavailable),
        ("ServiceUnavailableException", Unavailable),
        ("ThrottlingException", Throttled),
        ("AccessDeniedException", Unauthorized),
        ("ExpiredTokenException", Credentials),
        ("UnrecognizedClientException", Credentials),
        ("AWSOrganizationsNotInUseException", Invalid),
        ("ParentNotFoundException", NotFound),
        ("TooManyRequestsException", Throttled),
        ("ServiceException", Unavailable),
        ("LoadBalancerNotFound", NotFound),
        ("TargetGroupNotFound", NotFound),
        ("ValidationError", Invalid),
    ] {
        assert_eq!(kind_of(code, "", 400), kind, "{code}");
        assert_eq!(kind_of(&code.to_uppercase(), "", 400), kind, "{code} in capitals");
    }
}

#[test]
fn messages_decide_where_one_code_has_two_meanings() {
    let missing = "The interface ID 'eni-0123456789abcdef0' does not exist";
    assert_eq!(kind_of("InvalidTrafficMirrorTarget", missing, 400), ErrorKind::InterfaceNotFound);
    let balancer = "The load balancer 'arn:aws:...' does not exist";
    assert_eq!(kind_of("InvalidTrafficMirrorTarget", balancer, 400), ErrorKind::Invalid);
    let target = "eni-0123456789abcdef0 is in use by target tmt-1";
    assert_eq!(kind_of("InvalidParameterValue", target, 400), ErrorKind::SourceUnsupported);
    assert_eq!(
        kind_of("InvalidParameterValue", "Session number 1 is already being used", 400),
        ErrorKind::AlreadyExists
    );
}

#[test]
fn without_a_code_the_status_decides() {
    assert_eq!(kind_of("", "", 503), ErrorKind::Unavailable);
    assert_eq!(kind_of("SomethingNew", "", 500), ErrorKind::Unavailable);
    assert_eq!(kind_of("SomethingNew", "", 400), ErrorKind::Invalid);
}
