use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn header(first: u8, version: u32) -> Vec<u8> {
    [&[first][..], &version.to_be_bytes(), &[2, 7, 8, 1, 9, 0, 0x40, 5], &[0; 5], &[0xee]].concat()
}

#[test]
fn long_headers_are_read_by_version() {
    let bytes = header(0xc3, 1);
    let long = Long::decode(&bytes).unwrap();
    assert_eq!((long.kind, long.destination, long.source), (Kind::Initial, &[7, 8][..], &[9][..]));
    assert_eq!((long.number_at, long.end), (13, 18));
    for len in 0..long.end {
        assert!(Long::decode(&bytes[..len]).is_err(), "{len}");
    }
    let kinds = |version| {
        [0xc0, 0xd0, 0xe0, 0xf0].map(|first| Long::decode(&header(first, version)).map(|long| long.kind))
    };
    assert_eq!(kinds(1), [Ok(Kind::Initial), Ok(Kind::ZeroRtt), Ok(Kind::Handshake), Ok(Kind::Retry)]);
    assert_eq!(
        kinds(VERSION_2),
        [Ok(Kind::Retry), Ok(Kind::Initial), Ok(Kind::ZeroRtt), Ok(Kind::Handshake)]
    );
    assert_eq!(kinds(0), [Ok(Kind::Negotiation); 4]);
    assert!(Long::decode(&header(0x43, 1)).is_err());
    assert_eq!(Long::invariant(&header(0x80, 0x1234)).unwrap(), (0x1234, &[7, 8][..], &[9][..]));
}

#[test]
fn frames_are_read_through_padding_and_acknowledgements() {
    let payload = [
        &[0, 0, 0, 1][..],
        &[2, 5, 0, 1, 0, 1, 1],
        &[6, 0x40, 3, 2, b'h', b'i'],
        &[0, 0],
        &[0x1c, 0, 0, 1, b'x'],
        &[0x30, 1],
    ]
    .concat();
    let read: Vec<_> = frames(&payload).collect();
    let crypto = Frame::Crypto { offset: 3, data: b"hi" };
    assert_eq!(read, [Frame::Other, Frame::Other, crypto, Frame::Close]);
    // A count that cannot be true ends it at once.
    assert_eq!(frames(&[2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]).count(), 0);
}

proptest! {
    #[test]
    fn anything_is_read_without_a_panic(mut bytes in prop::collection::vec(prop_oneof![0_u8..8, any::<u8>()], 0..120)) {
        if let Some(first) = bytes.first_mut() {
            *first |= 0x80;
        }
        if let Ok(long) = Long::decode(&bytes) {
            prop_assert!(long.number_at <= long.end && long.end <= bytes.len());
        }
        prop_assert!(frames(&bytes).count() <= bytes.len());
        let _ = Long::invariant(&bytes);
    }
}
