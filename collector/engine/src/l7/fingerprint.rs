//! Fingerprints of TLS hellos: JA3 and JA3S (<https://github.com/salesforce/ja3>, BSD-3-Clause) and JA4, the part of
//! JA4+ for TLS clients (<https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>, BSD-3-Clause).

use enigma_wire::{
    ssl2,
    tls::{ClientHello, ServerHello, is_grease},
};
use md5::{Digest as _, Md5};
use sha2::Sha256;

/// An MD5 digest; hexadecimal when written.
pub(super) type Digest = [u8; 16];

/// What a ClientHello tells of its client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) session_id: Box<[u8]>,
    pub(super) server_name: Option<Box<[u8]>>,
    /// The application protocol it likes best.
    pub(super) protocol: Option<Box<[u8]>>,
    /// It offers a ticket of an earlier session.
    pub(super) has_ticket: bool,
    /// It offers keys of an earlier session.
    pub(super) offers_psk: bool,
    /// `None` of a hello that was not seen to its end: a fingerprint of a part is one of another client.
    pub(super) ja3: Option<Digest>,
    /// The same.
    pub(super) ja4: Option<Box<str>>,
}

impl Client {
    /// What is told by a hello whose end is missing.
    pub(super) fn cut(hello: &ClientHello<'_>, transport: u8) -> Self {
        Self { ja3: None, ja4: None, ..Self::new(hello, transport) }
    }

    /// What is told by a hello in the form of SSL 2, which has no extensions.
    pub(super) fn old(hello: &ssl2::ClientHello<'_>) -> Self {
        Self {
            session_id: hello.session_id.into(),
            server_name: None,
            protocol: None,
            has_ticket: false,
            offers_psk: false,
            ja3: None,
            ja4: None,
        }
    }

    /// `transport` is `t` for TCP, `q` for QUIC, `d` for DTLS.
    pub(super) fn new(hello: &ClientHello<'_>, transport: u8) -> Self {
        let mut ciphers = Vec::with_capacity(USUAL);
        ciphers.extend(hello.ciphers().filter(|number| !is_grease(*number)));
        let (mut kinds, mut curves, mut signatures) = (Vec::with_capacity(USUAL), Vec::new(), Vec::new());
        let (mut formats, mut version) = (&[][..], None);
        let (mut server_name, mut protocol, mut has_name) = (None, None, false);
        let (mut has_ticket, mut offers_psk) = (false, false);
        for extension in hello.extensions().filter(|extension| !is_grease(extension.kind)) {
            kinds.push(extension.kind);
            let numbers = |skip: usize| extension.words(skip).filter(|number| !is_grease(*number));
            match extension.kind {
                0 => {
                    has_name = true;
                    server_name = extension.server_name().map(Into::into);
                }
                10 => curves = numbers(2).collect(),
                11 => formats = extension.data.get(1..).unwrap_or_default(),
                13 => signatures = numbers(2).collect(),
                35 => has_ticket = !extension.data.is_empty(),
                41 => offers_psk = true,
                16 => protocol = extension.first_protocol(),
                // The numbers of DTLS go down.
                43 if transport == b'd' => version = numbers(1).min(),
                43 => version = numbers(1).max(),
                _ => {}
            }
        }
        // One buffer for all that is hashed.
        let mut text = Vec::with_capacity(ROOM);
        push_number(&mut text, hello.version);
        for list in [&ciphers, &kinds, &curves] {
            text.push(b',');
            push_list(&mut text, list.iter().copied());
        }
        text.push(b',');
        push_list(&mut text, formats.iter().map(|format| u16::from(*format)));
        let ja3 = Md5::digest(&text).into();

        let mut ja4 = String::with_capacity(JA4_LEN);
        ja4.push(char::from(transport));
        ja4.push_str(version_name(version.unwrap_or(hello.version)));
        ja4.push(if has_name { 'd' } else { 'i' });
        for count in [ciphers.len(), kinds.len()] {
            let count = count.min(99) as u8;
            ja4.push(char::from(b'0' + count / 10));
            ja4.push(char::from(b'0' + count % 10));
        }
        ja4.extend(protocol_name(protocol));
        ja4.push('_');
        push_cipher_hash(&mut ja4, ciphers, &mut text);
        ja4.push('_');
        push_extension_hash(&mut ja4, kinds, &signatures, &mut text);
        let (session_id, protocol) = (hello.session_id.into(), protocol.map(Into::into));
        Self {
            session_id,
            server_name,
            protocol,
            has_ticket,
            offers_psk,
            ja3: Some(ja3),
            ja4: Some(ja4.into()),
        }
    }
}

