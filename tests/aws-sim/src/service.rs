//! The services of the simulator: how a call names its action, and what replies and refusals look like on the wire.
//!
//! EC2, STS, elastic load balancing and auto scaling speak AWS's query protocol, Organizations JSON 1.1, resource
//! access manager REST with JSON. Parameters of the latter two become the same flat pairs that forms consist of.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::xml::{self, Element};

/// A service by the name its requests are signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Balancing,
    Ec2,
    Organizations,
    Scaling,
    Sharing,
    Sts,
    /// Only an upstream can answer it.
    Other,
}

/// The members of a good reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    Json(Value),
    Xml(Element),
}

const BALANCING_NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";
const SCALING_NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const ORGANIZATIONS_TARGET: &str = "AWSOrganizationsV20161128.";

/// Actions of the resource access manager: each is a path in lower case.
const SHARING_ACTIONS: [&str; 12] = [
    "AcceptResourceShareInvitation",
    "AssociateResourceShare",
    "CreateResourceShare",
    "DeleteResourceShare",
    "DisassociateResourceShare",
    "GetResourceShareAssociations",
    "GetResourceShareInvitations",
    "GetResourceShares",
    "ListResources",
    "TagResource",
    "UntagResource",
    "UpdateResourceShare",
];

impl Service {
    pub(crate) fn of(signing_name: &str) -> Self {
        match signing_name {
            "autoscaling" => Self::Scaling,
            "ec2" => Self::Ec2,
            "elasticloadbalancing" => Self::Balancing,
            "organizations" => Self::Organizations,
            "ram" => Self::Sharing,
            "sts" => Self::Sts,
            _ => Self::Other,
        }
    }

    /// Whether requests are forms.
    pub(crate) fn speaks_query(self) -> bool {
        matches!(self, Self::Balancing | Self::Ec2 | Self::Scaling | Self::Sts)
    }

    pub(crate) fn speaks_json(self) -> bool {
        matches!(self, Self::Organizations | Self::Sharing)
    }

    /// Whether a call belongs to the Region it is signed for.
    pub(crate) fn is_regional(self) -> bool {
        matches!(self, Self::Balancing | Self::Ec2 | Self::Scaling | Self::Sharing)
    }

    /// The action of a JSON request; `target` is the `X-Amz-Target` header.
    pub(crate) fn action(self, method: &str, target: Option<&str>, path: &str) -> Option<String> {
        match self {
            Self::Organizations => target?.strip_prefix(ORGANIZATIONS_TARGET).map(str::to_owned),
            Self::Sharing => {
                let name = path.strip_prefix('/')?;
                let action = SHARING_ACTIONS.into_iter().find(|action| action.to_lowercase() == name)?;
                let verb = if action == "DeleteResourceShare" { "DELETE" } else { "POST" };
                (verb == method).then(|| action.to_owned())
            }
            _ => None,
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Organizations => "application/x-amz-json-1.1",
            Self::Sharing => "application/json",
            _ => "text/xml;charset=UTF-8",
        }
    }

    pub(crate) fn reply(self, action: &str, request_id: &str, reply: Reply) -> String {
        match (self, reply) {
            (_, Reply::Json(members)) => members.to_string(),
            (Self::Ec2, Reply::Xml(members)) => xml::ec2_reply(action, request_id, members),
            (_, Reply::Xml(members)) => xml::query_reply(self.namespace(), action, request_id, members),
        }
    }

    pub(crate) fn error(self, error: &ApiError, request_id: &str) -> String {
        match self {
            Self::Ec2 => xml::ec2_error(error, request_id),
            // Services differ in how they spell `message`, and clients take either.
            Self::Organizations => json!({"__type": error.code, "Message": error.message}).to_string(),
            Self::Sharing => json!({"__type": error.code, "message": error.message}).to_string(),
            _ => xml::query_error(self.namespace(), error, request_id),
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::Balancing => BALANCING_NAMESPACE,
            Self::Scaling => SCALING_NAMESPACE,
            _ => STS_NAMESPACE,
        }
    }

    /// A refusal of the parameter reader, under the code this service has for it.
    pub(crate) fn translate(self, error: ApiError) -> ApiError {
        let code = match (self, error.code.as_ref()) {
            (Self::Sharing, "InvalidNextToken") => "InvalidNextTokenException",
            (
                Self::Sharing,
                "MissingParameter" | "InvalidParameterValue" | "UnknownParameter" | "TagLimitExceeded",
            ) => "InvalidParameterException",
            (
                Self::Organizations,
                "InvalidNextToken" | "MissingParameter" | "InvalidParameterValue" | "UnknownParameter",
            ) => "InvalidInputException",
            (Self::Balancing, "InvalidNextToken")
            | (
                Self::Balancing | Self::Scaling,
                "MissingParameter" | "InvalidParameterValue" | "UnknownParameter",
            ) => "ValidationError",
            _ => return error,
        };
        ApiError::new(code, error.message)
    }

