//! Logins over SSH against what Zeek's tests say of captures whose logs are not beside them.

use enigma_engine::FrameMode;

use crate::{captures, fields, of_stream, reader, replay};

/// Port of the client, whether a login succeeded, attempts.
type Login = (u64, Option<bool>, u64);

fn logins(frames: &[reader::Frame]) -> Vec<Login> {
    let (records, _) = replay(frames, FrameMode::Auto);
    let mut logins: Vec<Login> = of_stream(&records, "ssh")
        .iter()
        .map(|record| {
            let fields = fields(record);
            let number = |name: &str| fields[name].as_u64().expect("a number");
            let success = fields.get("auth_success").and_then(serde_json::Value::as_bool);
            (number("id.orig_p"), success, number("auth_attempts"))
        })
        .collect();
    logins.sort_unstable();
    logins
}

/// Connections of <https://github.com/zeek/zeek/blob/master/testing/btest/Baseline/scripts.base.protocols.ssh.basic/ssh.log>
/// that are in the captures of its directions, `ssh.client-side-half-duplex` and `ssh.server-side-half-duplex`.
const BASIC: [Login; 20] = [
    (33910, Some(true), 1),
    (41164, Some(true), 5),
    (41268, Some(false), 6),
    (51489, Some(true), 3),
    (51880, None, 0),
    (52294, Some(true), 2),
    (56594, None, 0),
    (56821, None, 0),
    (56837, None, 0),
    (56845, None, 0),
    (56875, None, 0),
    (56878, None, 0),
    (56940, None, 0),
    (57189, Some(true), 3),
    (57191, None, 0),
    (57831, None, 0),
    (58641, Some(false), 1),
    (58646, Some(true), 1),
    (58649, Some(true), 1),
    (59246, Some(true), 2),
];

/// Zeek's tests have a capture twice, once for each direction; put together they are the one whose records it expects.
#[test]
fn logins_of_two_directions_put_together_are_zeeks() {
    let Some(folder) = captures() else { return };
    let of = |side: &str| reader::read(&folder.join(format!("zeek/ssh__ssh.{side}-side-half-duplex.pcap")));
    let mut frames = [of("client"), of("server")].concat();
    frames.sort_by_key(|frame| frame.at);
    assert_eq!(logins(&frames), BASIC);
    // One direction alone tells nothing.
    for side in ["client", "server"] {
        assert!(logins(&of(side)).iter().all(|(_, success, attempts)| success.is_none() && *attempts == 0));
    }
}

/// <https://github.com/zeek/zeek/blob/master/testing/btest/Baseline/scripts.base.protocols.ssh.one-auth-fail-only/output>:
/// somebody guesses passwords, and every connection is told as failed once.
#[test]
fn guessed_passwords_are_zeeks() {
    let Some(folder) = captures() else { return };
    let attempts = [4, 2, 2, 2, 3, 4, 2, 2, 3, 2, 2];
    let expected: Vec<Login> =
        (55_470..).zip(attempts).map(|(port, attempts)| (port, Some(false), attempts)).collect();
    assert_eq!(logins(&reader::read(&folder.join("zeek/ssh__sshguess.pcap"))), expected);
}

/// Connections of other captures, read packet by packet in tshark: lengths behind the keys from the server, and what the
/// rules of RFC 4252 make of them. Zeek's tests say nothing of these.
#[test]
fn logins_are_plausible_where_nobody_says_how_they_ended() {
    let Some(folder) = captures() else { return };
    let all: [(&str, &[Login]); 10] = [
        // 44, failed 52, key accepted 196, 28.
        ("suricata/bug-4663-03__icmp_and_ssh.pcap", &[(42116, Some(true), 1)]),
        // 44, failed 76, and the client went away; then a second time with a key of 652 bytes: 28. PuTTY: 64, failed 96
        // twice, 48.
        ("ja4/ssh-r.pcap", &[(46394, None, 0), (46396, Some(true), 1), (64980, Some(true), 2)]),
        // 64, failed 96 twice, 48.
        ("ja4/ssh-scp-1050.pcap", &[(49237, Some(true), 2)]),
        // 48, failed 80, end.
        ("ja4/ssh2-malformed.pcap", &[(61672, None, 0)]),
        // A router: 52, 84, 68, 36.
        ("suricata/bypass-ssh-enabled__input.pcap", &[(64333, Some(true), 1)]),
        // 64, failed 96 twice, end.
        ("suricata/ssh-newkeys__input.pcap", &[(60063, Some(false), 1)]),
        // 44, failed 52, key accepted 1092, 28.
        ("tcpdump/ssh.pcap", &[(62146, Some(true), 1)]),
        // 48, failed 80, 48, failed 80, key accepted 480, 32.
        ("zeek/ssh__single-conn.pcap", &[(49244, Some(true), 2)]),
        // 64, failed 80, 48: lengths that Zeek prints, too
        // (testing/btest/Baseline/scripts.base.protocols.ssh.ssh_segmented_encryption_transition/client.out).
        ("zeek/ssh__ssh_client_sends_first_enc_pkt_with_newkeys.pcap", &[(61251, Some(true), 1)]),
        // Who began the connection is the server, and what is compressed tells nothing.
        ("zeek/ssh__reverse-ssh.pcap", &[(48020, None, 0)]),
    ];
    for (capture, expected) in all {
        assert_eq!(logins(&reader::read(&folder.join(capture))), expected, "{capture}");
    }
}

/// A packet that is never seen, or late: nobody is told to have failed who was let in.
#[test]
fn a_lost_answer_leaves_the_result_open() {
    let Some(folder) = captures() else { return };
    let frames = reader::read(&folder.join("zeek/ssh__ssh_kex_curve25519.pcap"));
    let whole = (60906, Some(true), 2);
    assert_eq!(logins(&frames), [whole]);
    let mut results = std::collections::BTreeMap::new();
    for at in 1..frames.len() {
        let (mut less, mut late) = (frames.clone(), frames.clone());
        let frame = less.remove(at);
        late[at - 1].at = frame.at;
        late.swap(at - 1, at);
        for login in [logins(&less), logins(&late)].concat() {
            *results.entry(login).or_insert(0) += 1;
        }
    }
    assert!(results.keys().all(|(_, success, _)| *success != Some(false)), "{results:?}");
    assert!(results.keys().any(|(_, success, _)| success.is_none()) && results[&whole] > 80, "{results:?}");
}