/// Cipher suites and extensions of ordinary hellos are fewer.
const USUAL: usize = 32;

/// The texts of ordinary hellos are shorter.
const ROOM: usize = 512;

/// A JA4 is always so long: ten characters, twice a hash of twelve, and what stands between them.
const JA4_LEN: usize = 36;

/// JA3S.
pub(super) fn server(hello: &ServerHello<'_>) -> Digest {
    let mut text = Vec::with_capacity(ROOM);
    push_number(&mut text, hello.version);
    text.push(b',');
    push_number(&mut text, hello.cipher);
    text.push(b',');
    push_list(&mut text, hello.extensions().map(|extension| extension.kind));
    Md5::digest(&text).into()
}

fn push_number(text: &mut Vec<u8>, number: u16) {
    text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Decimal numbers with dashes between them.
fn push_list(text: &mut Vec<u8>, numbers: impl Iterator<Item = u16>) {
    for (index, number) in numbers.enumerate() {
        if index > 0 {
            text.push(b'-');
        }
        push_number(text, number);
    }
}

const fn version_name(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last character of the first protocol; of its hexadecimal form where they are no letters or digits.
fn protocol_name(protocol: Option<&[u8]>) -> [char; 2] {
    let Some((&first, &last)) = protocol.and_then(|name| Some((name.first()?, name.last()?))) else {
        return ['0'; 2];
    };
    let characters = if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        [first, last]
    } else {
        [digit(first >> 4), digit(last)]
    };
    characters.map(char::from)
}

/// `text` is lent for what is hashed.
fn push_cipher_hash(ja4: &mut String, mut ciphers: Vec<u16>, text: &mut Vec<u8>) {
    if ciphers.is_empty() {
        return ja4.push_str(NOTHING);
    }
    ciphers.sort_unstable();
    text.clear();
    push_hexadecimal(text, &ciphers);
    push_short_hash(ja4, text);
}

/// Of the extensions in order of their numbers, without server name and protocols, and the signature algorithms in
/// the client's order.
fn push_extension_hash(ja4: &mut String, mut kinds: Vec<u16>, signatures: &[u16], text: &mut Vec<u8>) {
    kinds.retain(|kind| !matches!(kind, 0 | 16));
    if kinds.is_empty() && signatures.is_empty() {
        return ja4.push_str(NOTHING);
    }
    kinds.sort_unstable();
    text.clear();
    push_hexadecimal(text, &kinds);
    if !signatures.is_empty() {
        text.push(b'_');
        push_hexadecimal(text, signatures);
    }
    push_short_hash(ja4, text);
}

/// In place of the hash of an empty list.
const NOTHING: &str = "000000000000";

/// The last four bits as a digit.
fn digit(nibble: u8) -> u8 {
    b"0123456789abcdef"[usize::from(nibble & 15)]
}

/// Numbers of four digits with commas between them.
fn push_hexadecimal(text: &mut Vec<u8>, numbers: &[u16]) {
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        let [high, low] = number.to_be_bytes();
        text.extend_from_slice(&[digit(high >> 4), digit(high), digit(low >> 4), digit(low)]);
    }
}

fn push_short_hash(ja4: &mut String, text: &[u8]) {
    for byte in &Sha256::digest(text)[..6] {
        ja4.push(char::from(digit(byte >> 4)));
        ja4.push(char::from(digit(*byte)));
    }
}
