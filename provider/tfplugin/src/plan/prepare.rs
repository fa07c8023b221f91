//! From Terraform's proposal to what a resource's plan starts with.

use super::equality::same;
use crate::dynamic::Dynamic;
use crate::path::AttributePath;
use crate::schema::{Attribute, Nesting, Object, Schema};
use crate::types::Type;

/// Completes the proposed state: write-only attributes null, defaults where nothing is configured, and, if
/// anything changes, computed attributes unknown unless they keep their stored value.
///
/// `prior` is `None` on creation. Terraform has already carried computed values over from the prior state.
pub(crate) fn prepare(
    schema: &Schema,
    ty: &Type,
    prior: Option<&Dynamic>,
    config: &Dynamic,
    proposed: &mut Dynamic,
) {
    null_write_only(&schema.object, proposed);
    pairwise(&schema.object, config, proposed, &mut |attribute, config, proposed| {
        if let (Dynamic::Null, Some(default)) = (config, &attribute.default) {
            proposed.clone_from(default);
        }
    });
    if prior.is_some_and(|prior| same(ty, prior, proposed)) {
        return;
    }
    pairwise(&schema.object, config, proposed, &mut |attribute, config, proposed| {
        let left_to_provider = attribute.is_computed() && config.is_null() && attribute.default.is_none();
        let keeps_state = attribute.use_state_for_unknown && !proposed.is_null();
        if left_to_provider && !keeps_state && !attribute.write_only {
            *proposed = Dynamic::Unknown;
        }
    });
}

/// Calls `each` for every attribute with its configured and its proposed value, outer ones first.
fn pairwise(
    object: &Object,
    config: &Dynamic,
    proposed: &mut Dynamic,
    each: &mut dyn FnMut(&Attribute, &Dynamic, &mut Dynamic),
) {
    let (Dynamic::Map(config), Dynamic::Map(proposed)) = (config, proposed) else { return };
    for (name, attribute) in &object.attributes {
        let config = config.get(name).unwrap_or(&Dynamic::Null);
        let proposed = proposed.entry(name.clone()).or_default();
        each(attribute, config, proposed);
        let Some((nesting, object)) = attribute.nested() else { continue };
        match (nesting, config, proposed) {
            (Nesting::Single, config, proposed) => pairwise(object, config, proposed, each),
            (Nesting::List, Dynamic::List(config), Dynamic::List(proposed)) => {
                for (config, proposed) in config.iter().zip(proposed) {
                    pairwise(object, config, proposed, each);
                }
            }
            // Elements of a set have no name by which to find the configured one: what is proposed and
            // not null counts as configured.
            (Nesting::Set, Dynamic::List(_), Dynamic::List(proposed)) => {
                for proposed in proposed {
                    let config = proposed.clone();
                    pairwise(object, &config, proposed, each);
                }
            }
            (Nesting::Map, Dynamic::Map(config), Dynamic::Map(proposed)) => {
                for (key, proposed) in proposed {
                    pairwise(object, config.get(key).unwrap_or(&Dynamic::Null), proposed, each);
                }
            }
            _ => {}
        }
    }
}

/// Makes every write-only attribute null, as plans and states must have them.
pub(crate) fn null_write_only(object: &Object, value: &mut Dynamic) {
    let Dynamic::Map(entries) = value else { return };
    for (name, attribute) in &object.attributes {
        let Some(value) = entries.get_mut(name) else { continue };
        if attribute.write_only {
            *value = Dynamic::Null;
        }
        let Some((nesting, object)) = attribute.nested() else { continue };
        match (nesting, value) {
            (Nesting::Single, value) => null_write_only(object, value),
            (_, Dynamic::List(elements)) => elements.iter_mut().for_each(|e| null_write_only(object, e)),
            (_, Dynamic::Map(entries)) => entries.values_mut().for_each(|e| null_write_only(object, e)),
            _ => {}
        }
    }
}

/// The changed attributes that cannot be changed in place.
pub(crate) fn replaced_paths(schema: &Schema, prior: &Dynamic, planned: &Dynamic) -> Vec<AttributePath> {
    let mut paths = Vec::new();
    replaced(&schema.object, prior, planned, &AttributePath::root(), &mut paths);
    paths
}

fn replaced(
    object: &Object,
    prior: &Dynamic,
    planned: &Dynamic,
    path: &AttributePath,
    found: &mut Vec<AttributePath>,
) {
    let (Dynamic::Map(prior), Dynamic::Map(planned)) = (prior, planned) else { return };
    for (name, attribute) in &object.attributes {
        let prior = prior.get(name).unwrap_or(&Dynamic::Null);
        let planned = planned.get(name).unwrap_or(&Dynamic::Null);
        let path = path.clone().attribute(name);
        if attribute.requires_replace && !same(&attribute.ty(), prior, planned) {
            found.push(path.clone());
        }
        let Some((nesting, object)) = attribute.nested() else { continue };
        match (nesting, prior, planned) {
            (Nesting::Single, prior, planned) => replaced(object, prior, planned, &path, found),
            (Nesting::List, Dynamic::List(prior), Dynamic::List(planned)) => {
                for (position, (prior, planned)) in prior.iter().zip(planned).enumerate() {
                    replaced(object, prior, planned, &path.clone().index(position), found);
                }
            }
            (Nesting::Map, Dynamic::Map(prior), Dynamic::Map(planned)) => {
                for (key, planned) in planned {
                    if let Some(prior) = prior.get(key) {
                        replaced(object, prior, planned, &path.clone().key(key), found);
                    }
                }
            }
            _ => {}
        }
    }
}
