//! Logins over SSH: when they are told, and how long they are waited for.

use super::*;

const ACCEPT: usize = 64;
const FAILURE: usize = 80;
const SUCCESS: usize = 48;

/// A connection up to where both sides encrypt.
fn exchange(compression: &str) -> Vec<(bool, Vec<u8>)> {
    let lists = ["kex-a", "ssh-ed25519", "c", "c", "mac", "mac", compression, compression, "", ""];
    let (offer, keys) = (offer_of(lists), ssh_packet(&[21]));
    let reply = ssh_packet(&[&[31, 0, 0, 0, 3][..], b"key", &[0, 0, 0, 0]].concat());
    vec![
        (true, [&b"SSH-2.0-server\r\n"[..], &offer].concat()),
        (false, [&b"SSH-2.0-client\r\n"[..], &offer, &ssh_packet(&[30, 0])].concat()),
        // With it what the server has to say of itself, before anything was asked (RFC 8308).
        (true, [&reply[..], &keys, &[9; 200]].concat()),
        (false, keys),
    ]
}

/// The packets of a connection whose client asks for the service, and to be let in with each further answer.
fn answered(compression: &str, answers: &[usize]) -> Vec<Vec<u8>> {
    let mut turns = exchange(compression);
    for len in answers {
        turns.extend([(false, vec![9; 100]), (true, vec![9; *len])]);
    }
    let turns: Vec<Turn<'_>> = turns.iter().map(|(is_answer, data)| (*is_answer, &data[..])).collect();
    connection(&turns, 1400)
}

/// How a login went by the record, of which there is one.
fn login(packets: &[Vec<u8>]) -> (Option<bool>, u64) {
    let (records, _) = feed(packets);
    let told: Vec<_> = records.iter().filter(|record| record.get("auth_attempts").is_some()).collect();
    let [ssh] = told[..] else { panic!("{records:?}") };
    (ssh.get("auth_success").map(|success| success == true), ssh["auth_attempts"].as_u64().unwrap())
}

#[test]
fn logins_are_told_by_lengths_unless_they_are_compressed() {
    for (answers, expected) in [
        (&[ACCEPT, SUCCESS][..], (Some(true), 1)),
        (&[ACCEPT, FAILURE, FAILURE, FAILURE], (Some(false), 2)),
        (&[ACCEPT, FAILURE, FAILURE, SUCCESS, FAILURE], (Some(true), 2)),
        (&[ACCEPT, FAILURE], (None, 0)),
    ] {
        assert_eq!(login(&answered("none", answers)), expected, "{answers:?}");
        assert_eq!(login(&answered("zlib@openssh.com", answers)), (None, 0), "{answers:?}");
    }
}

/// A session lasts for days, its login is told when it happens; the packets behind it are not looked at.
#[test]
fn a_login_is_told_at_once_and_attempts_allocate_nothing() {
    let answers = [&[ACCEPT, FAILURE][..], &[FAILURE; 60], &[SUCCESS]].concat();
    let packets = answered("none", &answers);
    let (mut pipeline, mut out) = (Pipeline::new(EngineConfig::default()), RecordBatch::new());
    let mut send = |index: usize, out: &mut RecordBatch| {
        let at = Timestamp::from_parts(1_700_000_000, index as u32 * 1000);
        let payload = &packets[index];
        pipeline.datagram(&Datagram { at, source: [10, 9, 8, 7].into(), source_port: 1, payload }, out);
    };
    let attempts = packets.len() - 122..packets.len() - 2;
    (0..attempts.start).for_each(|index| send(index, &mut out));
    let counted = allocation_counter::measure(|| attempts.clone().for_each(|index| send(index, &mut out)));
    assert_eq!((counted.count_total, out.len()), (0, 0));
    (attempts.end..packets.len()).for_each(|index| send(index, &mut out));
    assert_eq!(out.drain().map(|record| record.stream()).collect::<Vec<_>>(), [Stream::Ssh]);
}

/// Where the end of it cannot be recognised it is told after a while, and nothing is claimed.
#[test]
fn a_session_is_not_looked_at_until_it_ends() {
    let packets = answered("none", &[&[ACCEPT, FAILURE][..], &[112; 300]].concat());
    let (mut pipeline, mut out) = (Pipeline::new(EngineConfig::default()), RecordBatch::new());
    for (index, payload) in packets.iter().enumerate() {
        let at = Timestamp::from_parts(1_700_000_000, index as u32 * 1000);
        pipeline.datagram(&Datagram { at, source: [10, 9, 8, 7].into(), source_port: 1, payload }, &mut out);
    }
    assert_eq!((out.len(), login(&packets)), (1, (None, 0)));
}

/// Mirrored packets come late, twice and not at all.
#[test]
fn nobody_is_told_to_have_failed_who_was_let_in() {
    // Whoever is let in goes on.
    let packets = answered("none", &[ACCEPT, FAILURE, FAILURE, SUCCESS, 96]);
    let whole = (Some(true), 2);
    assert_eq!(login(&packets), whole);
    let encrypted = packets.len() - 10;
    for index in 2..packets.len() {
        let mut twice = packets.clone();
        twice.insert(index, packets[index].clone());
        assert_eq!(login(&twice), whole, "packet {index} twice");
        // An answer of which one is missing for good, or a question.
        let mut less = packets.clone();
        less.remove(index);
        let (success, attempts) = login(&less);
        assert!(success != Some(false) && attempts <= 2, "without packet {index}: {success:?} {attempts}");
        if index + 1 == packets.len() {
            break;
        }
        let mut swapped = packets.clone();
        swapped.swap(index, index + 1);
        let (success, attempts) = login(&swapped);
        assert!(success != Some(false) && attempts <= 2, "packet {index} late: {success:?} {attempts}");
        // The server's answer before what it answers: what it has read is known from its acknowledgement.
        if index >= encrypted {
            assert_eq!((success, attempts), whole, "packet {index} late");
        }
    }
}
