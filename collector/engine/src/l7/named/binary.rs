//! Protocols that begin with numbers: lengths, versions and codes that fit each other.

use super::{Guess, Verdict, contains, when};
use crate::l7::Service;

/// Every test of this kind.
pub(super) fn tests(mine: &[u8], theirs: &[u8], ports: [u16; 2]) -> [(Guess, Verdict); 12] {
    use Verdict::{Is, MayTurnToTls};
    [
        (rdp(mine), MayTurnToTls(Service::Rdp)),
        (smb(mine), Is(Service::Smb)),
        (dce_rpc(mine), Is(Service::DceRpc)),
        (kerberos_stream(mine), Is(Service::KrbTcp)),
        (ldap(mine), MayTurnToTls(Service::LdapTcp)),
        (postgresql(mine), MayTurnToTls(Service::Postgresql)),
        (mysql(mine, theirs), MayTurnToTls(Service::Mysql)),
        (mongodb(mine), Is(Service::Mongodb)),
        (mqtt(mine), Is(Service::Mqtt)),
        (socks(mine, theirs), MayTurnToTls(Service::Socks)),
        (stun(mine), Is(Service::Stun)),
        (modbus(mine, ports), Is(Service::Modbus)),
    ]
}

/// Whether the bytes that are there agree with `expected`, where `None` stands for any.
fn agrees(data: &[u8], expected: &[Option<u8>]) -> Guess {
    let is_right =
        data.iter().zip(expected).all(|(byte, expected)| expected.is_none_or(|expected| expected == *byte));
    match (is_right, data.len() >= expected.len()) {
        (false, _) => Guess::No,
        (true, true) => Guess::Yes,
        (true, false) => Guess::Maybe,
    }
}

/// A connection request of X.224 in TPKT, with Microsoft's cookie or its choice of security (MS-RDPBCGR 2.2.1.1).
fn rdp(data: &[u8]) -> Guess {
    match agrees(data, &[Some(3), Some(0), Some(0), None, None, Some(0xe0)]) {
        Guess::Yes if contains(data, b"cookie: ") => Guess::Yes,
        Guess::Yes if data.len() < usize::from(data[3]) => Guess::Maybe,
        Guess::Yes => {
            when(data.get(11).is_some_and(|kind| *kind == 1) && data.get(13).is_some_and(|len| *len == 8))
        }
        other => other,
    }
}

/// SMB 1 to 3 in a NetBIOS session, which may begin with a request of its own (RFC 1002 section 4.3.2).
fn smb(data: &[u8]) -> Guess {
    const SESSION: &[Option<u8>] = &[Some(0x81), Some(0), Some(0), Some(0x44)];
    let message = match agrees(data, SESSION) {
        Guess::Yes if data.len() <= 72 => return if data.len() < 72 { Guess::Maybe } else { Guess::Yes },
        Guess::Yes => &data[72..],
        _ => data,
    };
    let begin = [Some(0), None, None, None, None, Some(b'S'), Some(b'M'), Some(b'B')];
    match agrees(message, &begin) {
        Guess::Yes => when(matches!(message[4], 0xfc..=0xff)),
        Guess::Maybe if message.get(4).is_some_and(|first| !matches!(first, 0xfc..=0xff)) => Guess::No,
        other => other,
    }
}

/// A bind of DCE/RPC 5.0 (C706 section 12.6.3), or its answer.
fn dce_rpc(data: &[u8]) -> Guess {
    let begin = [Some(5), Some(0), None, None, Some(0x10), Some(0), Some(0), Some(0)];
    match agrees(data, &begin) {
        Guess::Yes => when(matches!(data[2], 11..=15)),
        other => other,
    }
}

/// A message of Kerberos 5 (RFC 4120 section 5): the kinds that begin an exchange and their answers.
pub(super) fn kerberos(data: &[u8]) -> Guess {
    match data.first() {
        None => return Guess::Maybe,
        Some(0x6a..=0x6f | 0x7e) => {}
        Some(_) => return Guess::No,
    }
    // [APPLICATION n] { SEQUENCE { [0] or [1] INTEGER 5: the version stands within the first bytes of either.
    let head = &data[..data.len().min(24)];
    let has_version = head.windows(5).any(|window| matches!(window, [0xa0 | 0xa1, 3, 2, 1, 5]));
    if has_version {
        Guess::Yes
    } else if data.len() < 24 {
        Guess::Maybe
    } else {
        Guess::No
    }
}

fn kerberos_stream(data: &[u8]) -> Guess {
    let Some((len, message)) = data.split_first_chunk::<4>() else {
        return when_short(data, &[Some(0)]);
    };
    let is_length = len[0] == 0 && len[1] == 0 && u32::from_be_bytes(*len) > 32;
    if is_length { kerberos(message) } else { Guess::No }
}

/// A message of LDAP (RFC 4511 section 4.1.1): a sequence that begins with a number and an operation.
pub(super) fn ldap(data: &[u8]) -> Guess {
    if data.len() < 2 {
        return when_short(data, &[Some(0x30)]);
    }
    let len_bytes = match (data[0], data[1]) {
        (0x30, 0..=0x7f) => 1,
        (0x30, 0x81..=0x84) => 1 + usize::from(data[1] & 7),
        _ => return Guess::No,
    };
    match data.get(1 + len_bytes..) {
        None | Some([]) => Guess::Maybe,
        Some([2, rest @ ..]) => match rest.split_first() {
            None => Guess::Maybe,
            Some((&len @ 1..=4, rest)) => match rest.get(usize::from(len)..) {
                None | Some([]) => Guess::Maybe,
                Some([0x60 | 0x61 | 0x63 | 0x64 | 0x65 | 0x77 | 0x78 | 0x42, ..]) => Guess::Yes,
                Some(_) => Guess::No,
            },
            Some(_) => Guess::No,
        },
        Some(_) => Guess::No,
    }
}

