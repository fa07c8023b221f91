//! Handshakes of TLS 1.2 (RFC 5246) and 1.3 (RFC 8446) as browsers and servers have them; what would be encrypted is
//! random.

use super::Turn;
use super::random::Random;
use super::x509;

/// Reserved for nobody to know (RFC 8701).
const GREASE: [u16; 4] = [0x0a0a, 0x4a4a, 0x8a8a, 0xdada];

const CIPHERS: [u16; 16] = [
    0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
    0x002f, 0x0035, 0x000a,
];

/// Handshake messages (RFC 8446 section 4).
mod kind {
    pub(super) const CLIENT_HELLO: u8 = 1;
    pub(super) const SERVER_HELLO: u8 = 2;
    pub(super) const TICKET: u8 = 4;
    pub(super) const CERTIFICATE: u8 = 11;
    pub(super) const KEY_EXCHANGE: u8 = 12;
    pub(super) const DONE: u8 = 14;
    pub(super) const CLIENT_KEY_EXCHANGE: u8 = 16;
}

/// Content types of records (RFC 8446 section 5.1).
const CHANGE: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

/// Which handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    Three,
    /// With the server's certificates.
    Two,
    /// TLS 1.2 again, with what was agreed on before.
    Resumed,
    /// The server agrees to nothing.
    Refused,
}

/// What two ends say: the handshake, and then `bytes` of answers to some questions.
pub(super) fn conversation(random: &mut Random, shape: Shape, name: &str, bytes: usize) -> Vec<Turn> {
    let session = random.bytes(32);
    let hello = client_hello(random, name, shape == Shape::Three, &session);
    let mut turns = vec![(false, record(HANDSHAKE, 1, &message(kind::CLIENT_HELLO, &hello)))];
    match shape {
        Shape::Three => {
            let share = [&[0, 0x1d, 0, 32][..], &random.bytes(32)].concat();
            let extensions = [extension(43, &[3, 4]), extension(51, &share)].concat();
            let hello = server_hello(random, 0x1301, &session, &extensions);
            let hidden = random.bytes(2_800);
            turns.push((
                true,
                [record(HANDSHAKE, 3, &hello), change(), data(&hidden[..60]), data(&hidden)].concat(),
            ));
            turns.push((false, [change(), data(&random.bytes(69))].concat()));
            turns.push((true, data(&random.bytes(250))));
        }
        Shape::Two => {
            let extensions =
                [extension(0xff01, &[0]), extension(11, &[1, 0]), extension(16, b"\0\x03\x02h2")].concat();
            let hello = server_hello(random, 0xc02f, &session, &extensions);
            let chain = [x509::certificate(random, name, true), x509::certificate(random, "Made CA", false)];
            let certificates = chain.map(|one| [&three(one.len())[..], &one].concat()).concat();
            let certificates = [&three(certificates.len())[..], &certificates].concat();
            let exchange = [&[3, 0, 0x1d, 32][..], &random.bytes(32), &[4, 1, 1, 0], &random.bytes(256)];
            let flight = [
                hello,
                message(kind::CERTIFICATE, &certificates),
                message(kind::KEY_EXCHANGE, &exchange.concat()),
                message(kind::DONE, &[]),
            ];
            // Some servers put every message into a record of its own.
            let is_apart = random.chance(50);
            let flight = match is_apart {
                true => flight.map(|one| record(HANDSHAKE, 3, &one)).concat(),
                false => record(HANDSHAKE, 3, &flight.concat()),
            };
            turns.push((true, flight));
            let key = message(kind::CLIENT_KEY_EXCHANGE, &[&[32][..], &random.bytes(32)].concat());
            turns.push((
                false,
                [record(HANDSHAKE, 3, &key), change(), record(HANDSHAKE, 3, &random.bytes(40))].concat(),
            ));
            let ticket =
                message(kind::TICKET, &[&[0, 0, 0x1c, 0x20, 0, 160][..], &random.bytes(160)].concat());
            turns.push((
                true,
                [record(HANDSHAKE, 3, &ticket), change(), record(HANDSHAKE, 3, &random.bytes(40))].concat(),
            ));
        }
        Shape::Resumed => {
            let hello = server_hello(random, 0xc02f, &session, &extension(0xff01, &[0]));
            turns.push((
                true,
                [record(HANDSHAKE, 3, &hello), change(), record(HANDSHAKE, 3, &random.bytes(40))].concat(),
            ));
            turns.push((false, [change(), record(HANDSHAKE, 3, &random.bytes(40))].concat()));
        }
        Shape::Refused => {
            // Fatal, handshake_failure.
            turns.push((true, record(ALERT, 3, &[2, 40])));
            return turns;
        }
    }
    let mut left = bytes;
    while left > 0 {
        let question = random.below(700) + 60;
        turns.push((false, data(&random.bytes(question))));
        let mut answer = Vec::new();
        let said = left.min(random.below(40_000) + 200);
        for part in random.bytes(said).chunks(16_000) {
            answer.extend(data(part));
        }
        turns.push((true, answer));
        left -= said;
    }
    if shape != Shape::Three && random.chance(70) {
        turns.push((false, record(ALERT, 3, &random.bytes(26))));
    }
    turns
}

