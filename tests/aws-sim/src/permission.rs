//! What a caller may do: policies of roles and of access keys, and lists of actions in IAM's `service:Action` spelling.
//!
//! Lists look at actions alone, policies also at resources and conditions; a caller with both needs both, a session
//! with a policy of its own needs that too, and one with none of them may do everything. What a call needs is worked
//! out in [`needs`], what a policy says of it in [`crate::policy`].

mod needs;

use crate::error::ApiError;
use crate::filter::matches;
use crate::query::Params;
use crate::service::Service;
use crate::state::{Credential, Place, State};

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

/// Checks one call, with the tagging that a create call does on the side. Gives the statements of the caller's policy that allow
/// it, each as `Sid service:Action`; none where the caller has no policy.
pub(crate) fn authorize(
    state: &State,
    caller: &Credential,
    access_key: &str,
    place: &Place,
    (service, action): (&str, &str),
    params: &Params,
) -> Result<Vec<String>, ApiError> {
    let Some(account) = state.accounts.get(&caller.account) else { return Ok(Vec::new()) };
    let role = caller.session.as_ref().and_then(|session| account.roles.get(&session.role));
    let (allowed, policy) = match &caller.session {
        Some(_) => {
            (role.and_then(|role| role.allowed_actions.as_ref()), role.and_then(|role| role.policy.as_ref()))
        }
        None => (account.allowed_actions.get(access_key), account.policies.get(access_key)),
    };
    let denied = role.map(|role| &role.denied_actions[..]).unwrap_or_default();
    let is_free = |action: &str| format!("{service}:{action}") == FREE;
    let may = |action: &str| {
        let is_denied = denied.iter().any(|pattern| covers(pattern, service, action));
        let is_allowed =
            allowed.is_none_or(|allowed| allowed.iter().any(|pattern| covers(pattern, service, action)));
        !is_denied && (is_allowed || is_free(action))
    };
    let tagging = match (service, action) {
        ("ec2", _) if action != "CreateTags" && params.has_members("TagSpecification") => Some("CreateTags"),
        ("ram", "CreateResourceShare") if params.has_members("tags") => Some("TagResource"),
        _ => None,
    };
    if let Some(missing) = [Some(action), tagging].into_iter().flatten().find(|action| !may(action)) {
        return Err(Service::of(service).denied(service, missing));
    }
    let narrowed = caller.session.as_ref().and_then(|session| session.policy.as_ref());
    if is_free(action) || (policy.is_none() && narrowed.is_none()) {
        return Ok(Vec::new());
    }
    let mut granted = Vec::new();
    for need in needs::needs(state, caller, place, (service, action), params) {
        let sids = policy.map_or_else(|| Some(Vec::new()), |policy| policy.allows(&need));
        let sids = sids.filter(|_| narrowed.is_none_or(|policy| policy.allows(&need).is_some()));
        let Some(sids) = sids else {
            let (_, action) = need.action.split_once(':').unwrap_or_default();
            let what = format!("{action} on resource: {}", need.resource);
            return Err(Service::of(service).denied(service, &what));
        };
        granted.extend(sids.into_iter().map(|sid| format!("{sid} {}", need.action)));
    }
    granted.sort();
    granted.dedup();
    Ok(granted)
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
