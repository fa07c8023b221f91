use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn offer() -> Vec<u8> {
    let mut body = [7; 16].to_vec();
    for list in [&b"kex-a,kex-b"[..], b"key", b"c1,c2", b"c3", b"m1", b"m2", b"none", b"zlib"] {
        body.extend((list.len() as u32).to_be_bytes());
        body.extend(list);
    }
    body
}

#[test]
fn lines_packets_and_offers_are_read() {
    assert_eq!(identification(b"hello\r\nSSH-2.0-x y\r\nrest"), Ok(Some((&b"SSH-2.0-x y"[..], 20))));
    assert_eq!(identification(b"SSH-2.0-x"), Ok(None));
    assert!(identification(&[b'x'; 300]).is_err());
    let body = offer();
    let bytes = [&(body.len() as u32 + 6).to_be_bytes()[..], &[4, 20], &body, &[0; 4], b"more"].concat();
    let whole = packet(&bytes).unwrap().unwrap();
    assert_eq!((whole.kind, whole.len, whole.body), (20, bytes.len() - 4, &body[..]));
    assert_eq!(packet(&bytes[..bytes.len() - 5]), Ok(None));
    let read = Offer::decode(whole.body).unwrap();
    assert_eq!((read.key_exchange, read.macs), (&b"kex-a,kex-b"[..], [&b"m1"[..], b"m2"]));
    assert!(Offer::decode(&body[..body.len() - 1]).is_err());
    assert!(packet(&[0, 0, 0, 1, 9, 9]).is_err() && packet(&[9; 6]).is_err());
}

#[test]
fn the_clients_preference_decides() {
    assert_eq!(agreed(b"a,b,c", b"c,b"), Some(&b"b"[..]));
    assert_eq!(agreed(b"a", b"b"), None);
}

proptest! {
    #[test]
    fn anything_is_read_without_a_panic(bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(b'\n'), any::<u8>()], 0..120)) {
        if let Ok(Some((line, end))) = identification(&bytes) {
            prop_assert!(line.len() < end && end <= bytes.len());
        }
        if let Ok(Some(packet)) = packet(&bytes) {
            prop_assert!(packet.len <= bytes.len() && packet.body.len() < packet.len);
        }
        if let Ok(offer) = Offer::decode(&bytes) {
            prop_assert!(offer.key_exchange.len() < bytes.len());
        }
    }
}
