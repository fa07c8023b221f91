//! The forms that Terraform sends, byte by byte where they matter.

use super::*;
use crate::path::AttributePath;

#[test]
fn numbers_are_exact_in_every_form_that_terraform_uses() {
    let cases: [(&[u8], Number); 6] = [
        (&[0x7f], Number::Int(127)),
        (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], Number::Int(i64::MIN)),
        (&[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Number::Big(u64::MAX)),
        (&[0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0], Number::Float(0.5)),
        // 2^63, which Terraform sends as a double because it is one exactly.
        (&[0xcb, 0x43, 0xe0, 0, 0, 0, 0, 0, 0], Number::Big(1 << 63)),
        (b"\xb50.1234567890123456789", Number::Decimal("0.1234567890123456789".into())),
    ];
    for (bytes, number) in cases {
        let value = decode(bytes, &Type::Number).unwrap();
        assert_eq!(value, Dynamic::Number(number));
        assert_eq!(decode(&encode(&value, &Type::Number).unwrap(), &Type::Number).unwrap(), value);
    }
}

#[test]
fn every_extension_is_an_unknown_and_ours_is_the_plain_one() {
    for bytes in [&[0xd4, 0, 0][..], &[0xc7, 4, 12, 0x81, 1, 0xc2, 0xc0], &[0xd4, 99, 7]] {
        assert_eq!(decode(bytes, &Type::String).unwrap(), Dynamic::Unknown);
    }
    assert_eq!(encode(&Dynamic::Unknown, &Type::Bool).unwrap(), [0xd4, 0, 0]);
}

#[test]
fn objects_are_written_whole_and_read_complete() {
    let ty = Type::object([("a", Type::String), ("b", Type::Bool)]);
    let bytes = encode(&Dynamic::map([("a", "x")]), &ty).unwrap();
    assert_eq!(bytes, b"\x82\xa1a\xa1x\xa1b\xc0");
    assert_eq!(
        decode(b"\x81\xa1a\xa1x", &ty).unwrap(),
        Dynamic::map([("a", "x".into()), ("b", Dynamic::Null)])
    );
}

#[test]
fn dynamic_values_carry_their_type_on_the_wire() {
    let value = Dynamic::list([Dynamic::from("a"), Dynamic::from(true)]);
    let bytes = encode(&value, &Type::Any).unwrap();
    assert!(bytes.windows(25).any(|w| w == br#"["tuple",["string","bool""#), "{bytes:?}");
    assert_eq!(decode(&bytes, &Type::Any).unwrap(), value);
    assert_eq!(decode(&[0xc0], &Type::Any).unwrap(), Dynamic::Null);
}

#[test]
fn mistakes_name_their_place() {
    let ty = Type::object([("m", Type::map(Type::list(Type::Number)))]);
    let error = decode(b"\x81\xa1m\x81\xa1k\x92\x01\xa1x", &ty).unwrap_err();
    assert_eq!(error.path, AttributePath::of("m").key("k").index(1));
    let error = decode(b"\x81\xa1z\xc0", &ty).unwrap_err();
    assert_eq!(error.path, AttributePath::of("z"));
    let error = encode(&Dynamic::map([("m", "x")]), &ty).unwrap_err();
    assert_eq!(error.to_string(), "m: expected a map, found a string");
}

#[test]
fn false_lengths_are_refused_without_reserving_memory() {
    assert!(decode(&[0xdd, 0xff, 0xff, 0xff, 0xff], &Type::list(Type::Bool)).is_err());
    assert!(decode(&[0xdf, 0xff, 0xff, 0xff, 0xff], &Type::map(Type::Bool)).is_err());
    assert!(decode(&[0xdb, 0xff, 0xff, 0xff, 0xff], &Type::String).is_err());
    assert!(decode(&[0xc0, 0xc0], &Type::String).is_err(), "more than one value");
}
