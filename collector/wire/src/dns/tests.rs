use std::{format, string::String, vec::Vec};

use proptest::prelude::*;

use super::*;

fn text(name: &Name<'_>) -> String {
    name.labels().map(|label| format!("{}.", String::from_utf8_lossy(label))).collect()
}

/// An answer with compression: `www.example.com` A and a CNAME whose RDATA points back.
fn answer() -> Vec<u8> {
    [
        &[0x12, 0x34, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0][..],
        b"\x03www\x07example\x03com\0\0\x01\0\x01",
        b"\xc0\x0c\0\x05\0\x01\0\0\x01\x2c\0\x06\x03cdn\xc0\x10",
        b"\xc0\x2d\0\x01\0\x01\0\0\0\x3c\0\x04\x5d\xb8\xd8\x22",
    ]
    .concat()
}

#[test]
fn sections_and_compressed_names_are_read() {
    let bytes = answer();
    let message = Message::decode(&bytes).unwrap();
    let header = message.header;
    assert_eq!((header.id, header.questions, header.records), (0x1234, 1, [2, 0, 0]));
    assert!(header.is_response() && header.wants_recursion() && header.offers_recursion());
    assert!(!header.is_authoritative() && !header.is_truncated());
    assert_eq!((header.opcode(), header.rcode(), header.reserved()), (0, 0, 0));
    let mut sections = message.sections();
    let question = sections.question().unwrap();
    assert_eq!((text(&question.name).as_str(), question.kind, question.class), ("www.example.com.", 1, 1));
    let alias = sections.resource().unwrap();
    assert_eq!((alias.kind, alias.ttl, text(&alias.name).as_str()), (5, 300, "www.example.com."));
    let (target, end) = alias.name_at(0).unwrap();
    assert_eq!((text(&target).as_str(), end), ("cdn.example.com.", 6));
    let address = sections.resource().unwrap();
    assert_eq!((text(&address.name).as_str(), address.rdata), ("cdn.example.com.", &[93, 184, 216, 34][..]));
    assert!(sections.is_at_end());
    assert!(sections.resource().is_err());
}

#[test]
fn pointers_that_do_not_go_back_are_refused() {
    for name in [&b"\xc0\x0c"[..], b"\xc0\x0e\0", b"\x01a\xc0\x0c", b"\x40", b"\xc0", b"\x05ab"] {
        let bytes = [&[0; 12][..], name, &[0; 4]].concat();
        let cut = if name.len() < 2 || name[0] == 5 { &bytes[..12 + name.len()] } else { &bytes };
        assert!(Message::decode(cut).unwrap().sections().question().is_err(), "{name:?}");
    }
}

#[test]
fn a_name_ends_at_255_bytes() {
    let named = |labels: usize| {
        let mut bytes = [0; 12].to_vec();
        for _ in 0..labels {
            bytes.extend_from_slice(b"\x01a");
        }
        bytes.extend_from_slice(&[0; 5]);
        bytes
    };
    let bytes = named(127);
    assert_eq!(Message::decode(&bytes).unwrap().sections().question().unwrap().name.labels().count(), 127);
    assert!(Message::decode(&named(128)).unwrap().sections().question().is_err());
}

proptest! {
    /// No panic, and no more labels than bytes a name may have, whatever the bytes.
    #[test]
    fn anything_is_read_within_bounds(
        bytes in prop::collection::vec(prop_oneof![0_u8..4, Just(0xc0), any::<u8>()], 0..300),
    ) {
        let Ok(message) = Message::decode(&bytes) else { return Ok(()) };
        let mut sections = message.sections();
        for _ in 0..4 {
            let Ok(question) = sections.question() else { break };
            prop_assert!(question.name.labels().map(|label| label.len() + 1).sum::<usize>() < MAX_NAME);
        }
        while let Ok(resource) = sections.resource() {
            prop_assert!(resource.name.labels().count() < 128);
            for at in 0..resource.rdata.len() + 2 {
                if let Ok((name, end)) = resource.name_at(at) {
                    prop_assert!(end > at && name.labels().count() < 128);
                }
            }
        }
    }

    /// Every prefix of a good message reads the same up to where it is cut.
    #[test]
    fn cut_messages_lose_their_end_only(len in 0_usize..90) {
        let bytes = answer();
        let cut = &bytes[..len.min(bytes.len())];
        let Ok(message) = Message::decode(cut) else { return Ok(()) };
        let mut sections = message.sections();
        if let Ok(question) = sections.question() {
            prop_assert_eq!(text(&question.name), "www.example.com.");
        }
    }
}
