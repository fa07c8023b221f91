//! How ends of QUIC come to agree on a version, through a whole pipeline.

use serde_json::Value;

use super::keys::Keys;
use crate::l7::tests::{client_hello, feed, server_hello, udp};

const ONE: u32 = 1;
const TWO: u32 = enigma_wire::quic::VERSION_2;
/// Reserved to be unknown (RFC 9000 section 15).
const UNKNOWN: u32 = 0x1a2a_3a4a;

/// An Initial packet whose handshake bytes are `hello`, under the keys that follow from `id`.
fn initial(version: u32, id: &[u8], from_client: bool, [to, from]: [&[u8]; 2], hello: &[u8]) -> Vec<u8> {
    let crypto = [&[6, 0, 0x40 | (hello.len() >> 8) as u8, hello.len() as u8][..], hello].concat();
    let payload = [&crypto[..], &[0; 40]].concat();
    let len = (payload.len() + 4 + 16) as u16;
    let first = if version == TWO { 0xd3 } else { 0xc3 };
    let header = [
        &[first][..],
        &version.to_be_bytes(),
        &[to.len() as u8],
        to,
        &[from.len() as u8],
        from,
        &[0, 0x40 | (len >> 8) as u8, len as u8, 0, 0, 0, 1],
    ];
    let keys = Keys::new(if version == UNKNOWN { ONE } else { version }, id).unwrap();
    let half = if from_client { keys.client } else { keys.server };
    half.seal(&header.concat(), &payload)
}

fn begin(version: u32, id: &[u8]) -> Vec<u8> {
    initial(version, id, true, [id, b"client"], &client_hello()[5..])
}

/// A server's hello, in a message of TLS alone.
fn answer(version: u32, id: &[u8]) -> Vec<u8> {
    let hello = server_hello();
    initial(version, id, false, [b"client", b"server"], &hello[5..hello.len() - 4])
}

/// The server knows other versions.
fn refusal(to: &[u8], from: &[u8]) -> Vec<u8> {
    [&[0x80, 0, 0, 0, 0, to.len() as u8][..], to, &[from.len() as u8], from, &[0, 0, 0, 1]].concat()
}

fn short() -> Vec<u8> {
    [&[0x41][..], &[9; 40]].concat()
}

/// The `quic` and the `ssl` record of a conversation, and what its flow is called.
fn told(port: u16, turns: &[(bool, Vec<u8>)]) -> (Option<Value>, Option<Value>, Value) {
    let packets: Vec<_> =
        turns.iter().map(|(is_answer, data)| udp(*is_answer, [50_000, port], data)).collect();
    let (records, _) = feed(&packets);
    let of = |field: &str| {
        let found: Vec<&Value> = records.iter().filter(|record| record.get(field).is_some()).collect();
        assert!(found.len() <= 1, "{found:?}");
        found.first().map(|record| (*record).clone())
    };
    let service = of("conn_state").unwrap().get("service").cloned().unwrap_or_default();
    (of("client_initial_dcid"), of("ssl_history"), service)
}

#[test]
fn a_version_nobody_knows_is_given_up_for_one_that_both_do() {
    let (first, second) = (b"first-id", b"second-id");
    for port in [443, 4433] {
        let (quic, ssl, service) = told(
            port,
            &[
                (false, begin(UNKNOWN, first)),
                (true, refusal(b"client", first)),
                (false, begin(ONE, second)),
                (true, answer(ONE, second)),
                (false, short()),
                (true, short()),
            ],
        );
        let (quic, ssl) = (quic.unwrap(), ssl.unwrap());
        assert_eq!((&quic["version"], &quic["server_name"]), (&"1".into(), &"tls.example".into()), "{port}");
        assert_eq!(quic["client_initial_dcid"], "7365636f6e642d6964");
        assert_eq!(
            (&ssl["cipher"], service),
            (&"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".into(), "quic,ssl".into())
        );
        if port == 443 {
            assert_eq!(quic["history"], "UuISisOo");
        }
    }
}

#[test]
fn a_version_that_the_server_refuses_is_not_what_is_told() {
    let (first, second) = (b"first-id", b"second-id");
    let conversation = |refusal: Vec<u8>| {
        told(
            443,
            &[
                (false, begin(TWO, first)),
                (true, refusal),
                (false, begin(ONE, second)),
                (true, answer(ONE, second)),
            ],
        )
    };
    let (quic, ssl, _) = conversation(refusal(b"client", first));
    let quic = quic.unwrap();
    assert_eq!((&quic["version"], &quic["server_scid"]), (&"1".into(), &"736572766572".into()));
    assert_eq!(
        (&quic["client_initial_dcid"], &quic["history"]),
        (&"7365636f6e642d6964".into(), &"ISuISis".into())
    );
    assert!(ssl.unwrap().get("cipher").is_some());
    // Of somebody else's identifiers: it means nothing (RFC 8999 section 6), and the first version stays.
    assert_eq!(conversation(refusal(b"cliemt", first)).0.unwrap()["version"], "quicv2");
}

/// RFC 9369 section 4.1: the server goes on in another version, the keys follow from the same identifier.
#[test]
fn a_server_may_go_on_in_a_compatible_version() {
    let id = b"first-id";
    let turns = [(false, begin(ONE, id)), (true, answer(TWO, id)), (false, short()), (true, short())];
    let (quic, ssl, _) = told(443, &turns);
    let (quic, ssl) = (quic.unwrap(), ssl.unwrap());
    // As Zeek's: that of the client's first packet.
    assert_eq!((&quic["version"], &quic["history"]), (&"1".into(), &"ISisOo".into()));
    assert_eq!((&ssl["server_name"], &ssl["version"]), (&"tls.example".into(), &"TLSv12".into()));
}

#[test]
fn a_version_that_stays_unknown_is_told_and_not_waited_for_long() {
    let turns: Vec<_> = (0..20).map(|turn| (turn % 2 == 1, begin(UNKNOWN, b"first-id"))).collect();
    let (quic, ssl, service) = told(443, &turns);
    let quic = quic.unwrap();
    assert_eq!(
        (&quic["version"], quic["history"].as_str().map(str::len)),
        (&"unknown-1a2a3a4a".into(), Some(8))
    );
    assert!(ssl.is_none() && service.is_null());
    assert_eq!(told(4433, &turns).0, None);
}