    /// The refusal of a credential nobody knows.
    pub(crate) fn unknown_caller(self) -> ApiError {
        match self {
            Self::Ec2 => {
                ApiError::new("AuthFailure", "AWS was not able to validate the provided access credentials")
            }
            Self::Organizations | Self::Sharing => ApiError::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            _ => ApiError::new(
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            ),
        }
    }

    /// The refusal of temporary credentials that have ended.
    pub(crate) fn expired(self) -> ApiError {
        let code = match self {
            Self::Ec2 => "RequestExpired",
            Self::Organizations | Self::Sharing => "ExpiredTokenException",
            _ => "ExpiredToken",
        };
        ApiError::new(code, "The security token included in the request is expired")
    }

    /// The refusal of a caller whose bucket is empty.
    pub(crate) fn throttled(self) -> ApiError {
        match self {
            Self::Ec2 => ApiError::new("RequestLimitExceeded", "Request limit exceeded."),
            Self::Organizations => ApiError::new(
                "TooManyRequestsException",
                "You have sent too many requests in too short a period of time.",
            ),
            Self::Balancing | Self::Sharing => ApiError::new("ThrottlingException", "Rate exceeded"),
            _ => ApiError::new("Throttling", "Rate exceeded"),
        }
    }

    /// The refusal of a caller without permission, `name` being the service in IAM's spelling.
    pub(crate) fn denied(self, name: &str, action: &str) -> ApiError {
        match self {
            Self::Ec2 => {
                let message = format!("You are not authorized to perform this operation. ({action})");
                ApiError::new("UnauthorizedOperation", message)
            }
            Self::Organizations | Self::Sharing => ApiError::new(
                "AccessDeniedException",
                format!("User is not authorized to perform: {name}:{action}"),
            ),
            _ => ApiError::new("AccessDenied", format!("User is not authorized to perform: {name}:{action}")),
        }
    }
}

/// A JSON body as flat pairs: `{"tags": [{"key": "a"}]}` is `tags.1.key` = `a`. Nulls are absent members.
pub(crate) fn flatten(body: &[u8]) -> Result<BTreeMap<String, String>, ApiError> {
    let malformed = |why: String| ApiError::new("SerializationException", why);
    let mut pairs = BTreeMap::new();
    if body.is_empty() {
        return Ok(pairs);
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    if !value.is_object() {
        return Err(malformed("The request body is not a JSON object".to_owned()));
    }
    spread("", &value, &mut pairs);
    Ok(pairs)
}

fn spread(path: &str, value: &Value, pairs: &mut BTreeMap<String, String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Array(members) => {
            for (member, number) in members.iter().zip(1..) {
                spread(&below(&number.to_string()), member, pairs);
            }
        }
        Value::Bool(flag) => {
            pairs.insert(path.to_owned(), flag.to_string());
        }
        Value::Null => {}
        Value::Number(number) => {
            pairs.insert(path.to_owned(), number.to_string());
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| spread(&below(name), member, pairs));
        }
        Value::String(text) => {
            pairs.insert(path.to_owned(), text.clone());
        }
    }
}

/// A time as JSON replies carry it: seconds since 1970 with milliseconds behind the point.
#[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit in 53 bits for 285,000 years")]
pub(crate) fn epoch(time: jiff::Timestamp) -> Value {
    json!(time.as_millisecond() as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::{Service, flatten};

    #[test]
    fn json_bodies_become_pairs() {
        let pairs = flatten(br#"{"a":{"b":[1,"x"]},"c":null,"d":true,"e":[]}"#).unwrap();
        let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(pairs, ["a.b.1=1", "a.b.2=x", "d=true"]);
        assert_eq!(flatten(b"[]").unwrap_err().code, "SerializationException");
        assert!(flatten(b"").unwrap().is_empty());
    }

    #[test]
    fn actions_follow_from_header_or_path() {
        let sharing = |method: &str, path: &str| Service::of("ram").action(method, None, path);
        assert_eq!(sharing("POST", "/listresources").as_deref(), Some("ListResources"));
        assert_eq!(sharing("DELETE", "/deleteresourceshare").as_deref(), Some("DeleteResourceShare"));
        assert_eq!(sharing("POST", "/deleteresourceshare"), None);
        let target = Some("AWSOrganizationsV20161128.ListRoots");
        assert_eq!(Service::of("organizations").action("POST", target, "/").as_deref(), Some("ListRoots"));
    }
}
