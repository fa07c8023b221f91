//! IAM policies: documents of version 2012-10-17, and what they say about one action on one resource.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>: a statement that
//! denies goes before all that allow, and what none allows is denied. What cannot be judged here (other elements,
//! operators, condition keys, policy variables) is refused when the document is read, never passed over. Knows no
//! calls: [`crate::permission`] says what each asks for.

mod condition;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::filter::matches;
use condition::Condition;

/// The version with policy variables; the older one reads `${...}` as text and is not simulated.
const VERSION: &str = "2012-10-17";
/// Parts of an ARN, the last of which may contain colons.
const ARN_PARTS: usize = 6;

/// Why a document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct PolicyError(String);

fn refuse<T>(why: impl Into<String>) -> Result<T, PolicyError> {
    Err(PolicyError(why.into()))
}

/// A policy, of an identity or of who may assume a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    sid: String,
    allows: bool,
    /// In a trust policy whom it is about, as ARNs, account ids or `*`; empty in an identity's.
    principals: Vec<String>,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

/// What a call asks for: an action on one resource, with what conditions may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `service:Action`.
    pub(crate) action: String,
    /// An ARN; its last part ends in `/*` where the call makes the resource, and it is `*` where AWS knows no resource.
    pub(crate) resource: String,
    /// Condition key in lower case -> its values. A key without an entry is not in the request.
    pub(crate) context: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Document {
    version: String,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Entry {
    #[serde(default)]
    sid: String,
    effect: Effect,
    action: OneOrMany,
    resource: Option<OneOrMany>,
    principal: Option<Principal>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany>>,
}

#[derive(Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Principal {
    #[serde(rename = "AWS")]
    aws: OneOrMany,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Vec<String> {
    fn from(texts: OneOrMany) -> Self {
        match texts {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        }
    }
}

impl Policy {
    /// Reads the policy of a role or user.
    pub(crate) fn of_identity(text: &str) -> Result<Self, PolicyError> {
        Self::read(text, |entry| match (&entry.resource, &entry.principal) {
            (Some(_), None) => Ok(()),
            (None, _) => refuse("has no Resource"),
            (_, Some(_)) => refuse("has a Principal, which an identity's policy cannot have"),
        })
    }

    /// Reads the policy that says who may assume a role.
    pub(crate) fn of_trust(text: &str) -> Result<Self, PolicyError> {
        Self::read(text, |entry| match (&entry.resource, &entry.principal) {
            (None, Some(_)) => Ok(()),
            (_, None) => refuse("has no Principal"),
            (Some(_), _) => refuse("has a Resource, which a trust policy cannot have"),
        })
    }

    fn read(text: &str, fits: impl Fn(&Entry) -> Result<(), PolicyError>) -> Result<Self, PolicyError> {
        let wrong = |error: serde_json::Error| PolicyError(error.to_string());
        let document: Document = serde_json::from_str(text).map_err(wrong)?;
        if document.version != VERSION {
            return refuse(format!("version {} is not simulated, {VERSION} is", document.version));
        }
        // Variables stand in values and ARNs, and nowhere else does a document have this.
        if text.contains("${") {
            return refuse("policy variables are not simulated");
        }
        let entries = match document.statement {
            Value::Array(entries) => entries,
            one => vec![one],
        };
        let mut statements = Vec::new();
        for (entry, number) in entries.into_iter().zip(1..) {
            let named = |PolicyError(why)| PolicyError(format!("statement {number}: {why}"));
            let entry: Entry = serde_json::from_value(entry).map_err(wrong).map_err(named)?;
            fits(&entry).map_err(named)?;
            statements.push(Statement::read(entry).map_err(named)?);
        }
        let mut sids: Vec<&String> =
            statements.iter().map(|one| &one.sid).filter(|sid| !sid.is_empty()).collect();
        sids.sort();
        if let Some(twice) = sids.windows(2).find(|pair| pair[0] == pair[1]) {
            return refuse(format!("two statements have the Sid {}", twice[0]));
        }
        Ok(Self { statements })
    }

    /// The `Sid`s of all statements that allow what is asked; `None` if it is denied, by a statement or by none.
    pub(crate) fn allows(&self, asked: &Asked) -> Option<Vec<String>> {
        self.judge(asked, |statement| {
            statement.resources.iter().any(|pattern| covers(pattern, &asked.resource))
        })
    }

    /// Whether a caller may assume the role of this trust policy: `account` and `arn` are the caller's.
    pub(crate) fn trusts(&self, account: &str, arn: &str, asked: &Asked) -> bool {
        let is_meant = |principal: &String| {
            principal == "*"
                || principal == account
                || principal == arn
                || principal.strip_suffix(":root").is_some_and(|head| head.ends_with(&format!("::{account}")))
        };
        self.judge(asked, |statement| statement.principals.iter().any(is_meant)).is_some()
    }

    fn judge(&self, asked: &Asked, is_about: impl Fn(&Statement) -> bool) -> Option<Vec<String>> {
        let mut sids = None;
        for statement in &self.statements {
            let holds = is_about(statement)
                && statement.actions.iter().any(|pattern| covers_action(pattern, &asked.action))
                && statement.conditions.iter().all(|condition| condition.holds(&asked.context));
            match statement.allows {
                _ if !holds => {}
                true => sids.get_or_insert_with(Vec::new).push(statement.sid.clone()),
                false => return None,
            }
        }
        sids
    }
}

impl Statement {
    fn read(entry: Entry) -> Result<Self, PolicyError> {
        let actions: Vec<String> = entry.action.into();
        if let Some(action) = actions.iter().find(|action| *action != "*" && !action.contains(':')) {
            return refuse(format!("the Action {action} names no service"));
        }
        let resources: Vec<String> = entry.resource.map(Into::into).unwrap_or_default();
        for resource in resources.iter().filter(|resource| *resource != "*") {
            let parts: Vec<&str> = resource.splitn(ARN_PARTS, ':').collect();
            if parts.len() < ARN_PARTS || parts[0] != "arn" || parts[2].contains(['*', '?']) {
                return refuse(format!("the Resource {resource} is neither * nor an ARN of a service"));
            }
        }
        let mut conditions = Vec::new();
        for (operator, keys) in entry.condition {
            for (key, values) in keys {
                conditions.push(Condition::read(&operator, &key, values.into())?);
            }
        }
        Ok(Self {
            sid: entry.sid,
            allows: matches!(entry.effect, Effect::Allow),
            principals: entry.principal.map(|principal| principal.aws.into()).unwrap_or_default(),
            actions,
            resources,
            conditions,
        })
    }
}

/// IAM takes no account of case in actions.
fn covers_action(pattern: &str, action: &str) -> bool {
    like(&pattern.to_lowercase(), &action.to_lowercase())
}

/// Part by part: a wildcard does not reach over a colon, but for those in the last part.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
fn covers(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let parts = |text: &str| text.splitn(ARN_PARTS, ':').map(str::to_owned).collect::<Vec<_>>();
    let (patterns, parts) = (parts(pattern), parts(arn));
    patterns.len() == parts.len() && patterns.iter().zip(&parts).all(|(pattern, part)| like(pattern, part))
}

/// `*` and `?` as wildcards, as EC2's filters have them, but without their escapes.
fn like(pattern: &str, text: &str) -> bool {
    matches(&pattern.replace('\\', "\\\\"), text)
}
