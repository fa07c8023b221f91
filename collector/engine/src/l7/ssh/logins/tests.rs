use super::*;

/// Lengths on the wire of packets with payloads of these lengths, by RFC 4253 section 6.
fn packets(block: usize, is_length_padded: bool, mac: usize, payloads: &[usize]) -> Vec<usize> {
    let packet = |payload: usize| {
        let length = 4;
        let padded = 1 + payload + if is_length_padded { length } else { 0 };
        let padding = (4..4 + block).find(|padding| (padded + padding).is_multiple_of(block)).unwrap();
        length + 1 + payload + padding + mac
    };
    payloads.iter().map(|payload| packet(*payload)).collect()
}

fn told(lengths: &[usize]) -> (Option<bool>, u32) {
    let mut logins = Logins::default();
    lengths.iter().for_each(|len| logins.answer(*len));
    logins.outcome()
}

/// SERVICE_ACCEPT of `ssh-userauth`.
const ACCEPT: usize = 17;
/// USERAUTH_FAILURE with `publickey,password`.
const FAILURE: usize = 24;
const SUCCESS: usize = 1;

/// Blocks and codes of what OpenSSH offers: stream and counter modes with the code over the plain packet, with the code
/// over the encrypted one, ChaCha20-Poly1305 and AES-GCM.
const MODES: [(usize, bool, usize); 6] =
    [(8, true, 20), (16, true, 16), (16, true, 32), (16, false, 32), (8, false, 16), (16, false, 16)];

#[test]
fn success_is_told_in_every_mode() {
    for (block, is_length_padded, mac) in MODES {
        let of = |payloads: &[usize]| told(&packets(block, is_length_padded, mac, payloads));
        let mode = (block, is_length_padded, mac);
        assert_eq!(of(&[ACCEPT]), (None, 0), "{mode:?}");
        assert_eq!(of(&[ACCEPT, SUCCESS]), (Some(true), 1), "{mode:?}");
        assert_eq!(of(&[ACCEPT, FAILURE]), (None, 0), "{mode:?}");
        assert_eq!(of(&[ACCEPT, FAILURE, SUCCESS]), (Some(true), 1), "{mode:?}");
        assert_eq!(of(&[ACCEPT, FAILURE, FAILURE, FAILURE]), (Some(false), 2), "{mode:?}");
        assert_eq!(of(&[ACCEPT, FAILURE, FAILURE, SUCCESS, SUCCESS, FAILURE]), (Some(true), 2), "{mode:?}");
        // A greeting, once; what is of another length is no answer to an attempt.
        assert_eq!(of(&[ACCEPT, 700, FAILURE, FAILURE]), (Some(false), 1), "{mode:?}");
        assert_eq!(of(&[ACCEPT, 700, 700, FAILURE, FAILURE]), (None, 0), "{mode:?}");
        assert_eq!(of(&[ACCEPT, FAILURE, 70, FAILURE, 70]), (Some(false), 1), "{mode:?}");
    }
}

#[test]
fn nothing_is_said_behind_what_was_not_seen() {
    let lengths = packets(16, true, 32, &[ACCEPT, FAILURE, FAILURE]);
    let mut logins = Logins::default();
    lengths.iter().for_each(|len| logins.answer(*len));
    logins.give_up();
    lengths.iter().for_each(|len| logins.answer(*len));
    assert_eq!((logins.outcome(), logins.is_over()), ((None, 1), true));
    // What was certain before stays so.
    let mut logins = Logins::default();
    packets(16, true, 32, &[ACCEPT, SUCCESS]).iter().for_each(|len| logins.answer(*len));
    logins.give_up();
    assert_eq!(logins.outcome(), (Some(true), 1));
}

#[test]
fn it_is_not_looked_at_for_ever() {
    let mut logins = Logins::default();
    packets(16, true, 32, &[ACCEPT, FAILURE]).iter().for_each(|len| logins.answer(*len));
    let seen = (0..).take_while(|_| {
        logins.answer(64);
        logins.count_segment();
        !logins.is_over()
    });
    assert_eq!(seen.count(), usize::from(MAX_SEGMENTS));
    assert_eq!(logins.outcome().0, None);
}
