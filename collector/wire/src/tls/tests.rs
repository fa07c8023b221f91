use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn client() -> Vec<u8> {
    [
        &[3, 3][..],
        &[7; 32],
        &[2, 9, 9],
        &[0, 6, 0x0a, 0x0a, 0x13, 0x01, 0xc0, 0x2b],
        &[1, 0],
        &[0, 25],
        &[0, 0, 0, 10, 0, 8, 0, 0, 5, b'a', b'.', b'b', b'.', b'c'],
        &[0, 16, 0, 5, 0, 3, 2, b'h', b'2'],
        &[0, 23],
    ]
    .concat()
}

#[test]
fn a_client_hello_is_read_in_its_order() {
    let bytes = client();
    let hello = ClientHello::decode(&bytes).unwrap();
    assert_eq!((hello.version, hello.session_id), (0x0303, &[9, 9][..]));
    assert_eq!(hello.ciphers().collect::<Vec<_>>(), [0x0a0a, 0x1301, 0xc02b]);
    let extensions: Vec<_> = hello.extensions().collect();
    // The third is cut.
    assert_eq!(extensions.iter().map(|extension| extension.kind).collect::<Vec<_>>(), [0, 16]);
    assert_eq!(extensions[0].server_name(), Some(&b"a.b.c"[..]));
    assert_eq!(extensions[1].first_protocol(), Some(&b"h2"[..]));
    for len in 0..bytes.len() - 27 {
        assert!(ClientHello::decode(&bytes[..len]).is_err(), "{len}");
    }
}

#[test]
fn a_server_hello_needs_no_extensions() {
    let bytes = [&[3, 1][..], &[7; 32], &[0, 0, 0x35, 0]].concat();
    let hello = ServerHello::decode(&bytes).unwrap();
    assert_eq!((hello.version, hello.cipher, hello.extensions().count()), (0x0301, 0x35, 0));
}

#[test]
fn certificates_are_taken_apart() {
    let body = [0, 0, 11, 0, 0, 2, 7, 8, 0, 0, 1, 9, 0, 0, 4, 1];
    assert_eq!(certificates(&body).collect::<Vec<_>>(), [&[7, 8][..], &[9]]);
    assert_eq!(certificates(&[0, 0]).count(), 0);
}

#[test]
fn grease_is_sixteen_numbers() {
    assert_eq!((0..=u16::MAX).filter(|number| is_grease(*number)).count(), 16);
    assert!(is_grease(0x0a0a) && is_grease(0xfafa) && !is_grease(0x0a1a));
}

proptest! {
    #[test]
    fn anything_is_read_without_a_panic(bytes in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..200)) {
        if let Ok(hello) = ClientHello::decode(&bytes) {
            prop_assert!(hello.ciphers().count() * 2 <= bytes.len());
            for extension in hello.extensions() {
                let name = extension.server_name().unwrap_or_default();
                prop_assert!(name.len() <= extension.data.len());
                prop_assert!(extension.first_protocol().unwrap_or_default().len() <= extension.data.len());
                prop_assert!(extension.words(1).count() <= extension.data.len());
            }
        }
        prop_assert!(certificates(&bytes).map(<[u8]>::len).sum::<usize>() <= bytes.len());
        if let Ok(hello) = ServerHello::decode(&bytes) {
            prop_assert!(hello.extensions().count() * 4 <= bytes.len());
        }
    }
}