/// The body of a client's hello without GREASE and padding where it is for another transport than TCP.
pub(super) fn client_hello(random: &mut Random, name: &str, is_new: bool, session: &[u8]) -> Vec<u8> {
    let grease = *random.pick(&GREASE);
    let ciphers: Vec<u16> = match is_new {
        true => [&[grease][..], &CIPHERS].concat(),
        // An older library: fewer of them, in another order.
        false => CIPHERS[3..].iter().rev().skip(random.below(4)).copied().chain([0x00ff]).collect(),
    };
    let host = [&[0][..], &two(name.len()), name.as_bytes()].concat();
    let mut extensions = vec![
        extension(0, &[&two(host.len())[..], &host].concat()),
        extension(23, &[]),
        extension(0xff01, &[0]),
        extension(10, &list16(&[grease, 29, 23, 24])),
        extension(11, &[1, 0]),
        extension(35, &[]),
        extension(16, b"\0\x0c\x02h2\x08http/1.1"),
        extension(5, &[1, 0, 0, 0, 0]),
        extension(13, &list16(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601])),
    ];
    if is_new {
        let key = random.bytes(32);
        extensions.insert(0, extension(grease, &[]));
        extensions.push(extension(18, &[]));
        extensions.push(extension(
            51,
            &[&[0, 41][..], &grease.to_be_bytes(), &[0, 1, 0, 0, 0x1d, 0, 32], &key].concat(),
        ));
        extensions.push(extension(45, &[1, 1]));
        extensions.push(extension(43, &[&[6][..], &grease.to_be_bytes(), &[3, 4, 3, 3]].concat()));
        extensions.push(extension(27, &[2, 0, 2]));
        let len: usize = extensions.iter().map(Vec::len).sum();
        // RFC 7685, to 512 bytes.
        extensions.push(extension(21, &vec![0; 400_usize.saturating_sub(len)]));
    }
    let extensions = extensions.concat();
    let ciphers: Vec<u8> = ciphers.into_iter().flat_map(u16::to_be_bytes).collect();
    [
        &[3, 3][..],
        &random.bytes(32),
        &[u8::try_from(session.len()).unwrap_or(0)],
        session,
        &two(ciphers.len()),
        &ciphers,
        &[1, 0],
        &two(extensions.len()),
        &extensions,
    ]
    .concat()
}

fn server_hello(random: &mut Random, cipher: u16, session: &[u8], extensions: &[u8]) -> Vec<u8> {
    let body = [
        &[3, 3][..],
        &random.bytes(32),
        &[32],
        session,
        &cipher.to_be_bytes(),
        &[0],
        &two(extensions.len()),
        extensions,
    ];
    message(kind::SERVER_HELLO, &body.concat())
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &three(body.len()), body].concat()
}

fn record(kind: u8, minor: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, minor][..], &two(body.len()), body].concat()
}

fn change() -> Vec<u8> {
    record(CHANGE, 3, &[1])
}

fn data(body: &[u8]) -> Vec<u8> {
    record(DATA, 3, body)
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &two(body.len()), body].concat()
}

fn list16(of: &[u16]) -> Vec<u8> {
    let body: Vec<u8> = of.iter().flat_map(|one| one.to_be_bytes()).collect();
    [&two(body.len())[..], &body].concat()
}

pub(super) fn two(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("a short message").to_be_bytes()
}

fn three(len: usize) -> [u8; 3] {
    let [_, a, b, c] = u32::try_from(len).expect("a short message").to_be_bytes();
    [a, b, c]
}
