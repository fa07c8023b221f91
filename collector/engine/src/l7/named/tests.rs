use proptest::prelude::*;

use super::*;

/// Beginnings and what they are; `|` is where the other side's turn ends.
const SAMPLES: [(&[u8], &[u8], Service); 32] = [
    (b"", b"\x16\x03\x01\x02\x00\x01\x00", Service::Ssl),
    (b"", b"SSH-2.0-x", Service::Ssh),
    (b"", b"GET / HTTP/1.1\r\n", Service::Http),
    (b"", b"FROB /x HTTP/1.1\r\n", Service::Http),
    (b"", b"HTTP/1.1 200 OK\r\n", Service::Http),
    (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Service::Http2),
    (b"", b"220 mx ESMTP ready\r\n", Service::Smtp),
    (b"220 hello\r\n", b"EHLO me\r\n", Service::Smtp),
    (b"", b"220 (vsFTPd 3.0.3)\r\n", Service::Ftp),
    (b"220 hello\r\n", b"USER me\r\n", Service::Ftp),
    (b"", b"+OK ready\r\n", Service::Pop3),
    (b"", b"* OK [CAPABILITY IMAP4rev1]\r\n", Service::Imap),
    (b"", b"<?xml version='1.0'?><stream:stream to='x'", Service::Xmpp),
    (b"", b"INVITE sip:a@b SIP/2.0\r\n", Service::Sip),
    (b"", b"OPTIONS sip:a@b SIP/2.0\r\n", Service::Sip),
    (b"", b"*2\r\n$4\r\nPING\r\n", Service::Redis),
    (b"", b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x0b\0\0\0", Service::Rdp),
    (b"", b"\0\0\0\x54\xffSMB\x72\0\0\0", Service::Smb),
    (b"", b"\0\0\0\x54\xfeSMB\x40\0\0\0", Service::Smb),
    (b"", b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0", Service::DceRpc),
    (b"", b"\0\0\x01\x20\x6a\x82\x01\x1c\x30\x82\x01\x18\xa1\x03\x02\x01\x05\xa2\x03", Service::KrbTcp),
    (b"", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0", Service::LdapTcp),
    (b"", b"\0\0\0\x08\x04\xd2\x16\x2f", Service::Postgresql),
    (b"", b"\0\0\0\x29\0\x03\0\0user\0x\0", Service::Postgresql),
    (b"", b"\x4a\0\0\0\x0a8.0.30\0\x01\0\0\0", Service::Mysql),
    (b"", b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0", Service::Mongodb),
    (b"", b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0", Service::Mqtt),
    (b"\x05\x01\0", b"\x05\0", Service::Socks),
    (b"", b"\0\x01\0\x08\x21\x12\xa4\x42twelve bytes\x80\x22\0\x04self", Service::Stun),
    (b"", b"\0\x14\x01\x01\0\0\x21\x12\xa4\x42twelve bytes", Service::Stun),
    (b"", b"QUERY /users HTTP/1.1\r\n", Service::Http),
    (b"", b"\0\x11\x12\x34\x01\0\0\x01\0\0\0\0\0\0\0\0\x06\0\x01", Service::Dns),
];

/// A port that is nobody's.
const PORTS: [u16; 2] = [40_000, 40_001];

fn service(verdict: Verdict) -> Option<Service> {
    match verdict {
        Verdict::Is(service) | Verdict::MayTurnToTls(service) => Some(service),
        Verdict::Maybe | Verdict::Unknown => None,
    }
}

#[test]
fn protocols_are_told_by_their_first_words_on_any_port() {
    for (theirs, mine, expected) in SAMPLES {
        let mut whole = mine.to_vec();
        if expected == Service::Dns {
            // The root, asked for its A record.
            whole = [&[0, 17, 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &[0, 0, 1, 0, 1]].concat();
        }
        assert_eq!(service(tcp(&whole, theirs, PORTS)), Some(expected), "{}", mine.escape_ascii());
        // Cut anywhere, nothing else is said.
        for len in 1..whole.len() {
            let verdict = tcp(&whole[..len], theirs, PORTS);
            let is_open =
                service(verdict).is_none_or(|service| service == expected) && verdict != Verdict::Unknown;
            let is_short_socks = expected == Service::Socks;
            assert!(is_open || is_short_socks, "{verdict:?} at {len} of {}", mine.escape_ascii());
        }
    }
}

#[test]
fn what_is_nothing_known_is_left_alone_at_once() {
    for data in [
        &b"\xde\xad\xbe\xef\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"[..],
        b"!!!!!",
        &[0xff; 64],
        &[0x95; 8],
    ] {
        assert_eq!(tcp(data, b"", PORTS), Verdict::Unknown, "{}", data.escape_ascii());
    }
    assert_eq!(udp(&[0; 48], PORTS), None);
}

#[test]
fn datagrams_are_told_by_themselves() {
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    assert_eq!(udp(&stun, PORTS), Some(Service::Stun));
    // RFC 3489: no cookie, but attributes that fit. Here a request to answer from elsewhere, and an answer's address.
    let classic = |kind: [u8; 2], attributes: &[u8]| {
        [&kind[..], &[0, attributes.len() as u8], &[7; 16], attributes].concat()
    };
    let asked = classic([0, 1], &[0, 3, 0, 4, 0, 0, 0, 6]);
    let mapped = classic(
        [1, 1],
        &[0, 1, 0, 8, 0, 1, 0x82, 0x35, 192, 0, 2, 1, 0x80, 0x22, 0, 4, b's', b'e', b'l', b'f'],
    );
    for message in [&asked, &mapped] {
        assert_eq!(udp(message, PORTS), Some(Service::Stun));
        for len in 0..message.len() {
            assert_eq!(udp(&message[..len], PORTS), None, "{len}");
        }
        for at in [1, 3, 20, 22, 23] {
            let mut bent = message.clone();
            bent[at] ^= 0x04;
            assert_ne!(udp(&bent, PORTS), Some(Service::Stun), "{at}");
        }
    }
    let bare = classic([0, 1], &[]);
    assert_eq!((udp(&bare, PORTS), udp(&bare, [40_000, 3478])), (None, Some(Service::Stun)));
    assert_eq!(udp(b"\x30\x0e\x02\x01\x01\x04\x06public\xa0\x01\0", PORTS), Some(Service::Snmp));
    assert_eq!(udp(b"\0\x01boot.cfg\0octet\0", PORTS), Some(Service::Tftp));
    assert_eq!(udp(b"REGISTER sip:x SIP/2.0\r\n", PORTS), Some(Service::Sip));
    // A request for a ticket, and the question of a Windows client for its domain's servers.
    let request =
        b"\x6a\x82\x01\x1c\x30\x82\x01\x18\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa3\x15\x30\x13\xa1\x03";
    assert_eq!(udp(request, PORTS), Some(Service::Krb));
    let search = b"\x30\x84\0\0\0\x60\x02\x01\x01\x63\x84\0\0\0\x57\x04\0\x0a\x01\0\x0a\x01\0";
    assert_eq!(udp(search, PORTS), Some(Service::LdapUdp));
}

proptest! {
    #[test]
    fn anything_gets_a_verdict(
        mine in prop::collection::vec(prop_oneof![Just(0_u8), Just(5), Just(0x30), any::<u8>()], 0..120),
        theirs in prop::collection::vec(any::<u8>(), 0..20),
        port in any::<u16>(),
        sample in 0..SAMPLES.len(),
        keep in 0_usize..32,
    ) {
        let _ = (tcp(&mine, &theirs, [port, 40_000]), udp(&mine, [port, 40_000]));
        let (_, begin, _) = SAMPLES[sample];
        let mixed = [&begin[..begin.len().min(keep)], &mine].concat();
        let _ = tcp(&mixed, &theirs, [port, 40_000]);
    }

    /// More bytes may settle what was open, but never take back what was said.
    #[test]
    fn verdicts_do_not_change_with_what_follows(sample in 0..SAMPLES.len(), tail in prop::collection::vec(any::<u8>(), 0..40)) {
        let (theirs, mine, expected) = SAMPLES[sample];
        // Of these the length of what was sent is a part.
        if !matches!(expected, Service::Dns | Service::Socks) {
            let longer = [mine, &tail].concat();
            prop_assert_eq!(service(tcp(&longer, theirs, PORTS)), Some(expected));
        }
    }
}
