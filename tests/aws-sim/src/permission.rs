//! What a caller may do: allow and deny lists of roles and of access keys, in IAM's `service:Action` spelling.
//!
//! Nothing here reads policy documents: no resources, no conditions. A list that is absent allows everything.

use crate::error::ApiError;
use crate::filter::matches;
use crate::query::Params;
use crate::service::Service;
use crate::state::{Credential, State};

/// Allowed to everybody by AWS (STS API reference, GetCallerIdentity).
const FREE: &str = "sts:GetCallerIdentity";

/// Whether a pattern covers an action; one without a service covers the action of any.
pub(crate) fn covers(pattern: &str, service: &str, action: &str) -> bool {
    match pattern.split_once(':') {
        // IAM takes no account of case here.
        Some(_) => matches(&pattern.to_lowercase(), &format!("{service}:{action}").to_lowercase()),
        None => matches(pattern, action),
    }
}

/// Checks one call, with the tagging that a create call does on the side.
pub(crate) fn authorize(
    state: &State,
    caller: &Credential,
    access_key: &str,
    (service, action): (&str, &str),
    params: &Params,
) -> Result<(), ApiError> {
    let Some(account) = state.accounts.get(&caller.account) else { return Ok(()) };
    let role = caller.session.as_ref().and_then(|session| account.roles.get(&session.role));
    let allowed = match &caller.session {
        Some(_) => role.and_then(|role| role.allowed_actions.as_ref()),
        None => account.allowed_actions.get(access_key),
    };
    let denied = role.map(|role| &role.denied_actions[..]).unwrap_or_default();
    let may = |action: &str| {
        let is_denied = denied.iter().any(|pattern| covers(pattern, service, action));
        let is_free = format!("{service}:{action}") == FREE;
        let is_allowed =
            allowed.is_none_or(|allowed| allowed.iter().any(|pattern| covers(pattern, service, action)));
        !is_denied && (is_allowed || is_free)
    };
    let tagging = match (service, action) {
        ("ec2", _) if action != "CreateTags" && params.has_members("TagSpecification") => Some("CreateTags"),
        ("ram", "CreateResourceShare") if params.has_members("tags") => Some("TagResource"),
        _ => None,
    };
    match [Some(action), tagging].into_iter().flatten().find(|action| !may(action)) {
        Some(missing) => Err(Service::of(service).denied(service, missing)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn patterns_are_iams() {
        for (pattern, expected) in [
            ("*", true),
            ("ec2:*", true),
            ("EC2:describe*", true),
            ("ec2:DescribeVpcs", true),
            ("Describe*", true),
            ("*:Describe*", true),
            ("ram:*", false),
            ("ec2:Create*", false),
        ] {
            assert_eq!(covers(pattern, "ec2", "DescribeVpcs"), expected, "{pattern}");
        }
    }
}
