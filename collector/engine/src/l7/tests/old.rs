//! What was spoken before the versions of today: hellos in the form of SSL 2.

use super::*;

/// A client's hello that offers `version` at most.
fn old_hello(version: [u8; 2]) -> Vec<u8> {
    let lists = [&[1, 0, 0x80, 0, 0xc0, 0x2f][..], &[7; 16]].concat();
    [&[0x80, 31, 1, version[0], version[1], 0, 6, 0, 0, 0, 16][..], &lists].concat()
}

fn old_record(data: &[u8]) -> Vec<u8> {
    [&[0x80 | (data.len() >> 8) as u8, data.len() as u8][..], data].concat()
}

/// RFC 5246 appendix E.2: the server answers in the form of the version it chose.
#[test]
fn a_client_may_ask_for_tls_in_the_form_of_ssl_2() {
    let rest = [record(20, &[1]), record(22, &[9; 40])].concat();
    let told =
        talk(&[(false, &old_hello([3, 3])), (true, &server_hello()), (false, &client_rest()), (true, &rest)]);
    let [ssl, service] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (service, &ssl["version"], &ssl["established"]),
        (&"ssl".into(), &"TLSv12".into(), &true.into())
    );
    assert_eq!((&ssl["ssl_history"], &ssl["next_protocol"]), (&"CsnGIi".into(), &"h2".into()));
    assert!(ssl.get("ja3").is_none() && ssl.get("ja4").is_none() && ssl.get("ja3s").is_some(), "{ssl}");
    // Refused.
    let told = talk(&[(false, &old_hello([0, 2])), (true, &record(21, &[2, 70]))]);
    assert_eq!(
        (&told[0]["last_alert"], &told[0]["established"]),
        (&"protocol_version".into(), &false.into())
    );
    assert!(told[0].get("version").is_none());
}

#[test]
fn a_server_that_chooses_ssl_2_is_told() {
    let body = [&[4, 0, 1, 0, 2, 0, 0, 0, 3, 0, 2][..], &[7, 0, 0xc0], b"id"].concat();
    let server = old_record(&body);
    // The client's key; with its proof the server goes on encrypted.
    let key = old_record(&[&[2][..], &[9; 60]].concat());
    let told = talk(&[(false, &old_hello([0, 2])), (true, &server), (false, &key)]);
    assert_eq!((&told[0]["version"], &told[0]["established"]), (&"SSLv2".into(), &false.into()));
    // Encrypted records have a third byte of header, for their padding.
    let padded = [&[0, 24, 7][..], &[9; 24]].concat();
    let told = talk(&[(false, &old_hello([0, 2])), (true, &server), (false, &key), (true, &padded)]);
    let [ssl, service] = &told[..] else { panic!("{told:?}") };
    assert_eq!(
        (service, &ssl["established"], &ssl["ssl_history"]),
        (&"ssl".into(), &true.into(), &"Cs".into())
    );
    assert_eq!(
        (&ssl["version"], &ssl["cipher"]),
        (&"SSLv2".into(), &"SSLv20_CK_DES_192_EDE3_CBC_WITH_MD5".into())
    );
    assert!(ssl.get("ja3s").is_none());
}
