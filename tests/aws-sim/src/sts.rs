//! STS: GetCallerIdentity and AssumeRole. A temporary key belongs to the role's account.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>. A role may be
//! assumed by the accounts it names and whom its trust policy names, while its account is active. A session policy
//! narrows what the session may do; managed policies of a session (`PolicyArns`) are not known here and do not.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::error::ApiError;
use crate::policy::{Asked, Policy};
use crate::query::Params;
use crate::state::{Account, Credential, Session, State};
use crate::xml::Element;

const VERSION: &str = "2011-06-15";
/// Role chaining: a session made with a session's credentials ends after an hour at most.
const CHAINED_SECONDS: i64 = 3600;

/// Carries out one STS call.
pub(crate) fn answer(
    state: &mut State,
    caller: &Credential,
    action: &str,
    mut params: Params,
    now: Timestamp,
) -> Result<Element, ApiError> {
    let version = params.text("Version");
    if version.as_deref() != Some(VERSION) {
        return Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {action} for that version"),
        ));
    }
    match action {
        "AssumeRole" => assume_role(state, caller, params, now),
        "GetCallerIdentity" => {
            params.finish()?;
            Ok(Element::new("result")
                .field("Arn", &caller.arn)
                .field("UserId", &caller.user_id)
                .field("Account", &caller.account))
        }
        _ => Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {action} for version {VERSION}"),
        )),
    }
}

/// Whether an action is STS's and ours.
pub(crate) fn owns(action: &str) -> bool {
    matches!(action, "AssumeRole" | "GetCallerIdentity")
}

fn assume_role(
    state: &mut State,
    caller: &Credential,
    mut params: Params,
    now: Timestamp,
) -> Result<Element, ApiError> {
    let invalid = |message: String| ApiError::new("ValidationError", message);
    let arn = params.required("RoleArn").map_err(|_| invalid("RoleArn is required".to_owned()))?;
    let name =
        params.required("RoleSessionName").map_err(|_| invalid("RoleSessionName is required".to_owned()))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(is_name) {
        return Err(invalid(format!(
            "Value '{name}' at 'roleSessionName' failed to satisfy its constraints"
        )));
    }
    let seconds = params.integer("DurationSeconds", 900..=43200).map_err(|error| invalid(error.message))?;
    let external_id = params.text("ExternalId");
    let malformed = |error: crate::policy::PolicyError| {
        ApiError::new("MalformedPolicyDocument", format!("The session policy cannot be used: {error}"))
    };
    let policy =
        params.text("Policy").map(|text| Policy::of_identity(&text)).transpose().map_err(malformed)?;
    let has_tags = params.has_members("Tags.member");
    // Accepted and without effect: nothing here knows managed policies or reads session tags.
    for ignored in ["SourceIdentity", "SerialNumber", "TokenCode"] {
        params.text(ignored);
    }
    for list in ["Tags.member", "TransitiveTagKeys.member", "PolicyArns.member"] {
        for index in params.indexes(list)? {
            for member in ["", ".Key", ".Value", ".arn"] {
                params.text(&format!("{list}.{index}{member}"));
            }
        }
    }
    params.finish()?;

    let denied = || {
        let message =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}", caller.arn);
        ApiError::new("AccessDenied", message)
    };
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else {
        return Err(invalid(format!("{arn} is invalid")));
    };
    let role_name = resource.strip_prefix("role/").ok_or_else(|| invalid(format!("{arn} is invalid")))?;
    let role_name = role_name.rsplit('/').next().unwrap_or(role_name);
    if partition != state.partition {
        return Err(denied());
    }
    // Nobody gets into an account that is closed or suspended.
    let is_open = |account: &&Account| matches!(account.status.as_str(), "ACTIVE" | "PENDING_CLOSURE");
    let account_of_role = state.accounts.get(account).filter(is_open);
    let role = account_of_role.and_then(|account| account.roles.get(role_name)).ok_or_else(denied)?;
    if role.external_id.is_some() && role.external_id != external_id {
        return Err(denied());
    }
    if role.trusted_accounts.as_ref().is_some_and(|trusted| !trusted.contains(&caller.account)) {
        return Err(denied());
    }
    let mut context = BTreeMap::new();
    context.extend(external_id.map(|id| ("sts:externalid".to_owned(), vec![id])));
    // Session tags take a permission of their own on both sides.
    for action in ["sts:AssumeRole", "sts:TagSession"].into_iter().take(if has_tags { 2 } else { 1 }) {
        let asked = Asked { action: action.to_owned(), resource: arn.clone(), context: context.clone() };
        if role.trust.as_ref().is_some_and(|trust| !trust.trusts(&caller.account, &caller.arn, &asked)) {
            return Err(denied());
        }
    }
    let most = if caller.session.is_some() { CHAINED_SECONDS } else { role.max_duration };
    if seconds.is_some_and(|seconds| seconds > most) {
        let message = if caller.session.is_some() {
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        } else {
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        };
        return Err(invalid(message.to_owned()));
    }
    let seconds = seconds.unwrap_or_else(|| CHAINED_SECONDS.min(most));
    let ends_after = role.ends_after;

    let (account, role_name) = (account.to_owned(), role_name.to_owned());
    state.serial += 1;
    let seed = format!("{arn}/{name}/{}", state.serial);
    let digits = |prefix: &str, count: usize| {
        let text = crate::id::derive(prefix, &seed).replace('-', "").to_ascii_uppercase();
        text.chars().cycle().take(count).collect::<String>()
    };
    let key = format!("ASIA{}", digits("K", 16));
    let role_id = format!("AROA{}", crate::id::derive("R", &arn).replace('-', "").to_ascii_uppercase());
    let token = format!("simulated-session-token-{}", digits("T", 40));
    let expires = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    let ends =
        ends_after.and_then(|early| now.checked_add(early).ok()).map_or(expires, |early| early.min(expires));
    let session_arn = format!("arn:{}:sts::{account}:assumed-role/{role_name}/{name}", state.partition);
    let user_id = format!("{role_id}:{name}");
    state.credentials.insert(
        key.clone(),
        Credential {
            account,
            arn: session_arn.clone(),
            user_id: user_id.clone(),
            session: Some(Session { token: token.clone(), role: role_name, expires: ends, policy }),
        },
    );
    let credentials = Element::new("Credentials")
        .field("AccessKeyId", key)
        .field("SecretAccessKey", digits("S", 40))
        .field("SessionToken", token)
        .field("Expiration", expires.strftime("%Y-%m-%dT%H:%M:%SZ"));
    let user = Element::new("AssumedRoleUser").field("AssumedRoleId", user_id).field("Arn", session_arn);
    Ok(Element::new("result").child(credentials).child(user))
}
