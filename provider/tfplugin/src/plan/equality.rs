//! Equality of values by type: order means nothing in sets.

use crate::dynamic::Dynamic;
use crate::msgpack;
use crate::types::Type;

/// True if both are the same value of `ty`.
pub(super) fn same(ty: &Type, one: &Dynamic, other: &Dynamic) -> bool {
    match (ty, one, other) {
        (Type::Set(element), Dynamic::List(one), Dynamic::List(other)) => {
            one.len() == other.len() && sorted(element, one) == sorted(element, other)
        }
        (Type::List(element), Dynamic::List(one), Dynamic::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(element, one, other))
        }
        (Type::Map(element), Dynamic::Map(one), Dynamic::Map(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|((a, one), (b, other))| a == b && same(element, one, other))
        }
        (Type::Object(attributes), Dynamic::Map(one), Dynamic::Map(other)) => {
            attributes.iter().all(|(name, ty)| {
                same(ty, one.get(name).unwrap_or(&Dynamic::Null), other.get(name).unwrap_or(&Dynamic::Null))
            })
        }
        _ => one == other,
    }
}

/// The elements' wire forms in order. Sets inside sets are compared in the order they came, which at worst
/// reports a change that is none.
fn sorted(element: &Type, elements: &[Dynamic]) -> Vec<Vec<u8>> {
    let mut encoded: Vec<_> =
        elements.iter().map(|e| msgpack::encode(e, element).unwrap_or_default()).collect();
    encoded.sort_unstable();
    encoded
}
