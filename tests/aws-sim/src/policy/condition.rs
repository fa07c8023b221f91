//! One condition: an operator, a key, and the values it accepts.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>. Values
//! are alternatives (of a negated operator: none may be met); all conditions of a statement must hold.

use std::collections::BTreeMap;

use super::{ARN_PARTS, PolicyError, covers, like, refuse};

/// Keys that the simulator puts into requests, in lower case; those that end in `/` go on with a tag's key.
const KEYS: [&str; 14] = [
    "aws:principalaccount",
    "aws:requestedregion",
    "aws:requesttag/",
    "aws:resourceaccount",
    "aws:resourcetag/",
    TAG_KEYS,
    "ec2:createaction",
    "ec2:region",
    "ec2:resourcetag/",
    "ram:allowsexternalprincipals",
    "ram:requestedallowsexternalprincipals",
    "ram:requestedresourcetype",
    "ram:resourcesharename",
    "sts:externalid",
];
/// The one key of them with several values in one request.
const TAG_KEYS: &str = "aws:tagkeys";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// In lower case, as keys are compared.
    key: String,
    test: Test,
    values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// The key is absent (`true`) or there (`false`).
    Null,
    /// The values of the key are compared.
    Compare { how: How, negated: bool, quantity: Quantity, if_exists: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Arn,
    Bool,
    Equal,
    EqualIgnoringCase,
    Like,
}

/// How many of the request's values must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantity {
    All,
    Any,
    Single,
}

impl Condition {
    pub(super) fn read(operator: &str, key: &str, values: Vec<String>) -> Result<Self, PolicyError> {
        let key = key.to_lowercase();
        let is_known = |known: &&str| match known.strip_suffix('/') {
            Some(_) => key.strip_prefix(*known).is_some_and(|tag| !tag.is_empty()),
            None => key == **known,
        };
        if !KEYS.iter().any(is_known) {
            return refuse(format!("the condition key {key} is not simulated"));
        }
        if values.is_empty() {
            return refuse(format!("{operator} of {key} has no values"));
        }
        let unknown = || refuse(format!("the condition operator {operator} is not simulated"));
        let (quantity, rest) = match operator.split_once(':') {
            Some(("ForAllValues", rest)) => (Quantity::All, rest),
            Some(("ForAnyValue", rest)) => (Quantity::Any, rest),
            Some(_) => return unknown(),
            None => (Quantity::Single, operator),
        };
        // A set operator with a single value, or none with several, does not mean what it says: AWS advises against the first and
        // demands one for the second.
        if rest != "Null" && (key == TAG_KEYS) != (quantity != Quantity::Single) {
            let why =
                if key == TAG_KEYS { "has several values and needs" } else { "has one value and takes no" };
            return refuse(format!("{key} {why} ForAllValues or ForAnyValue"));
        }
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let (how, negated) = match name {
            "Null" if quantity == Quantity::Single && !if_exists => {
                check_flags(operator, &values)?;
                return Ok(Self { key, test: Test::Null, values });
            }
            "ArnEquals" | "ArnLike" => (How::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (How::Arn, true),
            "Bool" => (How::Bool, false),
            "StringEquals" => (How::Equal, false),
            "StringEqualsIgnoreCase" => (How::EqualIgnoringCase, false),
            "StringLike" => (How::Like, false),
            "StringNotEquals" => (How::Equal, true),
            "StringNotEqualsIgnoreCase" => (How::EqualIgnoringCase, true),
            "StringNotLike" => (How::Like, true),
            _ => return unknown(),
        };
        if how == How::Bool {
            check_flags(operator, &values)?;
        }
        let is_arn = |value: &&String| value.splitn(ARN_PARTS, ':').count() == ARN_PARTS;
        if let (How::Arn, Some(other)) = (how, values.iter().find(|value| !is_arn(value))) {
            return refuse(format!("{operator} of {key}: {other} is not an ARN"));
        }
        Ok(Self { key, test: Test::Compare { how, negated, quantity, if_exists }, values })
    }

    pub(super) fn holds(&self, context: &BTreeMap<String, Vec<String>>) -> bool {
        let given = context.get(&self.key).filter(|values| !values.is_empty());
        match &self.test {
            Test::Null => self.values.iter().any(|value| (value == "true") == given.is_none()),
            Test::Compare { how, negated, quantity, if_exists } => {
                let Some(given) = given else {
                    return *if_exists
                        || *quantity == Quantity::All
                        || (*negated && *quantity == Quantity::Single);
                };
                let meets = |value: &String| {
                    self.values.iter().any(|accepted| how.compare(accepted, value)) != *negated
                };
                match quantity {
                    Quantity::Any => given.iter().any(meets),
                    Quantity::All | Quantity::Single => given.iter().all(meets),
                }
            }
        }
    }
}

fn check_flags(operator: &str, values: &[String]) -> Result<(), PolicyError> {
    match values.iter().find(|value| !matches!(value.as_str(), "true" | "false")) {
        Some(other) => refuse(format!("{operator}: {other} is neither true nor false")),
        None => Ok(()),
    }
}

impl How {
    fn compare(self, accepted: &str, value: &str) -> bool {
        match self {
            Self::Arn => covers(accepted, value),
            Self::Bool | Self::Equal => accepted == value,
            Self::EqualIgnoringCase => accepted.to_lowercase() == value.to_lowercase(),
            Self::Like => like(accepted, value),
        }
    }
}
