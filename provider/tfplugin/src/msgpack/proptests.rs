//! For any type and any value of it: decoding what was encoded gives the value; no bytes make a panic.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

pub(crate) fn types() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            btree_map("[a-z]{1,4}", inner.clone(), 0..4).prop_map(Type::Object),
            vec(inner, 0..4).prop_map(Type::Tuple),
        ]
    })
}

fn numbers() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
        "[1-9][0-9]{25,40}(\\.[0-9]{20,30})?".prop_filter_map("a number", |text| Number::parse(&text)),
    ]
}

/// Any value of a type, null and unknown included.
pub(crate) fn values(ty: &Type) -> BoxedStrategy<Dynamic> {
    let known = match ty {
        Type::Any => Just(Dynamic::Null).boxed(),
        Type::Bool => any::<bool>().prop_map(Dynamic::Bool).boxed(),
        Type::Number => numbers().prop_map(Dynamic::Number).boxed(),
        Type::String => ".{0,40}".prop_map(Dynamic::String).boxed(),
        Type::List(element) | Type::Set(element) => {
            vec(values(element), 0..20).prop_map(Dynamic::List).boxed()
        }
        Type::Map(element) => btree_map(".{0,8}", values(element), 0..20).prop_map(Dynamic::Map).boxed(),
        Type::Tuple(elements) => {
            elements.iter().map(values).collect::<Vec<_>>().prop_map(Dynamic::List).boxed()
        }
        Type::Object(attributes) => {
            let names: Vec<_> = attributes.keys().cloned().collect();
            let values: Vec<_> = attributes.values().map(values).collect();
            values.prop_map(move |values| Dynamic::Map(names.iter().cloned().zip(values).collect())).boxed()
        }
    };
    prop_oneof![8 => known, 1 => Just(Dynamic::Null), 1 => Just(Dynamic::Unknown)].boxed()
}

fn typed_values() -> impl Strategy<Value = (Type, Dynamic)> {
    types().prop_flat_map(|ty| {
        let values = values(&ty);
        (Just(ty), values)
    })
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded((ty, value) in typed_values()) {
        let bytes = encode(&value, &ty).unwrap();
        prop_assert_eq!(decode(&bytes, &ty).unwrap(), value);
    }

    #[test]
    fn a_value_of_no_declared_type_comes_back_as_well((_, value) in typed_values()) {
        // An unknown or null inside keeps no type of its own; the rest does.
        let bytes = encode(&value, &Type::Any).unwrap();
        prop_assert_eq!(decode(&bytes, &Type::Any).unwrap(), value);
    }

    #[test]
    fn serde_gives_back_what_it_took((_, value) in typed_values()) {
        let written = Dynamic::from_typed(&value).unwrap();
        prop_assert_eq!(&written, &value);
        prop_assert_eq!(written.to_typed::<Dynamic>().unwrap(), value);
    }

    #[test]
    fn random_bytes_never_panic(ty in types(), bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(value) = decode(&bytes, &ty) {
            prop_assert!(encode(&value, &ty).is_ok());
        }
        let _any = decode(&bytes, &Type::Any);
    }

    #[test]
    fn damaged_values_never_panic((ty, value) in typed_values(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&value, &ty).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _damaged = decode(&bytes, &ty);
        bytes.truncate(at);
        let _cut = decode(&bytes, &ty);
    }
}
