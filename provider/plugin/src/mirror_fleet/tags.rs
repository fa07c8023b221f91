//! `tags_all`: a fleet's own tags over the provider's `default_tags`, as in hashicorp/aws. Pure.
//!
//! It is what the fleet's objects carry beside its own tags. Stored, so that a change of the provider's tags alone is
//! a change of the fleet, and so that tags which nobody wants any more are known.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::given::Given;
use enigma_tfplugin::{Dynamic, Value};

use crate::reach::RawTags;
use crate::written::{map, to_text};

/// As stored: values that depend on something not made yet are unknown.
pub(super) type TagsAll = BTreeMap<String, Value<String>>;

/// The tags of these arguments over `defaults`.
pub(super) fn merged(arguments: &Dynamic, defaults: &Given<RawTags>) -> Given<RawTags> {
    match (defaults, map(arguments, "tags", to_text)) {
        (Given::Absent, own) => own,
        (Given::Unknown, _) | (_, Given::Unknown) => Given::Unknown,
        (Given::Known(defaults), own) => {
            let mut all = defaults.clone();
            all.extend(own.known().cloned().unwrap_or_default());
            Given::Known(all)
        }
    }
}

/// The computed attribute of these tags; no tags are an empty map.
pub(super) fn all(tags: Given<RawTags>) -> Value<TagsAll> {
    let value = |given: Given<String>| match given {
        Given::Absent => Value::Null,
        Given::Unknown => Value::Unknown,
        Given::Known(text) => Value::Known(text),
    };
    match tags {
        Given::Absent => Value::Known(TagsAll::new()),
        Given::Unknown => Value::Unknown,
        Given::Known(tags) => {
            Value::Known(tags.into_iter().map(|(key, given)| (key, value(given))).collect())
        }
    }
}

/// The keys of tags that the last apply set.
pub(super) fn former(before: &Value<TagsAll>) -> BTreeSet<String> {
    before.as_ref().known().into_iter().flat_map(BTreeMap::keys).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(tags: &[(&str, &str)]) -> Given<RawTags> {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), Given::Known((*value).to_owned())));
        Given::Known(tags.collect())
    }

    #[test]
    fn a_fleets_own_tags_go_over_those_of_the_provider() {
        let own = Dynamic::map([("tags", Dynamic::map([("team", Dynamic::from("red"))]))]);
        let defaults = known(&[("team", "blue"), ("owner", "secops")]);
        assert_eq!(merged(&own, &defaults), known(&[("owner", "secops"), ("team", "red")]));
        assert_eq!(merged(&Dynamic::map([("tags", Dynamic::Null)]), &defaults), defaults);
        assert_eq!(merged(&own, &Given::Absent), known(&[("team", "red")]));
        assert_eq!(merged(&own, &Given::Unknown), Given::Unknown);
        let unknown = Dynamic::map([("tags", Dynamic::Unknown)]);
        assert_eq!(merged(&unknown, &defaults), Given::Unknown);
    }

    #[test]
    fn what_was_set_is_remembered_by_key() {
        let stored = all(known(&[("team", "red"), ("owner", "secops")]));
        assert_eq!(former(&stored), BTreeSet::from(["owner".to_owned(), "team".to_owned()]));
        assert_eq!(all(Given::Absent), Value::Known(TagsAll::new()));
        assert_eq!(former(&Value::Null), BTreeSet::new());
    }
}
