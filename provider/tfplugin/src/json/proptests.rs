//! What a state file holds comes back as it was, fractions to the last bit; no bytes make a panic.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::msgpack::proptests::{types, values};

/// A value as a state file can hold it: no unknowns, no numbers beyond doubles and 64 bits.
fn storable(value: Dynamic) -> Dynamic {
    match value {
        Dynamic::Unknown | Dynamic::Number(Number::Decimal(_)) => Dynamic::Null,
        Dynamic::List(elements) => Dynamic::List(elements.into_iter().map(storable).collect()),
        Dynamic::Map(entries) => Dynamic::Map(entries.into_iter().map(|(k, v)| (k, storable(v))).collect()),
        other => other,
    }
}

proptest! {
    #[test]
    fn what_was_stored_is_read((ty, value) in types().prop_flat_map(|ty| { let v = values(&ty); (Just(ty), v) })) {
        let value = storable(value);
        let json = serde_json::to_vec(&value).unwrap();
        prop_assert_eq!(decode(&json, &ty).unwrap(), value);
    }

    #[test]
    fn random_text_never_panics(ty in types(), bytes in vec(any::<u8>(), 0..80), text in "[\\[\\]{}:,\"0-9a-z ]{0,60}") {
        let _bytes = decode(&bytes, &ty);
        let _text = decode(text.as_bytes(), &ty);
        let _any = decode(text.as_bytes(), &Type::Any);
    }
}
