use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn tlv(tag: u8, data: &[u8]) -> Vec<u8> {
    let len = data.len();
    let head = match len {
        0..0x80 => [tag, len as u8].to_vec(),
        0x80..0x100 => [tag, 0x81, len as u8].to_vec(),
        _ => [tag, 0x82, (len >> 8) as u8, len as u8].to_vec(),
    };
    [&head[..], data].concat()
}

fn name(common: &[u8]) -> Vec<u8> {
    let part = |kind: u8, value: &[u8]| {
        tlv(0x31, &tlv(SEQUENCE, &[tlv(OBJECT, &[0x55, 4, kind]), tlv(0x0c, value)].concat()))
    };
    tlv(SEQUENCE, &[part(6, b"DE"), part(3, common)].concat())
}

fn certificate() -> Vec<u8> {
    let algorithm = tlv(SEQUENCE, &tlv(OBJECT, &[0x2a, 3]));
    let validity = [tlv(UTC_TIME, b"700101000000Z"), tlv(0x18, b"20380119031407Z")].concat();
    let rsa = tlv(SEQUENCE, &[tlv(INTEGER, &[0, 0xff, 1]), tlv(INTEGER, &[1, 0, 1])].concat());
    let key = tlv(SEQUENCE, &[algorithm.clone(), tlv(BIT_STRING, &[&[0], &rsa[..]].concat())].concat());
    let names = tlv(SEQUENCE, &[tlv(0x82, b"a.example"), tlv(0x87, &[10, 0, 0, 1])].concat());
    let constraints = tlv(SEQUENCE, &[tlv(BOOLEAN, &[0xff]), tlv(INTEGER, &[2])].concat());
    let extension = |kind: u8, data: &[u8]| {
        let flag = tlv(BOOLEAN, &[0xff]);
        tlv(SEQUENCE, &[tlv(OBJECT, &[0x55, 0x1d, kind]), flag, tlv(OCTET_STRING, data)].concat())
    };
    let extensions = [extension(0x13, &constraints), extension(0x11, &names)].concat();
    let inner = [
        tlv(0xa0, &tlv(INTEGER, &[2])),
        tlv(INTEGER, &[7, 8]),
        algorithm.clone(),
        name(b"issuer"),
        tlv(SEQUENCE, &validity),
        name(b"subject"),
        key,
        tlv(0xa3, &tlv(SEQUENCE, &extensions)),
    ]
    .concat();
    tlv(SEQUENCE, &[tlv(SEQUENCE, &inner), algorithm, tlv(BIT_STRING, &[0])].concat())
}

#[test]
fn the_parts_of_a_certificate_are_found() {
    let bytes = certificate();
    let read = Certificate::decode(&bytes).unwrap();
    assert_eq!((read.version, read.serial), (3, &[7, 8][..]));
    assert_eq!((read.not_before, read.not_after), (Some(0), Some(i64::from(i32::MAX))));
    assert_eq!(read.subject.common_name(), Some(&b"subject"[..]));
    assert_eq!(read.issuer.attributes().map(|part| part.kind[2]).collect::<Vec<_>>(), [6, 3]);
    assert_eq!(read.alternative_names().map(|name| name.tag).collect::<Vec<_>>(), [0x82, 0x87]);
    assert_eq!(read.constraints(), Some((true, Some(2))));
    assert_eq!(read.rsa_key(), Some((&[0, 0xff, 1][..], 65537)));
    for len in 0..bytes.len() {
        assert!(Certificate::decode(&bytes[..len]).is_err(), "{len}");
    }
}

#[test]
fn times_are_those_of_the_calendar() {
    let at = |tag, text: &[u8]| time(Value { tag, data: text });
    assert_eq!(at(UTC_TIME, b"120229120000Z"), Some(1_330_516_800));
    assert_eq!(at(0x18, b"20000301000000Z"), Some(951_868_800));
    assert_eq!(at(UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
    assert_eq!((at(UTC_TIME, b"121301000000Z"), at(UTC_TIME, b"12"), at(0x18, b"x")), (None, None, None));
}

proptest! {
    #[test]
    fn anything_is_read_without_a_panic(
        bytes in prop::collection::vec(prop_oneof![Just(SEQUENCE), 0_u8..8, any::<u8>()], 0..200),
        place in any::<prop::sample::Index>(),
        bent in any::<u8>(),
    ) {
        let mut whole = certificate();
        let place = place.index(whole.len());
        whole[place] = bent;
        for data in [&bytes, &whole] {
            if let Ok(read) = Certificate::decode(data) {
                let seen = read.subject.attributes().chain(read.issuer.attributes()).count();
                let names = read.alternative_names().count() + read.extensions().count();
                prop_assert!(seen + names <= data.len());
                let _ = (read.constraints(), read.rsa_key(), read.subject.common_name());
            }
        }
    }
}
