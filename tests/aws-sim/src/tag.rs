//! Tags and their limits, and `TagSpecification` of the create calls.
//!
//! Limits: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::query::Params;

/// Tags of one object, in key order.
pub type Tags = BTreeMap<String, String>;

/// Tags are seen by the account that set them alone, also on objects it shares.
pub(crate) static NONE: Tags = BTreeMap::new();

/// Tags an object may have, without those of AWS itself.
const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// Reads `TagSpecification.N`; only `resource_type` may be tagged by the call.
pub(crate) fn specifications(params: &mut Params, resource_type: &str) -> Result<Tags, ApiError> {
    let mut tags = None;
    for index in params.indexes("TagSpecification")? {
        let prefix = format!("TagSpecification.{index}");
        let kind = params.required(&format!("{prefix}.ResourceType"))?;
        if kind != resource_type {
            let message = format!("'{kind}' is not a valid taggable resource type for this operation.");
            return Err(ApiError::invalid(message));
        }
        if tags.is_some() {
            return Err(ApiError::invalid(format!("Duplicate resource type '{kind}' in tag specifications")));
        }
        let given = read(params, &format!("{prefix}.Tag"))?;
        if given.is_empty() {
            return Err(ApiError::invalid("Tag specification must have at least one tag"));
        }
        tags = Some(check(given)?);
    }
    let tags = tags.unwrap_or_default();
    limit(&tags)?;
    Ok(tags)
}

/// Reads `prefix.N.Key` and `prefix.N.Value`; a missing value stays `None` (DeleteTags tells the difference).
pub(crate) fn read(params: &mut Params, prefix: &str) -> Result<Vec<(String, Option<String>)>, ApiError> {
    let mut tags = Vec::new();
    for index in params.indexes(prefix)? {
        let key = params.required(&format!("{prefix}.{index}.Key"))?;
        tags.push((key, params.text(&format!("{prefix}.{index}.Value"))));
    }
    Ok(tags)
}

/// Tags that may be written: keys once, within the lengths, not in AWS's own namespace.
pub(crate) fn check(given: Vec<(String, Option<String>)>) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for (key, value) in given {
        let value = value.unwrap_or_default();
        if key.to_ascii_lowercase().starts_with("aws:") {
            let message = "Tag keys starting with 'aws:' are reserved for internal use";
            return Err(ApiError::invalid(message));
        }
        if key.chars().count() > MAX_KEY {
            let message = format!("Tag key exceeds the maximum length of {MAX_KEY} characters");
            return Err(ApiError::invalid(message));
        }
        if value.chars().count() > MAX_VALUE {
            let message = format!("Tag value exceeds the maximum length of {MAX_VALUE} characters");
            return Err(ApiError::invalid(message));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(ApiError::invalid(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    Ok(tags)
}

/// Refuses more tags than an object may have.
pub(crate) fn limit(tags: &Tags) -> Result<(), ApiError> {
    let own = tags.keys().filter(|key| !key.starts_with("aws:")).count();
    if own > MAX_TAGS {
        let message = format!("More than {MAX_TAGS} tags specified");
        return Err(ApiError::new("TagLimitExceeded", message));
    }
    Ok(())
}
