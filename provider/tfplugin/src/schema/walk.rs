//! Walks a value beside its schema: every attribute once, with its path, nested ones included.

use super::{Attribute, Nesting, Object};
use crate::dynamic::Dynamic;
use crate::path::AttributePath;

/// Calls `each` for every attribute of `object` whose place exists in `value`, outer ones first.
///
/// Unknown and null objects have no inner places. Inside a set the path is that of the set.
pub(crate) fn visit<'v>(
    object: &Object,
    value: &'v Dynamic,
    path: &AttributePath,
    each: &mut dyn FnMut(&Attribute, &'v Dynamic, &AttributePath),
) {
    let Dynamic::Map(entries) = value else { return };
    for (name, attribute) in &object.attributes {
        let Some(value) = entries.get(name) else { continue };
        let path = path.clone().attribute(name);
        each(attribute, value, &path);
        let Some((nesting, object)) = attribute.nested() else { continue };
        match (nesting, value) {
            (Nesting::Single, value) => visit(object, value, &path, each),
            (Nesting::List, Dynamic::List(elements)) => {
                for (position, element) in elements.iter().enumerate() {
                    visit(object, element, &path.clone().index(position), each);
                }
            }
            (Nesting::Set, Dynamic::List(elements)) => {
                for element in elements {
                    visit_set_element(object, element, &path, each);
                }
            }
            (Nesting::Map, Dynamic::Map(entries)) => {
                for (key, element) in entries {
                    visit(object, element, &path.clone().key(key), each);
                }
            }
            _ => {}
        }
    }
}

fn visit_set_element<'v>(
    object: &Object,
    element: &'v Dynamic,
    set: &AttributePath,
    each: &mut dyn FnMut(&Attribute, &'v Dynamic, &AttributePath),
) {
    visit(object, element, set, &mut |attribute, value, _| each(attribute, value, set));
}