/// The first message of a client: a version, or the wish for TLS or GSSAPI (PostgreSQL's manual, "Message Formats").
fn postgresql(data: &[u8]) -> Guess {
    if data.len() < 8 {
        return when_short(data, &[Some(0), Some(0)]);
    }
    let word = |at: usize| u32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
    match (word(0), word(4)) {
        (8, 80_877_103 | 80_877_104) | (16, 80_877_102) => Guess::Yes,
        (9..=10_000, 0x0003_0000..=0x0003_0002) => Guess::Yes,
        _ => Guess::No,
    }
}

/// The server's greeting: packet 0, protocol 10, and a version that is text.
fn mysql(data: &[u8], theirs: &[u8]) -> Guess {
    if !theirs.is_empty() {
        return Guess::No;
    }
    match agrees(data, &[None, None, Some(0), Some(0), Some(10)]) {
        Guess::Yes => {
            let version = &data[5..data.len().min(69)];
            let text = version.iter().take_while(|byte| byte.is_ascii_graphic()).count();
            match version.get(text) {
                None if version.len() < 64 => Guess::Maybe,
                None => Guess::No,
                Some(end) => when(*end == 0 && text > 2 && version[0].is_ascii_digit()),
            }
        }
        other => other,
    }
}

/// A message header whose length and operation fit (MongoDB's manual, "Wire Protocol").
fn mongodb(data: &[u8]) -> Guess {
    if data.len() < 16 {
        return if data.get(3).is_some_and(|top| *top > 2) { Guess::No } else { Guess::Maybe };
    }
    let word = |at: usize| u32::from_le_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
    let is_operation = matches!(word(12), 2004 | 2005 | 2010 | 2012 | 2013);
    when((26..=48_000_000).contains(&word(0)) && word(8) == 0 && is_operation)
}

/// CONNECT of MQTT 3.1 to 5.
fn mqtt(data: &[u8]) -> Guess {
    match data.split_first() {
        None => Guess::Maybe,
        Some((0x10, rest)) => {
            let len_bytes = rest.iter().take(4).take_while(|byte| **byte >= 0x80).count() + 1;
            match rest.get(len_bytes..) {
                None => Guess::Maybe,
                Some(name) => {
                    let names = [super::prefix(name, b"\0\x04MQTT"), super::prefix(name, b"\0\x06MQIsdp")];
                    if names.contains(&Guess::Yes) {
                        Guess::Yes
                    } else if names.contains(&Guess::Maybe) {
                        Guess::Maybe
                    } else {
                        Guess::No
                    }
                }
            }
        }
        Some(_) => Guess::No,
    }
}

/// A proxy that has agreed: the client's greeting alone is three bytes that mean little.
fn socks(mine: &[u8], theirs: &[u8]) -> Guess {
    let is_hello = |data: &[u8]| match data {
        [5, count @ 1..=16, methods @ ..] => methods.len() == usize::from(*count),
        [4, 1 | 2, rest @ ..] => rest.len() >= 7 && rest.last() == Some(&0),
        _ => false,
    };
    match mine {
        [5, 0 | 2 | 0xff] | [0, 0x5a..=0x5d, ..] if !theirs.is_empty() => when(is_hello(theirs)),
        _ if theirs.is_empty() && is_hello(mine) => Guess::Maybe,
        _ => Guess::No,
    }
}

/// A message of STUN: alone (RFC 8489 section 6.2.2), or behind its length, as ICE has it over TCP (RFC 4571). It is told
/// by its cookie. All methods there are begin with 0 or 1.
fn stun(data: &[u8]) -> Guess {
    let message = |data: &[u8]| {
        let begin = [None, None, None, None, Some(0x21), Some(0x12), Some(0xa4), Some(0x42)];
        match data.first_chunk::<4>() {
            Some([0 | 1, _, _, low]) if low % 4 == 0 => agrees(data, &begin),
            Some(_) => Guess::No,
            None if data.first().is_none_or(|first| *first <= 1) => Guess::Maybe,
            None => Guess::No,
        }
    };
    let framed = match data.split_first_chunk::<2>() {
        None => Guess::No,
        Some((_, inner)) if inner.len() < 4 => message(inner),
        // Its own length is 20 less than that in front.
        Some((len, inner)) => {
            let own = u16::from_be_bytes([inner[2], inner[3]]);
            if own.checked_add(20) == Some(u16::from_be_bytes(*len)) { message(inner) } else { Guess::No }
        }
    };
    match message(data) {
        Guess::Yes => Guess::Yes,
        // Most first bytes may begin one: with less there is nothing that tells it from the rest.
        _ if data.len() < 4 => Guess::No,
        Guess::Maybe => Guess::Maybe,
        Guess::No => framed,
    }
}

/// Short and of small numbers only: believed on its port alone.
fn modbus(data: &[u8], ports: [u16; 2]) -> Guess {
    let &[_, _, 0, 0, 0, len, _, function, ..] = data else { return Guess::No };
    when(ports.contains(&502) && usize::from(len) + 6 == data.len() && matches!(function & 0x7f, 1..=43))
}

/// Too little to tell, if what is there agrees.
fn when_short(data: &[u8], expected: &[Option<u8>]) -> Guess {
    let is_right =
        data.iter().zip(expected).all(|(byte, expected)| expected.is_none_or(|expected| expected == *byte));
    if is_right { Guess::Maybe } else { Guess::No }
}
